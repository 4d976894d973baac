//! The one error of the developer commands: what was being done, why it failed, and the way out.

use std::fmt::{self, Display};

/// The result of everything that a developer command does.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a developer command could not do its work, in words for the person who called it.
#[derive(Debug, thiserror::Error)]
pub(crate) struct Failure {
    doing: String,
    cause: String,
    way_out: Option<String>,
}

impl Failure {
    /// `doing` completes "cannot …"; `cause` says what was met.
    pub(crate) fn new(doing: impl Into<String>, cause: impl Display) -> Self {
        Self {
            doing: doing.into(),
            cause: cause.to_string(),
            way_out: None,
        }
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub(crate) fn way_out(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = Some(way_out.into());
        self
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.doing, self.cause)?;
        match &self.way_out {
            Some(way_out) => write!(f, "\nway out: {way_out}"),
            None => Ok(()),
        }
    }
}

/// Gives an error of a library the words that it lacks: what was being done.
pub(crate) trait Doing<T> {
    /// `what` completes "cannot …".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Display> Doing<T> for std::result::Result<T, E> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|error| Failure::new(what(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_what_why_and_the_way_out() {
        let failure = Failure::new("start the cluster", "no root").way_out("use sudo");
        assert_eq!(
            failure.to_string(),
            "cannot start the cluster: no root\nway out: use sudo"
        );
    }
}
