//! Long-running operations, followed as published ARM clients follow them.
//!
//! * `Azure-AsyncOperation` says the state; `Location` has the result of a POST, read once at the
//!   end. With only `Location`, it is read until it no longer answers 202.
//! * After a PUT the resource is read again. Without a polling URL the resource's own
//!   `properties.provisioningState` is read until it is terminal.
//! * `Retry-After` of each answer is the next pause.
//! * A 202 to a POST or DELETE with neither header is an error.

use std::time::Duration;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::transport::{Answer, Call};
use super::{ApiError, Client, ClientError};
use crate::operation::{OperationExtendedInfo, OperationStatus};

/// The longest pause that is obeyed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// The longest that an operation is followed; the server ends its jobs long before.
const LONGEST_WAIT: Duration = Duration::from_hours(48);
/// How long a server may be out of reach while an operation is followed: it restarts within seconds,
/// and the operation survives that.
const OUTAGE_TOLERANCE: Duration = Duration::from_secs(60);

/// What one poll saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// `Inprogress`, a provisioning state, or `Unreachable` while the server is away.
    pub status: String,
    /// The job behind it, once known.
    pub job_id: Option<String>,
    /// How much is done, 0 to 100, where the server says so.
    pub percent: Option<f64>,
}

/// Where the result of an operation is.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// At the resource (after PUT and PATCH).
    Resource(String),
    /// At `Location`, or in the operation's own properties (after POST).
    Answer,
    /// There is none (after DELETE).
    Nothing,
}

#[derive(Debug)]
enum Poll {
    Done,
    Status(Url),
    Location(Url),
    Resource(Url),
}

/// An operation that may still run; its result is a `T`.
#[derive(Debug)]
pub struct LongRunning<T> {
    client: Client,
    poll: Poll,
    location: Option<Url>,
    outcome: Outcome,
    pause: Duration,
    first: Answer,
    /// The resource, when polling it was how the operation was followed.
    read_again: Option<Vec<u8>>,
    marker: std::marker::PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> LongRunning<T> {
    pub(crate) fn started(
        client: &Client,
        first: Answer,
        outcome: Outcome,
    ) -> Result<Self, ClientError> {
        let follow = |name: &str| {
            first
                .header(name)
                .map(|url| client.follow_url(url))
                .transpose()
        };
        let status = follow("azure-asyncoperation")?;
        let location = follow("location")?;
        let poll = match (status, &location, &outcome) {
            (Some(url), _, _) => Poll::Status(url),
            (None, Some(url), _) if first.status == 202 => Poll::Location(url.clone()),
            (None, _, Outcome::Resource(path))
                if provisioning(&first.body).is_some_and(|state| !is_terminal(&state)) =>
            {
                Poll::Resource(client.url(path, &[])?)
            }
            (None, None, Outcome::Answer | Outcome::Nothing) if first.status == 202 => {
                return Err(first.protocol("202 without Azure-AsyncOperation or Location"));
            }
            _ => Poll::Done,
        };
        let pause = first
            .retry_after()
            .unwrap_or(client.inner.pace.poll)
            .min(LONGEST_PAUSE);
        let marker = std::marker::PhantomData;
        Ok(Self {
            client: client.clone(),
            poll,
            location,
            outcome,
            pause,
            first,
            read_again: None,
            marker,
        })
    }

    /// Is there nothing left to wait for?
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.poll, Poll::Done)
    }

    /// The HTTP status of the first answer; 204 to a DELETE says that there was nothing to delete.
    #[must_use]
    pub fn first_status(&self) -> u16 {
        self.first.status
    }

    /// Waits for the end and gives the result.
    ///
    /// # Errors
    /// [`ClientError::Api`] with the operation's own error when it failed or was cancelled.
    pub async fn wait(self) -> Result<T, ClientError> {
        self.wait_with(|_| ()).await
    }

    /// As [`LongRunning::wait`], telling what each poll saw.
    ///
    /// # Errors
    /// As [`LongRunning::wait`].
    pub async fn wait_with(mut self, mut tell: impl FnMut(&Progress)) -> Result<T, ClientError> {
        let mut waited = Duration::ZERO;
        let mut last = None;
        while !self.is_done() {
            if waited > LONGEST_WAIT {
                let server = self.client.server().to_string();
                return Err(ClientError::Timeout {
                    server,
                    what: self.first.what,
                });
            }
            tokio::time::sleep(self.pause).await;
            waited += self.pause;
            last = self.step(&mut tell).await?;
        }
        self.result(last).await
    }

    /// Waits only until the operation's job is known (or the operation has ended) and gives its id.
    ///
    /// # Errors
    /// As [`LongRunning::wait`].
    pub async fn job_id(mut self) -> Result<Option<String>, ClientError> {
        if let Some(job) = job_of(&self.first.body) {
            return Ok(Some(job));
        }
        let mut waited = Duration::ZERO;
        // The job is made with the operation, so the first look need not wait.
        let mut pause = Duration::ZERO;
        while !self.is_done() && waited <= LONGEST_WAIT {
            tokio::time::sleep(pause).await;
            waited += pause;
            let mut seen = None;
            let outcome = self
                .step(&mut |progress: &Progress| seen.clone_from(&progress.job_id))
                .await;
            // A failed operation with a job is the job's failure, which says more.
            if seen.is_some() {
                return Ok(seen);
            }
            outcome?;
            pause = self.pause;
        }
        let answer = self.final_answer().await?;
        Ok(answer.as_deref().and_then(job_of))
    }

    /// One poll. Gives the status body when it was a status that was polled.
    async fn step(
        &mut self,
        tell: &mut impl FnMut(&Progress),
    ) -> Result<Option<OperationStatus>, ClientError> {
        let (Poll::Status(url) | Poll::Location(url) | Poll::Resource(url)) = &self.poll else {
            return Ok(None);
        };
        let answer = patient_get(&self.client, url.clone(), tell).await?;
        self.pause = answer
            .retry_after()
            .unwrap_or(self.client.inner.pace.poll)
            .min(LONGEST_PAUSE);
        match &self.poll {
            Poll::Status(_) => {
                let status: OperationStatus = answer.json()?;
                tell(&Progress {
                    status: status.status.clone(),
                    job_id: status.job_id().map(str::to_owned),
                    percent: status.percent_complete,
                });
                if status.is_final() {
                    if !status.is_success() {
                        let what = self.first.what.clone();
                        return Err(failed(&status.status, status.error, what));
                    }
                    self.poll = Poll::Done;
                }
                Ok(Some(status))
            }
            Poll::Location(_) => {
                tell(&Progress {
                    status: "Inprogress".to_owned(),
                    job_id: job_of(&answer.body),
                    percent: None,
                });
                if answer.status != 202 {
                    self.first.body = answer.body;
                    self.location = None;
                    self.poll = Poll::Done;
                }
                Ok(None)
            }
            Poll::Resource(_) | Poll::Done => {
                let state = provisioning(&answer.body).unwrap_or_else(|| "Succeeded".to_owned());
                tell(&Progress {
                    status: state.clone(),
                    job_id: None,
                    percent: None,
                });
                if is_terminal(&state) {
                    if !state.eq_ignore_ascii_case("Succeeded") {
                        return Err(failed(&state, None, self.first.what.clone()));
                    }
                    self.read_again = Some(answer.body);
                    self.poll = Poll::Done;
                }
                Ok(None)
            }
        }
    }

    async fn result(mut self, last: Option<OperationStatus>) -> Result<T, ClientError> {
        let answer = self.final_answer().await?;
        let from_status = last
            .and_then(|status| status.properties)
            .and_then(|info| serde_json::to_value(info).ok());
        let value = match (answer, from_status) {
            (Some(body), _) if !body.is_empty() => crate::decode::decode::<Value>(&body)
                .map_err(|error| self.first.protocol(&error.to_string()))?,
            (_, Some(properties)) => properties,
            _ => Value::Null,
        };
        let value = if matches!(self.outcome, Outcome::Nothing) {
            Value::Null
        } else {
            value
        };
        crate::decode::decode_value(value).map_err(|error| self.first.protocol(&error.to_string()))
    }

    /// The body that holds the result, as far as there is one to fetch.
    async fn final_answer(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        if let Some(body) = self.read_again.take() {
            return Ok(Some(body));
        }
        let polled =
            self.first.status != 200 || self.first.header("azure-asyncoperation").is_some();
        let url = match &self.outcome {
            Outcome::Nothing => None,
            Outcome::Resource(path) if polled || self.first.body.is_empty() => {
                Some(self.client.url(path, &[])?)
            }
            Outcome::Resource(_) => None,
            Outcome::Answer => self.location.take(),
        };
        match url {
            Some(url) => Ok(Some(
                patient_get(&self.client, url, &mut |_: &Progress| ())
                    .await?
                    .body,
            )),
            None => Ok(Some(std::mem::take(&mut self.first.body))),
        }
    }
}

/// A GET that outlasts a short outage of the server.
async fn patient_get(
    client: &Client,
    url: Url,
    tell: &mut impl FnMut(&Progress),
) -> Result<Answer, ClientError> {
    let pause = client.inner.pace.outage;
    // The time of the calls themselves counts: each of them tries several times before it gives up.
    let began = Instant::now();
    loop {
        let call = Call {
            method: Method::GET,
            url: url.clone(),
            body: None,
            headers: &[],
        };
        match client.send(call).await {
            Err(error) if error.is_transient() && began.elapsed() < OUTAGE_TOLERANCE => {
                tell(&Progress {
                    status: "Unreachable".to_owned(),
                    job_id: None,
                    percent: None,
                });
                tokio::time::sleep(pause).await;
            }
            other => return other,
        }
    }
}

fn failed(status: &str, error: Option<crate::error::ErrorBody>, what: String) -> ClientError {
    ClientError::Api(Box::new(ApiError::from_operation(status, error, what)))
}

fn job_of(body: &[u8]) -> Option<String> {
    match serde_json::from_slice(body).ok()? {
        OperationExtendedInfo::OperationJobExtendedInfo(info) => info.job_id,
    }
}

fn provisioning(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.pointer("/properties/provisioningState")?
        .as_str()
        .map(str::to_owned)
}

fn is_terminal(state: &str) -> bool {
    ["Succeeded", "Failed", "Canceled"]
        .iter()
        .any(|end| end.eq_ignore_ascii_case(state))
}
