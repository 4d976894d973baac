//! The one catalogue of error codes: the same PascalCase code on every surface, with a page that says
//! what it means, what causes it and what to do.
//!
//! Contract: a code that exists is documented (its page is compiled in and tests fail when a section
//! is missing) and a code once published keeps its meaning. Where Azure Backup for AKS or Azure
//! Resource Manager publishes a code for a situation, that code is used; sources:
//! <https://learn.microsoft.com/azure/backup/azure-kubernetes-service-backup-troubleshoot> and
//! <https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors>.
//! Crates raise [`Problem`]s; only `http/error.rs`, `conditions.rs` and `cli/error.rs` translate them.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub use catalogue::Code;

mod catalogue;
#[cfg(test)]
mod tests;

/// What the reader of an error must do; every code has one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Change the request: it can never succeed as it is.
    Invalid,
    /// Get a credential or a right.
    Denied,
    /// Choose another name, or something that does not exist any more or yet.
    NotFound,
    /// Settle what stands in the way: the state of the thing forbids the action.
    Conflict,
    /// Install, repair or wait for a part that is missing or not ready.
    NotReady,
    /// Try again later; nothing is wrong.
    Busy,
    /// Stored data is not what was written: do not trust it, use another recovery point.
    Corrupt,
    /// Report it: this is a defect of Strongroom.
    Internal,
}

impl Class {
    /// Whether the same request may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::NotReady | Self::Busy)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The help page of a code. All texts are Markdown without headings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// What the code says.
    pub meaning: &'static str,
    /// What leads to it.
    pub cause: &'static str,
    /// The way out; this is the published `recommendedAction`.
    pub what_to_do: &'static str,
    /// A message or an answer in which it appears.
    pub example: &'static str,
}

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    Code::ALL
        .iter()
        .map(|code| parse_page(code.source()))
        .collect()
});

impl Code {
    /// The code's help page.
    #[must_use]
    pub fn page(self) -> &'static Page {
        const NONE: Page = Page {
            meaning: "",
            cause: "",
            what_to_do: "",
            example: "",
        };
        static EMPTY: Page = NONE;
        PAGES.get(self as usize).unwrap_or(&EMPTY)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text).ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    /// A code that this version does not know reads as [`Code::InternalServerError`], so that what a
    /// newer version stored can still be shown.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::parse(&text).unwrap_or(Self::InternalServerError))
    }
}

/// A text that is not a code of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a code of the catalogue")]
pub struct UnknownCode(pub String);

/// What every surface translates: a code, what happened to what, and the parts of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct Problem {
    /// The code.
    pub code: Code,
    /// What happened, with names and numbers, in a sentence or two; never a secret.
    pub message: String,
    /// The field, parameter or resource that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The parts, when there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Problem>,
}

impl Problem {
    /// A problem without target and details.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            target: None,
            details: Vec::new(),
        }
    }

    /// The same with the field, parameter or resource that it concerns.
    #[must_use]
    pub fn at(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// The same with its parts.
    #[must_use]
    pub fn with_details(mut self, details: Vec<Self>) -> Self {
        self.details = details;
        self
    }

    /// What the reader must do.
    #[must_use]
    pub fn class(&self) -> Class {
        self.code.class()
    }

    /// The recommended action, from the code's page.
    #[must_use]
    pub fn recommended_action(&self) -> &'static str {
        self.code.page().what_to_do
    }
}

/// Splits a page's Markdown into its four sections; an absent section is empty (a test forbids it).
fn parse_page(source: &'static str) -> Page {
    let section = |heading: &str| {
        let marker = format!("\n## {heading}\n");
        let Some(start) = source.find(&marker) else {
            return "";
        };
        let body = &source[start + marker.len()..];
        body.find("\n## ").map_or(body, |end| &body[..end]).trim()
    };
    Page {
        meaning: section("Meaning"),
        cause: section("Cause"),
        what_to_do: section("What to do"),
        example: section("Example"),
    }
}
