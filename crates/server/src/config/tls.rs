//! Section `[tls]`: which certificate the server shows.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Section `[tls]` of the configuration file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSection {
    /// PEM file with a certificate chain to show instead of one from the server's own authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the key of `certificate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// More DNS names and addresses for a certificate from the server's own authority.
    pub names: Vec<String>,
}

impl TlsSection {
    /// What is wrong with the section, if anything.
    #[must_use]
    pub fn mistake(&self) -> Option<&'static str> {
        match (&self.certificate, &self.key) {
            (Some(_), None) => Some("tls.certificate is set without tls.key"),
            (None, Some(_)) => Some("tls.key is set without tls.certificate"),
            _ => None,
        }
    }
}
