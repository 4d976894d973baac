//! A finding: typed trouble with one object or one part of a job, with which the job goes on.
//!
//! Contract: a finding always says what to do; its texts come from the catalogue's page of its code
//! unless the place that found it knows better.

use serde::{Deserialize, Serialize};

use crate::error::Code;
use crate::object::ObjectRef;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Something differs from what the reader may expect; nothing of the object is lost.
    Warning,
    /// The object, or a part of it, is not in the recovery point or not in the cluster.
    Error,
}

/// Typed trouble within a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What kind of trouble.
    pub code: Code,
    /// How bad.
    pub severity: Severity,
    /// Which object, when it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectRef>,
    /// What happened, with names and numbers.
    pub message: String,
    /// What the other side answered, when there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What the reader should do.
    pub recommended_action: String,
}

impl Finding {
    /// A warning with the catalogue's recommended action.
    #[must_use]
    pub fn warning(code: Code, object: Option<ObjectRef>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, object, message.into())
    }

    /// An error with the catalogue's recommended action.
    #[must_use]
    pub fn error(code: Code, object: Option<ObjectRef>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, object, message.into())
    }

    fn new(code: Code, severity: Severity, object: Option<ObjectRef>, message: String) -> Self {
        let recommended_action = code.page().what_to_do.to_owned();
        Self {
            code,
            severity,
            object,
            message,
            cause: None,
            recommended_action,
        }
    }

    /// The same with what the other side answered.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_takes_its_action_from_the_catalogue() {
        let finding = Finding::warning(
            Code::UserErrorNamespaceNotFound,
            None,
            "namespace shop is not there",
        )
        .because("404");
        assert!(!finding.recommended_action.is_empty());
        assert_eq!(finding.cause.as_deref(), Some("404"));
    }
}
