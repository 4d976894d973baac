//! One request and its answer: URL, headers, retries, sizes, errors.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::error::{chain, root};
use super::{ApiError, Client, ClientError};
use crate::version;

/// How often a call is sent at most. Four attempts with the usual pace bridge a
/// server that restarts.
const MAX_ATTEMPTS: u32 = 4;
/// The longest `Retry-After` that is waited for before one more attempt; a longer one is the
/// caller's to decide about.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// The longest that a download may take, a million lines over a slow line included.
const LONGEST_DOWNLOAD: Duration = Duration::from_hours(1);
/// The longest answer that is read: far above any page of a list.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A call before it is sent.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<&'a [u8]>,
    pub(crate) headers: &'a [(&'static str, &'a str)],
}

/// What came back, with a status below 400.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) what: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ClientError> {
        crate::decode::decode(&self.body).map_err(|error| self.protocol(&error.to_string()))
    }

    pub(crate) fn protocol(&self, message: &str) -> ClientError {
        ClientError::Protocol {
            what: self.what.clone(),
            message: message.to_owned(),
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.headers)
    }
}

impl Client {
    /// Sends a call to a resource id (or another path under the server) with the right api-version.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Answer, ClientError> {
        self.call_with(method, path, query, &[], body).await
    }

    /// The same with headers of its own.
    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        headers: &[(&'static str, &str)],
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<Answer, ClientError> {
        let url = self.url(path, query)?;
        let body = match body {
            Some(body) => Some(serde_json::to_vec(body).map_err(|error| {
                ClientError::settings(format!("the request cannot be written: {error}"))
            })?),
            None => None,
        };
        self.send(Call {
            method,
            url,
            body: body.as_deref(),
            headers,
        })
        .await
    }

    /// Reads a resource or a page.
    pub(crate) async fn get_json<T: DeserializeOwned>(&self, url: Url) -> Result<T, ClientError> {
        self.send(Call {
            method: Method::GET,
            url,
            body: None,
            headers: &[],
        })
        .await?
        .json()
    }

    /// The URL of a path that our code or the user's names made: each segment is encoded.
    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> Result<Url, ClientError> {
        let mut url = self.inner.base.clone();
        let segments: Vec<&str> = path
            .strip_prefix('/')
            .unwrap_or_default()
            .split('/')
            .collect();
        if segments
            .iter()
            .any(|segment| matches!(*segment, "" | "." | ".."))
        {
            return Err(ClientError::settings(format!(
                "'{path}' is not a resource id"
            )));
        }
        url.path_segments_mut()
            .map_err(|()| ClientError::settings("the server URL cannot have a path"))?
            .pop_if_empty()
            .extend(&segments);
        url.query_pairs_mut()
            .append_pair("api-version", version::for_path(path))
            .extend_pairs(query);
        Ok(url)
    }

    /// A URL that the server gave (`nextLink`, a polling URL), taken back to the configured server:
    /// the token never goes anywhere else, and a server behind another address still works.
    pub(crate) fn follow_url(&self, given: &str) -> Result<Url, ClientError> {
        let base = &self.inner.base;
        let link = base.join(given).map_err(|error| {
            ClientError::settings(format!("'{given}' is not a URL to follow: {error}"))
        })?;
        let mut url = base.clone();
        url.set_path(link.path());
        url.set_query(link.query());
        Ok(url)
    }

    /// Sends; tries again as far as that is safe. A service principal signs in before that if it has not
    /// yet, and again when its token has ended: a call that was refused for that did nothing.
    pub(crate) async fn send(&self, call: Call<'_>) -> Result<Answer, ClientError> {
        let had_token = self.token().is_some() || !self.renew_token().await?;
        match self.send_as_it_is(&call).await {
            Err(error) if had_token && has_ended(&error) && self.renew_token().await? => {
                self.send_as_it_is(&call).await
            }
            answered => answered,
        }
    }

    /// The same with the token that there is, if any.
    pub(super) async fn send_as_it_is(&self, call: &Call<'_>) -> Result<Answer, ClientError> {
        let mut pause = self.inner.pace.retry;
        let mut attempt = 1;
        loop {
            let error = match self.send_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = error.api().and_then(|api| api.retry_after).unwrap_or(pause);
            if attempt >= MAX_ATTEMPTS || wait > LONGEST_PAUSE || !may_repeat(&call.method, &error)
            {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
            attempt += 1;
        }
    }

    async fn send_once(&self, call: &Call<'_>) -> Result<Answer, ClientError> {
        let what = format!("{} {}", call.method, call.url.path());
        let mut request = self
            .inner
            .http
            .request(call.method.clone(), call.url.clone())
            .header("accept", "application/json");
        if let Some(token) = self.token() {
            request = request.bearer_auth(token.expose());
        }
        if let Some(body) = call.body {
            if !call.headers.iter().any(|(name, _)| *name == "content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body.to_vec());
        } else if call.method == Method::POST {
            request = request.header("content-length", "0");
        }
        for (name, value) in call.headers {
            request = request.header(*name, *value);
        }
        let mut response = request
            .send()
            .await
            .map_err(|error| self.network(&error, &what))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|error| self.network(&error, &what))?
        {
            if body.len() + part.len() > MAX_ANSWER_BYTES {
                let message = format!("it is longer than {MAX_ANSWER_BYTES} bytes");
                return Err(ClientError::Protocol { what, message });
            }
            body.extend_from_slice(&part);
        }
        let answer = Answer {
            status,
            headers,
            body,
            what,
        };
        if status < 300 {
            Ok(answer)
        } else {
            Err(refused(&answer))
        }
    }

    /// Sends a GET once and gives the answer with its body unread; signs in as [`Self::send`] does.
    pub(crate) async fn begin(
        &self,
        url: Url,
        accept: &str,
        what: &str,
    ) -> Result<reqwest::Response, ClientError> {
        let had_token = self.token().is_some() || !self.renew_token().await?;
        match self.begin_as_it_is(url.clone(), accept, what).await {
            Err(error) if had_token && has_ended(&error) && self.renew_token().await? => {
                self.begin_as_it_is(url, accept, what).await
            }
            answered => answered,
        }
    }

    async fn begin_as_it_is(
        &self,
        url: Url,
        accept: &str,
        what: &str,
    ) -> Result<reqwest::Response, ClientError> {
        let mut request = self
            .inner
            .http
            .get(url)
            .header("accept", accept)
            .timeout(LONGEST_DOWNLOAD);
        if let Some(token) = self.token() {
            request = request.bearer_auth(token.expose());
        }
        let response = request
            .send()
            .await
            .map_err(|error| self.network(&error, what))?;
        let status = response.status().as_u16();
        if status < 300 {
            return Ok(response);
        }
        let headers = response.headers().clone();
        let body = response
            .bytes()
            .await
            .map_err(|error| self.network(&error, what))?;
        Err(refused(&Answer {
            status,
            headers,
            body: body.to_vec(),
            what: what.to_owned(),
        }))
    }

    pub(crate) fn network(&self, error: &reqwest::Error, what: &str) -> ClientError {
        let server = self.inner.base.to_string();
        let text = chain(error);
        if text.contains("invalid peer certificate") || text.contains("UnknownIssuer") {
            ClientError::CertificateNotTrusted {
                server,
                cause: root(error),
            }
        } else if error.is_timeout() && !error.is_connect() {
            ClientError::Timeout {
                server,
                what: what.to_owned(),
            }
        } else {
            ClientError::Unreachable {
                server,
                cause: root(error),
            }
        }
    }
}

fn refused(answer: &Answer) -> ClientError {
    if answer.status < 400 {
        return answer.protocol(&format!(
            "status {} redirects, which is not followed",
            answer.status
        ));
    }
    ClientError::Api(Box::new(ApiError::from_answer(
        answer.status,
        &answer.body,
        answer.header("x-ms-error-code"),
        answer.header("x-ms-request-id").map(str::to_owned),
        answer.retry_after(),
        answer.what.clone(),
    )))
}

/// Whether a token was refused because its time is over.
fn has_ended(error: &ClientError) -> bool {
    let api = error.api();
    api.is_some_and(|api| api.code == "ExpiredAuthenticationToken")
}

/// GET, PUT, PATCH with a whole body and DELETE end in the same state however often they are sent.
/// A POST starts something: it is sent again only when the server says that it did nothing (429).
fn may_repeat(method: &Method, error: &ClientError) -> bool {
    if *method == Method::POST {
        error.status() == Some(429)
    } else {
        error.is_transient()
    }
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get("retry-after")?
        .to_str()
        .ok()?
        .trim()
        .parse::<u64>()
        .ok()?;
    Some(Duration::from_secs(seconds))
}
