//! Section `[extension]`: what is installed in clusters.

use serde::{Deserialize, Serialize};

/// Image of the extension when nothing else is said: the one that this version builds.
pub const DEFAULT_IMAGE: &str = concat!("localhost/strongroom:", env!("CARGO_PKG_VERSION"));

/// Section `[extension]` of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExtensionSection {
    /// Container image, unless an extension's own settings name one.
    pub image: String,
}

impl Default for ExtensionSection {
    fn default() -> Self {
        Self {
            image: DEFAULT_IMAGE.to_owned(),
        }
    }
}
