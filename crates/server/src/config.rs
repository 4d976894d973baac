//! What the server is told: flags before environment before file.
//!
//! Contract: one type per section of the file; an unknown key is an error that names it; the
//! effective configuration can be printed (it holds no secrets, only paths to them).

pub mod audit;
pub mod database;
pub mod extension;
pub mod identity_provider;
pub mod jobs;
pub mod limits;
pub mod server;
pub mod tls;

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use strongroom_api::secret::Secret;
use url::Url;

use audit::{AuditSection, ReceiverSettings};
use database::DatabaseSection;
use extension::ExtensionSection;
use identity_provider::IdentityProviderSection;
use jobs::JobsSection;
use limits::LimitsSection;
use server::{DEFAULT_LISTEN, ServerSection};
use tls::TlsSection;

/// What the command line said; absent flags leave the environment and the file to decide.
#[derive(Debug, Clone, Default)]
pub struct ServerOptions {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--listen`, an address with a port; port 0 takes a free one.
    pub listen: Option<String>,
    /// `--config`, a TOML file.
    pub config: Option<PathBuf>,
    /// `--advertise-url`: what extensions use to reach this server.
    pub advertise_url: Option<String>,
}

/// What can be wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("could not read the configuration file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration file {path} has a mistake: {detail}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        detail: String,
    },
    /// A flag or an environment variable is not what it should be.
    #[error("{name} is '{value}', which is not {expected}")]
    Value {
        /// The flag or variable.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// No data directory.
    #[error(
        "no data directory: give --data-dir DIR, STRONGROOM_DATA_DIR or server.data_dir in the \
         configuration file"
    )]
    NoDataDir,
}

/// The effective configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Data directory.
    pub data_dir: PathBuf,
    /// Folder of the embedded storage accounts; none = in the data directory.
    pub blobs_dir: Option<PathBuf>,
    /// Where to listen.
    pub listen: SocketAddr,
    /// What extensions use to reach this server; none = derive it from where it listens.
    pub advertise_url: Option<Url>,
    /// Days that the administrator's token is accepted; none = until it is rotated.
    pub admin_token_lifetime_days: Option<NonZeroU16>,
    /// Section `[database]`.
    pub database: DatabaseSection,
    /// The URL of the database; none = SQLite in the data directory.
    pub database_url: Option<Secret>,
    /// Section `[identity_provider]`; none = people do not sign in by themselves.
    pub identity_provider: Option<IdentityProviderSection>,
    /// Section `[tls]`.
    pub tls: TlsSection,
    /// Section `[limits]`.
    pub limits: LimitsSection,
    /// Section `[extension]`.
    pub extension: ExtensionSection,
    /// Section `[jobs]`.
    pub jobs: JobsSection,
    /// Section `[audit]`.
    pub audit: AuditSection,
    /// The receiver of the audit log that it names.
    pub audit_receiver: Option<ReceiverSettings>,
}

/// The file as written.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    server: ServerSection,
    database: DatabaseSection,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_provider: Option<IdentityProviderSection>,
    tls: TlsSection,
    limits: LimitsSection,
    extension: ExtensionSection,
    jobs: JobsSection,
    audit: AuditSection,
}

impl Config {
    /// Puts flags, environment and file together. `environment` looks up a variable.
    pub fn load(
        options: &ServerOptions,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let file = match options
            .config
            .clone()
            .or_else(|| environment("STRONGROOM_CONFIG").map(Into::into))
        {
            Some(path) => File::read(&path)?,
            None => File::default(),
        };
        let data_dir = options
            .data_dir
            .clone()
            .or_else(|| environment("STRONGROOM_DATA_DIR").map(Into::into))
            .or(file.server.data_dir)
            .ok_or(ConfigError::NoDataDir)?;
        let listen = match flag_or_variable(
            options.listen.as_ref(),
            "--listen",
            "STRONGROOM_LISTEN",
            &environment,
        ) {
            Some((name, value)) => value.parse().map_err(|_| ConfigError::Value {
                name,
                value,
                expected: "an address with a port, for example 127.0.0.1:8443",
            })?,
            None => file.server.listen.unwrap_or(DEFAULT_LISTEN),
        };
        let advertise_url = match flag_or_variable(
            options.advertise_url.as_ref(),
            "--advertise-url",
            "STRONGROOM_ADVERTISE_URL",
            &environment,
        ) {
            Some((name, value)) => Some(advertised(name, &value)?),
            None => match file.server.advertise_url {
                Some(url) => Some(advertised("server.advertise_url", url.as_str())?),
                None => None,
            },
        };
        if let Some(section) = &file.identity_provider {
            section.check()?;
        }
        Ok(Self {
            data_dir,
            blobs_dir: file.server.blobs_dir,
            listen,
            advertise_url,
            admin_token_lifetime_days: file.server.admin_token_lifetime_days,
            database_url: file.database.url(&environment)?,
            database: file.database,
            identity_provider: file.identity_provider,
            tls: file.tls,
            limits: file.limits,
            extension: file.extension,
            jobs: file.jobs.with_environment(&environment)?,
            audit_receiver: file.audit.receiver()?,
            audit: file.audit,
        })
    }

    /// How long the administrator's token is accepted.
    #[must_use]
    pub fn admin_token_lifetime(&self) -> Option<SignedDuration> {
        self.admin_token_lifetime_days
            .map(|days| SignedDuration::from_hours(24 * i64::from(days.get())))
    }

    /// The effective configuration as a file would say it.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let file = File {
            server: ServerSection {
                data_dir: Some(self.data_dir.clone()),
                blobs_dir: self.blobs_dir.clone(),
                listen: Some(self.listen),
                advertise_url: self.advertise_url.clone(),
                admin_token_lifetime_days: self.admin_token_lifetime_days,
            },
            database: self.database.clone(),
            identity_provider: self.identity_provider.clone(),
            tls: self.tls.clone(),
            limits: self.limits.clone(),
            extension: self.extension.clone(),
            jobs: self.jobs.clone(),
            audit: self.audit.clone(),
        };
        // Sections of strings and numbers always have a TOML form.
        toml::to_string(&file).unwrap_or_default()
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let mistake = |detail: String| ConfigError::File {
            path: path.to_owned(),
            detail,
        };
        let file: Self = toml::from_str(&text).map_err(|error| mistake(error.to_string()))?;
        match file.tls.mistake() {
            Some(detail) => Err(mistake(detail.to_owned())),
            None => Ok(file),
        }
    }
}

fn flag_or_variable(
    flag: Option<&String>,
    flag_name: &'static str,
    variable: &'static str,
    environment: impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    match flag {
        Some(value) => Some((flag_name, value.clone())),
        None => environment(variable).map(|value| (variable, value)),
    }
}

fn advertised(name: &'static str, value: &str) -> Result<Url, ConfigError> {
    Url::parse(value)
        .ok()
        .filter(|url| url.scheme() == "https" && url.has_host() && url.query().is_none())
        .ok_or_else(|| ConfigError::Value {
            name,
            value: value.to_owned(),
            expected: "an https:// address, for example https://backup.example.org:8443",
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(options: &ServerOptions, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::load(options, |name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    fn with_file(text: &str) -> (tempfile::TempDir, ServerOptions) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("strongroom.toml");
        std::fs::write(&path, text).unwrap();
        (
            dir,
            ServerOptions {
                config: Some(path),
                ..ServerOptions::default()
            },
        )
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let (_dir, mut options) =
            with_file("[server]\ndata_dir = \"/file\"\nlisten = \"127.0.0.1:1\"\n");
        assert_eq!(load(&options, &[]).unwrap().listen.port(), 1);
        let variables = [
            ("STRONGROOM_LISTEN", "127.0.0.1:2"),
            ("STRONGROOM_DATA_DIR", "/env"),
        ];
        assert_eq!(load(&options, &variables).unwrap().listen.port(), 2);
        assert_eq!(
            load(&options, &variables).unwrap().data_dir,
            PathBuf::from("/env")
        );
        options.listen = Some("127.0.0.1:3".to_owned());
        assert_eq!(load(&options, &variables).unwrap().listen.port(), 3);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, expected) in [
            ("[server]\nlisten_on = \"x\"\n", "listen_on"),
            ("[sever]\n", "sever"),
            ("[tls]\nkey = \"k\"\n", "tls.key is set without"),
            ("[limits]\nrequest_seconds = \"many\"\n", "request_seconds"),
            (
                "[server]\ndata_dir = \"/d\"\n[identity_provider]\nissuer = \"http://login.example.org\"\naudience = \"a\"\n",
                "identity_provider.issuer",
            ),
            ("[identity_provider]\nissuer = \"https://x\"\n", "audience"),
            (
                "[server]\nadmin_token_lifetime_days = 0\n",
                "admin_token_lifetime_days",
            ),
        ] {
            let (_dir, options) = with_file(text);
            let error = load(&options, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let options = ServerOptions {
            data_dir: Some("/d".into()),
            ..ServerOptions::default()
        };
        for (variable, value) in [
            ("STRONGROOM_LISTEN", "8443"),
            ("STRONGROOM_ADVERTISE_URL", "http://plain"),
        ] {
            let error = load(&options, &[(variable, value)])
                .unwrap_err()
                .to_string();
            assert!(error.contains(variable) && error.contains(value), "{error}");
        }
        assert!(matches!(
            load(&ServerOptions::default(), &[]),
            Err(ConfigError::NoDataDir)
        ));
    }

    #[test]
    fn the_effective_configuration_can_be_read_back() {
        let options = ServerOptions {
            data_dir: Some("/d".into()),
            advertise_url: Some("https://vault.example.org:8443".to_owned()),
            ..ServerOptions::default()
        };
        let mut config = load(&options, &[]).unwrap();
        assert_eq!(config.admin_token_lifetime(), None);
        config.admin_token_lifetime_days = NonZeroU16::new(90);
        let (_dir, options) = with_file(&config.to_toml());
        assert_eq!(load(&options, &[]).unwrap(), config);
    }
}
