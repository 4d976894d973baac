//! What can go wrong between us and the server, each with what it takes to say what to do.

use std::time::Duration;

use crate::error::{CloudError, ErrorBody};

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client was set up wrongly; nothing was sent.
    #[error("{message}")]
    Settings {
        /// What is wrong with which setting.
        message: String,
    },
    /// No connection, or it broke.
    #[error("the server at {server} cannot be reached: {cause}")]
    Unreachable {
        /// The server's URL.
        server: String,
        /// What the network said.
        cause: String,
    },
    /// The server's certificate is not one that is trusted.
    #[error("the certificate of the server at {server} is not trusted: {cause}")]
    CertificateNotTrusted {
        /// The server's URL.
        server: String,
        /// What the TLS library said.
        cause: String,
    },
    /// No answer in time.
    #[error("the server at {server} did not answer in time: {what}")]
    Timeout {
        /// The server's URL.
        server: String,
        /// Method and path.
        what: String,
    },
    /// The server refused, or an operation failed.
    #[error("{0}")]
    Api(Box<ApiError>),
    /// The answer is not what the contract says.
    #[error("{what}: the answer is not what the contract says: {message}")]
    Protocol {
        /// Method and path.
        what: String,
        /// What is amiss.
        message: String,
    },
}

impl ClientError {
    pub(crate) fn settings(message: impl Into<String>) -> Self {
        Self::Settings {
            message: message.into(),
        }
    }

    /// The server's own error, when it gave one.
    #[must_use]
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// The HTTP status, when there was an answer with one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.api().map(|error| error.status)
    }

    /// A 404?
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Can the same call succeed later without anyone changing anything?
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Api(error) => matches!(error.status, 408 | 429 | 500..=599),
            _ => false,
        }
    }
}

/// An error as the server described it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// The HTTP status; of a failed operation the status of the answer that told so, 200.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// Which part of the request.
    pub target: Option<String>,
    /// Its parts.
    pub details: Vec<ErrorBody>,
    /// `x-ms-request-id`: what to look for in the server's log.
    pub request_id: Option<String>,
    /// When to try again.
    pub retry_after: Option<Duration>,
    /// Method and path of the call.
    pub what: String,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// Reads the envelope, or makes the best of an answer that has none (a proxy's, say).
    pub(crate) fn from_answer(
        status: u16,
        body: &[u8],
        header_code: Option<&str>,
        request_id: Option<String>,
        retry_after: Option<Duration>,
        what: String,
    ) -> Self {
        let error = serde_json::from_slice::<CloudError>(body)
            .map(|envelope| envelope.error)
            .unwrap_or_default();
        let code = header_code
            .map(str::to_owned)
            .filter(|code| !code.is_empty())
            .unwrap_or(error.code);
        let code = if code.is_empty() {
            format!("Http{status}")
        } else {
            code
        };
        let message = if error.message.is_empty() {
            described(body)
                .unwrap_or_else(|| format!("the server answered {status} without saying why"))
        } else {
            error.message
        };
        Self {
            status,
            code,
            message,
            target: error.target,
            details: error.details,
            request_id,
            retry_after,
            what,
        }
    }

    /// The error of an operation that ended as `Failed` or `Canceled`.
    pub(crate) fn from_operation(status: &str, error: Option<ErrorBody>, what: String) -> Self {
        let error = error.unwrap_or_default();
        let message = if error.message.is_empty() {
            format!("the operation ended as {status} without saying why")
        } else {
            error.message
        };
        let code = if error.code.is_empty() {
            format!("Operation{status}")
        } else {
            error.code
        };
        Self {
            status: 200,
            code,
            message,
            target: error.target,
            details: error.details,
            request_id: None,
            retry_after: None,
            what,
        }
    }
}

/// An error with its causes, innermost last, each once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

/// The innermost cause alone: the part that people can act on.
pub(crate) fn root(error: &dyn std::error::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// What the refusal of a sign-in says, which has the form of OAuth 2.0 (RFC 6749, 5.2).
fn described(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Refused {
        error_description: String,
    }
    serde_json::from_slice::<Refused>(body)
        .ok()
        .map(|refused| refused.error_description)
}
