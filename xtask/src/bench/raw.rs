//! The raw client: what the API server allows on this machine, for whoever only reads or writes.
//!
//! It is the cluster's administrator, whom API priority and fairness does not touch. It lists pages of
//! 500 as JSON, reads every byte, finds the continue token and does nothing else with them; it posts
//! ready-made bytes and looks at the status of the answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::StreamExt as _;
use reqwest::{Certificate, Client, Identity, Method, Response, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::mix::{self, Object};
use crate::cluster::Cluster;
use crate::failure::{Doing, Failure, Result};
use crate::talk::Stopwatch;
use crate::tool;

/// Objects of one page: what the extension asks for, and `kubectl get`.
pub(crate) const PAGE: usize = 500;
/// How long one request may take. The API server's own limit is 60 s.
const REQUEST_LIMIT: Duration = Duration::from_secs(65);
/// Bytes at either end of a page in which the list's metadata is looked for.
const META_BYTES: usize = 4_096;
/// How often a create is tried again when the API server asks for it or the connection breaks.
const TRIES: usize = 5;
/// Threads of the client: the machine has two cores, and one thread carries all bytes of a list.
const THREADS: usize = 2;

/// A connection to one API server as its administrator.
pub(crate) struct Raw {
    runtime: Runtime,
    /// HTTP/1.1, one connection for each request that is in flight: what lists go over, as those of our
    /// extension do.
    one: Client,
    /// HTTP/2, all requests on one connection: what objects are made over.
    two: Client,
    base: String,
    /// The API server's CA, PEM in base64 as a kubeconfig has it.
    pub(crate) ca: String,
}

/// What lists brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listed {
    pub(crate) bytes: u64,
    pub(crate) pages: u64,
    pub(crate) time: Duration,
}

impl Raw {
    /// A client of a cluster, from its administrator's kubeconfig.
    pub(crate) fn connect(cluster: &Cluster) -> Result<Self> {
        let doing = || format!("read the kubeconfig of cluster {}", cluster.name);
        let told = tool::output(
            cluster
                .kubectl()
                .args(["config", "view", "--raw", "-o", "json"]),
        )?;
        let config: Value = serde_json::from_str(&told).doing(doing)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (server, user) = (
            &config["clusters"][0]["cluster"],
            &config["users"][0]["user"],
        );
        let ca = text(&server["certificate-authority-data"]);
        let pem = |encoded: &str| BASE64.decode(encoded).doing(doing);
        let mut identity = pem(&text(&user["client-certificate-data"]))?;
        identity.extend(pem(&text(&user["client-key-data"]))?);
        let client = || -> Result<reqwest::ClientBuilder> {
            Ok(Client::builder()
                .tls_certs_only([Certificate::from_pem(&pem(&ca)?).doing(doing)?])
                .identity(Identity::from_pem(&identity).doing(doing)?)
                .user_agent("strongroom-bench")
                .no_proxy()
                .timeout(REQUEST_LIMIT))
        };
        let made = |builder: reqwest::ClientBuilder| {
            builder.build().doing(|| "make the raw client".to_owned())
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .enable_all()
            .build()
            .doing(|| "start the raw client".to_owned())?;
        Ok(Self {
            one: made(client()?.http1_only())?,
            // The windows are wide, so that flow control slows nothing.
            two: made(
                client()?
                    .http2_initial_stream_window_size(8 << 20)
                    .http2_initial_connection_window_size(32 << 20),
            )?,
            runtime,
            base: text(&server["server"]),
            ca,
        })
    }

    /// The API server's address.
    pub(crate) fn server(&self) -> &str {
        &self.base
    }

    /// Lists every object below these paths, page by page, several paths at once.
    pub(crate) fn list(&self, paths: &[String], at_once: usize) -> Result<Listed> {
        let client = &self.one;
        let watch = Stopwatch::start();
        let lists = paths.iter().map(|path| {
            let list = one_list(client.clone(), format!("{}{path}", self.base));
            self.runtime.spawn(list)
        });
        // All are spawned lazily: `buffer_unordered` takes the next only when a place is free.
        let lists = futures::stream::iter(lists).buffer_unordered(at_once);
        let parts: Vec<_> = self.runtime.block_on(lists.collect());
        let mut all = Listed {
            bytes: 0,
            pages: 0,
            time: watch.elapsed(),
        };
        for part in parts {
            let (bytes, pages) = part.doing(|| "list objects".to_owned())??;
            all.bytes += bytes;
            all.pages += pages;
        }
        Ok(all)
    }

    /// Creates objects of the mix with this many requests in flight; how long that took.
    pub(crate) fn create(&self, objects: usize, in_flight: usize) -> Result<Duration> {
        let made = (0..objects).map(|index| mix::object(index, 0));
        self.send_all(Method::POST, made, in_flight)
    }

    /// Changes these objects of the mix.
    pub(crate) fn change(
        &self,
        objects: impl Iterator<Item = usize>,
        revision: usize,
        in_flight: usize,
    ) -> Result<Duration> {
        let made = objects.map(|index| mix::object(index, revision));
        self.send_all(Method::PATCH, made, in_flight)
    }

    fn send_all(
        &self,
        method: Method,
        objects: impl Iterator<Item = Object>,
        in_flight: usize,
    ) -> Result<Duration> {
        let watch = Stopwatch::start();
        let client = Arc::new(self.two.clone());
        let sent = objects.map(|object| {
            let (client, method, base) = (Arc::clone(&client), method.clone(), self.base.clone());
            async move { send_one(&client, method, &base, object).await }
        });
        let done = async {
            let mut sent = futures::stream::iter(sent).buffer_unordered(in_flight);
            while let Some(one) = sent.next().await {
                one?;
            }
            Ok(())
        };
        self.runtime.block_on(done).map(|()| watch.elapsed())
    }

    /// One request with a JSON answer. 409 to a POST is no failure: what is wanted is there.
    pub(crate) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let doing = || format!("{method} {path}");
        let text = self.runtime.block_on(async {
            let mut request = self
                .two
                .request(method.clone(), format!("{}{path}", self.base));
            if let Some(body) = body {
                request = request
                    .header("content-type", content_type(&method))
                    .body(body.to_string());
            }
            let response = request
                .send()
                .await
                .map_err(|error| Failure::new(doing(), chain(&error)))?;
            let status = response.status();
            let text = response.text().await.doing(doing)?;
            let exists = method == Method::POST && status == StatusCode::CONFLICT;
            if status.is_success() || exists {
                return Ok(text);
            }
            Err(Failure::new(doing(), format!("{status}: {text}")))
        })?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Follows the changes of a collection until the returned watch is asked for what it saw. Times
    /// count from `clock`.
    pub(crate) fn watch(&self, path: &str, clock: Stopwatch) -> Watching {
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let url = format!("{}{path}?watch=1&timeoutSeconds=3600", self.base);
        let client = self.one.clone();
        let seen = self.runtime.spawn(follow(client, url, clock, stopped));
        Watching { stop, seen }
    }

    /// What a watch saw.
    pub(crate) fn seen(&self, watching: Watching) -> Vec<Seen> {
        let _it_ended_already = watching.stop.send(());
        self.runtime.block_on(watching.seen).unwrap_or_default()
    }
}

/// A watch that is under way.
pub(crate) struct Watching {
    stop: tokio::sync::oneshot::Sender<()>,
    seen: tokio::task::JoinHandle<Vec<Seen>>,
}

/// One event of a watch.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When it came, in seconds.
    pub(crate) at: f64,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub(crate) event: String,
    pub(crate) object: Value,
}

/// The objects of all events until it is told to stop; what is lost when the connection breaks is only
/// detail of a report.
async fn follow(
    client: Client,
    url: String,
    clock: Stopwatch,
    mut stopped: tokio::sync::oneshot::Receiver<()>,
) -> Vec<Seen> {
    let mut seen = Vec::new();
    let request = client.get(url).timeout(Duration::from_secs(3_600)).send();
    let Ok(mut response) = request.await else {
        return seen;
    };
    let mut line = Vec::new();
    loop {
        let chunk = tokio::select! {
            chunk = response.chunk() => chunk,
            _ = &mut stopped => return seen,
        };
        let Ok(Some(chunk)) = chunk else {
            return seen;
        };
        line.extend_from_slice(&chunk);
        while let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            if let Ok(mut event) = serde_json::from_slice::<Value>(&line[..end]) {
                seen.push(Seen {
                    at: clock.elapsed().as_secs_f64(),
                    event: event["type"].as_str().unwrap_or_default().to_owned(),
                    object: event["object"].take(),
                });
            }
            line.drain(..=end);
        }
    }
}

/// Reads one list to its end: bytes and pages.
async fn one_list(client: Client, url: String) -> Result<(u64, u64)> {
    let (mut bytes, mut pages) = (0, 0);
    let mut token: Option<String> = None;
    loop {
        let mut request = client.get(&url).query(&[("limit", PAGE)]);
        if let Some(token) = &token {
            request = request.query(&[("continue", token)]);
        }
        let sent = request.header("accept", "application/json").send().await;
        let response = sent.map_err(|error| Failure::new(format!("list {url}"), chain(&error)))?;
        let (read, next) = read_page(response, &url).await?;
        bytes += read;
        pages += 1;
        match next {
            Some(next) => token = Some(next),
            None => return Ok((bytes, pages)),
        }
    }
}

/// Reads a page to its last byte. The token stands in the list's metadata: before the items in lists of
/// built-in types, behind them in lists of custom ones.
async fn read_page(mut response: Response, url: &str) -> Result<(u64, Option<String>)> {
    let status = response.status();
    let (mut bytes, mut head, mut tail) = (0, Vec::new(), Vec::new());
    let doing = || format!("read a page of {url}");
    while let Some(chunk) = response.chunk().await.doing(doing)? {
        bytes += chunk.len() as u64;
        if head.len() < META_BYTES {
            head.extend_from_slice(&chunk);
        }
        tail.extend_from_slice(&chunk);
        tail.drain(..tail.len().saturating_sub(META_BYTES));
    }
    if !status.is_success() {
        return Err(Failure::new(
            doing(),
            format!("{status}: {}", String::from_utf8_lossy(&head)),
        ));
    }
    let token = token_before_items(&head).or_else(|| token_behind_items(&tail));
    Ok((bytes, token))
}

fn token_before_items(head: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"\"continue\":\"";
    let end = head
        .windows(9)
        .position(|bytes| bytes == b"\"items\":[")
        .unwrap_or(head.len());
    let start = head[..end]
        .windows(MARK.len())
        .position(|bytes| bytes == MARK)?
        + MARK.len();
    let length = head[start..].iter().position(|byte| *byte == b'"')?;
    let token = std::str::from_utf8(&head[start..start + length]).ok()?;
    (!token.is_empty()).then(|| token.to_owned())
}

/// The last metadata in the text, if the document ends with it: then it is the list's own.
fn token_behind_items(tail: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"\"metadata\":{";
    let at = tail.windows(MARK.len()).rposition(|bytes| bytes == MARK)?;
    let document = [b"{", &tail[at..]].concat();
    let meta: Value = serde_json::from_slice(&document).ok()?;
    let token = meta["metadata"]["continue"].as_str()?;
    (!token.is_empty()).then(|| token.to_owned())
}

async fn send_one(client: &Client, method: Method, base: &str, object: Object) -> Result<()> {
    let url = match method {
        Method::POST => format!("{base}{}", object.collection),
        _ => format!("{base}{}/{}", object.collection, object.name),
    };
    let body = bytes::Bytes::from(object.body);
    let mut last = String::new();
    for attempt in 0..TRIES {
        let request = client
            .request(method.clone(), &url)
            .header("content-type", content_type(&method))
            .body(body.clone());
        match request.send().await {
            Ok(response) => {
                let status = response.status();
                let text = response.bytes().await.unwrap_or_default();
                let made_unheard = attempt > 0 && status == StatusCode::CONFLICT;
                if status.is_success() || made_unheard {
                    return Ok(());
                }
                last = format!("{status}: {}", String::from_utf8_lossy(&text));
                if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
                    break;
                }
            }
            Err(error) => last = chain(&error),
        }
    }
    Err(Failure::new(format!("{method} {url}"), last))
}

fn content_type(method: &Method) -> &'static str {
    if *method == Method::PATCH {
        "application/merge-patch+json"
    } else {
        "application/json"
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_in_the_lists_metadata_and_nowhere_else() {
        let built_in = br#"{"kind":"L","metadata":{"resourceVersion":"5","continue":"abc=","remainingItemCount":3},"items":[{"a":1}]}"#;
        assert_eq!(token_before_items(built_in), Some("abc=".to_owned()));
        let custom = b"{\"apiVersion\":\"x/v1\",\"items\":[{\"metadata\":{\"continue\":\"x\"}}],\"kind\":\"L\",\"metadata\":{\"continue\":\"abc=\",\"resourceVersion\":\"5\"}}\n";
        assert_eq!(token_before_items(custom), None);
        assert_eq!(token_behind_items(custom), Some("abc=".to_owned()));
        assert_eq!(token_behind_items(&custom[40..]), Some("abc=".to_owned()));
        let last = br#"{"kind":"L","metadata":{"resourceVersion":"5"},"items":[{"data":{"continue":"x"}},{"metadata":{"continue":"x"}}]}"#;
        assert_eq!(token_before_items(last), None);
        assert_eq!(token_behind_items(last), None);
    }
}
