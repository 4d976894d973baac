//! A client of the server: HTTPS with the server's own authority, and an access token for a client secret.
//!
//! Contract: answers are read to their ends and not parsed, but for the few that lead on; whatever a client
//! spends on the same two cores is taken from the server.

use std::fs;
use std::time::Duration;

use reqwest::{Certificate, Client as Http, Method, RequestBuilder};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::place::{Account, Place};
use crate::failure::{Doing, Failure, Result};
use crate::talk::Stopwatch;

/// The version of the contract that is spoken.
pub(super) const VERSION: &str = "api-version=2026-06-01";
/// How long an answer may take: what a person would wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer: its status, how long it took, and what it said.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) millis: f64,
    pub(super) body: bytes::Bytes,
}

/// What it takes to open a connection and to be let in.
#[derive(Clone)]
pub(super) struct Access {
    base: String,
    authority: Certificate,
    bearer: String,
}

impl Access {
    /// Signs in.
    pub(super) async fn sign_in(place: &Place) -> Result<Self> {
        let doing = || "sign in".to_owned();
        let pem = fs::read(place.ca()).doing(doing)?;
        let mut access = Self {
            base: place.url(),
            authority: Certificate::from_pem(&pem).doing(doing)?,
            bearer: String::new(),
        };
        let Account {
            tenant,
            client,
            secret,
        } = &place.account;
        let form = format!(
            "grant_type=client_credentials&client_id={client}&client_secret={secret}&resource={}",
            access.base
        );
        let path = format!("{}/{tenant}/oauth2/token", access.base);
        let kind = "application/x-www-form-urlencoded";
        let asked = access
            .open()?
            .post(path)
            .header("content-type", kind)
            .body(form);
        let answer = answered(asked).await.doing(doing)?;
        let told: Value = serde_json::from_slice(&answer.body).doing(doing)?;
        let Some(token) = told["access_token"].as_str() else {
            return Err(Failure::new(doing(), told));
        };
        access.bearer = format!("Bearer {token}");
        Ok(access)
    }

    /// A client with one connection of its own.
    pub(super) fn open(&self) -> Result<Http> {
        let builder = Http::builder()
            .tls_certs_only([self.authority.clone()])
            .user_agent("strongroom-bench")
            .http1_only()
            .pool_max_idle_per_host(1)
            .no_proxy()
            .timeout(PATIENCE);
        builder.build().doing(|| "make a client".to_owned())
    }

    /// A request to a path with its query, or to an address that the server gave out.
    pub(super) fn request(&self, http: &Http, method: Method, path: &str) -> RequestBuilder {
        let address = if path.starts_with("https://") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        http.request(method, address)
            .header("authorization", &self.bearer)
    }
}

/// Sends a request and reads the answer to its end.
pub(super) async fn answered(request: RequestBuilder) -> reqwest::Result<Answer> {
    let watch = Stopwatch::start();
    let response = request.send().await?;
    let status = response.status().as_u16();
    let body = response.bytes().await?;
    Ok(Answer {
        status,
        millis: watch.elapsed().as_secs_f64() * 1_000.0,
        body,
    })
}

/// One client that does one thing at a time.
pub(super) struct Client {
    runtime: Runtime,
    http: Http,
    access: Access,
}

impl Client {
    /// Signs in.
    pub(super) fn of(place: &Place) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .doing(|| "start a client".to_owned())?;
        let access = runtime.block_on(Access::sign_in(place))?;
        Ok(Self {
            http: access.open()?,
            runtime,
            access,
        })
    }

    /// Asks, and refuses everything but success.
    pub(super) fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer> {
        let doing = || format!("ask for {path}");
        let mut request = self.access.request(&self.http, method, path);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let answer = self.runtime.block_on(answered(request)).doing(doing)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        Err(Failure::new(doing(), format!("{}: {told}", answer.status)))
    }

    /// Has the policy of all instances keep recovery points for another time.
    pub(super) fn edit_policy(&self, place: &Place, kept: &str) -> Result<()> {
        let path = format!("{}?{VERSION}", place.policy());
        let answer = self.ask(Method::GET, &path, None)?;
        let doing = || "edit the policy".to_owned();
        let mut policy: Value = serde_json::from_slice(&answer.body).doing(doing)?;
        let rules = policy["properties"]["policyRules"].as_array_mut();
        for rule in rules.into_iter().flatten() {
            for lifecycle in rule["lifecycles"].as_array_mut().into_iter().flatten() {
                lifecycle["deleteAfter"]["duration"] = kept.into();
            }
        }
        let body = serde_json::json!({"properties": policy["properties"]});
        self.ask(Method::PUT, &path, Some(&body)).map(drop)
    }
}
