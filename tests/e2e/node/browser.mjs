// Somebody signs in with a browser: node browser.mjs PAGE USER_CODE NAME
// It fills in every form that it is shown, follows every redirect, and ends at a page without a form.
const [page, code, name] = process.argv.slice(2);
const typed = { user_code: code, login: name, password: "any" };
const cookies = new Map();

const attribute = (tag, wanted) => tag.match(new RegExp(`${wanted}="([^"]*)"`))?.[1];

async function ask(url, form) {
  const headers = { cookie: [...cookies].map(([key, value]) => `${key}=${value}`).join("; ") };
  const method = form ? "POST" : "GET";
  const answer = await fetch(url, { method, body: form, headers, redirect: "manual" });
  for (const cookie of answer.headers.getSetCookie()) {
    const [key, ...value] = cookie.split(";")[0].split("=");
    cookies.set(key, value.join("="));
  }
  const next = answer.headers.get("location");
  return next ? ask(new URL(next, url)) : { url, text: await answer.text(), status: answer.status };
}

let shown = await ask(page);
for (let forms = 0; forms < 10; forms += 1) {
  const form = shown.text.match(/<form[^>]*method="post"[^>]*>[\s\S]*?<\/form>/)?.[0];
  if (!form || shown.status >= 400) {
    console.log(`${shown.status} ${shown.text.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ")}`);
    process.exit(shown.status === 200 ? 0 : 1);
  }
  const fields = new URLSearchParams();
  for (const input of form.match(/<input[^>]*>/g) ?? []) {
    const field = attribute(input, "name");
    const value = typed[field] ?? attribute(input, "value");
    if (field && value !== undefined) fields.set(field, value);
  }
  shown = await ask(new URL(attribute(form, "action") ?? "", shown.url), fields);
}
console.error("one form after the other, and no end");
process.exit(1);
