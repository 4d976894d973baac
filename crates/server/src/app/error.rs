//! How a use case fails: with a [`Problem`] that tells the caller what to do, or with trouble of the
//! server's own, whose detail goes to the log and not to the caller.

use strongroom_core::error::{Code, Problem};

use crate::secrets::SecretError;
use crate::store::StoreError;

/// Shorthand of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller is told this.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret at rest does not open.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Something that should always work did not.
    #[error("could not {doing}")]
    Unexpected {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    /// Trouble that should never happen, with what was being done.
    pub fn unexpected<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::Unexpected {
            doing,
            source: Box::new(source),
        }
    }

    /// The problem the caller is told, if it is one.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// The code the caller is told.
    #[must_use]
    pub fn code(&self) -> Code {
        self.problem()
            .map_or(Code::InternalServerError, |problem| problem.code)
    }
}

impl From<Box<Problem>> for Error {
    fn from(problem: Box<Problem>) -> Self {
        Self::Problem(problem)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

/// A failure with a code and a message.
pub fn refuse<T>(code: Code, message: impl Into<String>) -> Result<T> {
    Err(Problem::new(code, message).into())
}

/// A failure with the causes behind it, one after the other.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
