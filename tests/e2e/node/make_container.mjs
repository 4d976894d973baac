// Makes a blob container: node make_container.mjs ENDPOINT ACCOUNT KEY CONTAINER
// The request is signed by the service's own rules ("Authorize with Shared Key"), not by a library.
import { createHmac } from "node:crypto";

const [endpoint, account, key, container] = process.argv.slice(2);
const url = new URL(`${endpoint}/${container}?restype=container`);
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-08-06" };
const named = Object.entries(headers).map(([name, value]) => `${name}:${value}`);
const resource = `/${account}${url.pathname}\nrestype:container`;
const text = ["PUT", ...Array(11).fill(""), ...named, resource].join("\n");
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
headers.authorization = `SharedKey ${account}:${signature}`;
const answer = await fetch(url, { method: "PUT", headers });
if (answer.status !== 201) {
  console.error(`${answer.status}: ${await answer.text()}`);
  process.exit(1);
}
