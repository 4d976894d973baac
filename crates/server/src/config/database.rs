//! Section `[database]`: where the server keeps its catalogue, when not in its data directory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strongroom_api::secret::Secret;

use super::ConfigError;

/// Variable that holds the URL itself, before the file does.
pub const URL_VARIABLE: &str = "STRONGROOM_DATABASE_URL";

/// Section `[database]` of the configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSection {
    /// A file that holds the URL of a PostgreSQL database, and nothing else: it has a password in it, which
    /// a configuration file should not. None: SQLite, in the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
}

impl DatabaseSection {
    /// The URL of the database; none when the catalogue is in the data directory. `environment` looks up a
    /// variable.
    ///
    /// # Errors
    /// When the file cannot be read, or what it holds is no URL of a PostgreSQL database. The URL itself is
    /// not told.
    pub fn url(
        &self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Secret>, ConfigError> {
        let (text, from) = match (environment(URL_VARIABLE), &self.url_file) {
            (Some(text), _) => (text, URL_VARIABLE),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
                    path: path.clone(),
                    source,
                })?;
                (text, "database.url_file")
            }
            (None, None) => return Ok(None),
        };
        let text = text.trim();
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        if !is_postgres {
            return Err(ConfigError::Value {
                name: from,
                value: "(not shown)".to_owned(),
                expected: "the URL of a database, for example postgres://user:password@host/strongroom?sslmode=verify-full",
            });
        }
        Ok(Some(Secret::new(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_comes_from_the_variable_or_the_file_and_is_never_shown() {
        let url = "postgres://u:hunter2@db/strongroom";
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        std::fs::write(&file, format!("{url}\n")).unwrap();
        let none = |_: &str| None;
        let section = DatabaseSection {
            url_file: Some(file.clone()),
        };
        let read = section.url(none).unwrap().unwrap();
        assert_eq!(read.expose(), url);
        assert!(!format!("{read:?}").contains("hunter2"));
        let other = |_: &str| Some("postgresql://other/db".to_owned());
        let read = section.url(other).unwrap().unwrap();
        assert_eq!(read.expose(), "postgresql://other/db");
        assert_eq!(DatabaseSection::default().url(none).unwrap(), None);

        std::fs::write(&file, "mysql://u:hunter2@db/x").unwrap();
        let refused = section.url(none).unwrap_err().to_string();
        assert!(refused.contains("database.url_file"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
        std::fs::remove_file(&file).unwrap();
        assert!(section.url(none).is_err());
    }
}
