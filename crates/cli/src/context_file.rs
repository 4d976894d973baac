//! The file of contexts, as kubectl has one: which server, which CA, which token, which defaults.
//!
//! Contract: it holds a token, so it is created with mode 0600 in a folder of mode 0700, and it is
//! replaced whole (a crash leaves the old one). Unknown keys are errors: a misspelt one would
//! silently do nothing.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strongroom_api::secret::Secret;

use crate::error::CliError;

/// The whole file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContextFile {
    /// The context that is used when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// By name.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, Context>,
}

/// One context.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Context {
    /// The server's URL.
    pub(crate) server: String,
    /// PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_certificate: Option<String>,
    /// The bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Secret>,
    /// The program that signs in again when the token has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service_principal: Option<StoredPrincipal>,
    /// The default subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subscription: Option<String>,
    /// The default resource group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource_group: Option<String>,
    /// The default location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) location: Option<String>,
}

/// A service principal, with the file of its secret, which stays where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StoredPrincipal {
    /// Its client id.
    pub(crate) client_id: String,
    /// The tenant that knows it.
    pub(crate) tenant: String,
    /// The file.
    pub(crate) client_secret_file: PathBuf,
}

impl ContextFile {
    /// Reads the file; one that is not there is empty.
    pub(crate) fn load(path: &Path) -> Result<Self, CliError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                return Err(CliError::file(format!(
                    "'{}' cannot be read: {error}",
                    path.display()
                )));
            }
        };
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_norway::from_str(&text).map_err(|error| {
            CliError::file(format!(
                "'{}' is not a context file: {error}",
                path.display()
            ))
        })
    }

    /// Replaces the file.
    pub(crate) fn save(&self, path: &Path) -> Result<(), CliError> {
        let text = crate::output::yaml(self)?;
        replace(path, text.as_bytes()).map_err(|error| {
            CliError::file(format!("'{}' cannot be written: {error}", path.display()))
        })
    }

    /// The context called `name`.
    pub(crate) fn get(&self, name: &str) -> Result<&Context, CliError> {
        self.contexts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contexts.keys().map(String::as_str).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            CliError::not_found(
                format!("there is no context '{name}' (known: {known})"),
                "Choose a known one, or make it: strongroom login --name NAME --server URL …",
            )
        })
    }
}

/// `$XDG_CONFIG_HOME/strongroom/config.yaml`, else `~/.config/strongroom/config.yaml`.
pub(crate) fn default_path(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty());
    let base = set("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(base.join("strongroom").join("config.yaml"))
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    if !folder.exists() {
        create_folder(folder)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let outcome =
        write_private(&temporary, content).and_then(|()| std::fs::rename(&temporary, path));
    if outcome.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    outcome
}

#[cfg(unix)]
fn create_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

#[cfg(not(unix))]
fn create_folder(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}

fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> ContextFile {
        let context = Context {
            server: "https://localhost:8443".into(),
            token: Some(Secret::new("t0ken")),
            ..Context::default()
        };
        ContextFile {
            current: Some("one".into()),
            contexts: [("one".to_owned(), context)].into(),
        }
    }

    #[test]
    fn what_is_saved_is_loaded_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("config.yaml");
        sample().save(&path).unwrap();
        let loaded = ContextFile::load(&path).unwrap();
        assert_eq!(loaded.current.as_deref(), Some("one"));
        assert_eq!(
            loaded.get("one").unwrap().token.as_ref().unwrap().expose(),
            "t0ken"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&path), 0o600);
            assert_eq!(mode(path.parent().unwrap()), 0o700);
        }
        sample().save(&path).unwrap();
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn no_file_is_an_empty_one_and_a_broken_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        assert!(ContextFile::load(&path).unwrap().contexts.is_empty());
        std::fs::write(&path, "").unwrap();
        assert!(ContextFile::load(&path).unwrap().contexts.is_empty());
        std::fs::write(&path, "curent: one\n").unwrap();
        assert!(
            ContextFile::load(&path)
                .unwrap_err()
                .to_string()
                .contains("unknown field `curent`")
        );
    }

    #[test]
    fn the_file_is_where_such_files_are() {
        let env = |xdg: Option<&str>, home: Option<&str>| {
            let (xdg, home) = (xdg.map(str::to_owned), home.map(str::to_owned));
            default_path(move |name| {
                if name == "HOME" {
                    home.clone()
                } else {
                    xdg.clone()
                }
            })
        };
        assert_eq!(
            env(Some("/x"), Some("/h")),
            Some("/x/strongroom/config.yaml".into())
        );
        assert_eq!(
            env(Some(""), Some("/h")),
            Some("/h/.config/strongroom/config.yaml".into())
        );
        assert_eq!(env(None, None), None);
    }

    #[test]
    fn a_token_is_never_shown_by_debug() {
        assert!(!format!("{:?}", sample()).contains("t0ken"));
    }
}
