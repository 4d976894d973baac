//! Section `[audit]`: to whom the audit log is handed on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use strongroom_api::secret::Secret;
use url::Url;

use super::ConfigError;

/// Ports when an address names none: the registered ones.
/// Source: <https://www.iana.org/assignments/service-names-port-numbers>.
const SYSLOG_TLS_PORT: u16 = 6514;
/// See [`SYSLOG_TLS_PORT`].
const SYSLOG_TCP_PORT: u16 = 601;

/// Section `[audit]` of the configuration file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// Where entries go: `https://…`, `http://…`, `syslog+tls://host[:port]` or `syslog+tcp://host[:port]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_to: Option<Url>,
    /// A file with the certificates (PEM) of who signed the receiver's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_ca_file: Option<PathBuf>,
    /// A file with the bearer token that the receiver wants, by HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_token_file: Option<PathBuf>,
}

/// How entries are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// POST of JSON lines.
    Http,
    /// RFC 5424 over TLS.
    SyslogTls,
    /// RFC 5424 over TCP.
    SyslogTcp,
}

/// The receiver, with what its files hold.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceiverSettings {
    /// How.
    pub protocol: Protocol,
    /// Where.
    pub url: Url,
    /// Certificates of who signed the receiver's; none = those that everybody trusts.
    pub ca_pem: Option<String>,
    /// The bearer token.
    pub token: Option<Secret>,
}

impl ReceiverSettings {
    /// The port of a receiver by syslog.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port().unwrap_or(match self.protocol {
            Protocol::SyslogTls => SYSLOG_TLS_PORT,
            _ => SYSLOG_TCP_PORT,
        })
    }
}

impl AuditSection {
    /// The receiver; none when there is none.
    ///
    /// # Errors
    /// When its address is of no known kind, or a file cannot be read.
    pub fn receiver(&self) -> Result<Option<ReceiverSettings>, ConfigError> {
        let Some(url) = &self.forward_to else {
            return Ok(None);
        };
        let protocol = match url.scheme() {
            "https" | "http" => Some(Protocol::Http),
            "syslog+tls" => Some(Protocol::SyslogTls),
            "syslog+tcp" => Some(Protocol::SyslogTcp),
            _ => None,
        };
        let protocol = protocol.filter(|_| url.has_host());
        let protocol = protocol.ok_or_else(|| ConfigError::Value {
            name: "audit.forward_to",
            value: url.to_string(),
            expected: "the address of a receiver: https://host/path, http://host/path, syslog+tls://host:6514 \
                       or syslog+tcp://host:601",
        })?;
        let read = |path: &Option<PathBuf>| {
            let read = path.as_ref().map(|path| {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
                    path: path.clone(),
                    source,
                })
            });
            read.transpose()
        };
        let token = read(&self.forward_token_file)?;
        Ok(Some(ReceiverSettings {
            protocol,
            url: url.clone(),
            ca_pem: read(&self.forward_ca_file)?,
            token: token.map(|token| Secret::new(token.trim())),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(url: &str) -> AuditSection {
        AuditSection {
            forward_to: Some(url.parse().unwrap()),
            ..AuditSection::default()
        }
    }

    #[test]
    fn a_receiver_is_known_by_its_address() {
        assert_eq!(AuditSection::default().receiver().unwrap(), None);
        for (url, protocol, port) in [
            ("syslog+tls://siem.example.org", Protocol::SyslogTls, 6514),
            ("syslog+tcp://siem.example.org", Protocol::SyslogTcp, 601),
            ("syslog+tcp://[::1]:514", Protocol::SyslogTcp, 514),
        ] {
            let read = section(url).receiver().unwrap().unwrap();
            assert_eq!((read.protocol, read.port()), (protocol, port), "{url}");
        }
        let read = section("https://siem.example.org/in").receiver().unwrap();
        assert_eq!(read.unwrap().protocol, Protocol::Http);
        for wrong in ["ftp://siem.example.org", "syslog+tls:siem"] {
            assert!(section(wrong).receiver().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_comes_from_its_file_and_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, "hunter2\n").unwrap();
        let section = AuditSection {
            forward_token_file: Some(file.clone()),
            ..section("https://siem.example.org/in")
        };
        let read = section.receiver().unwrap().unwrap();
        assert_eq!(read.token.as_ref().unwrap().expose(), "hunter2");
        assert!(!format!("{read:?}").contains("hunter2"));
        std::fs::remove_file(&file).unwrap();
        assert!(section.receiver().is_err());
    }
}
