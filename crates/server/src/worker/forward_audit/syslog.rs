//! A receiver by syslog: RFC 5424 messages, each with its length before it, over TCP (RFC 6587, 3.4.1) or TLS
//! (RFC 5425).
//!
//! A message is an entry as JSON. Syslog confirms nothing: what was on its way when a connection broke is
//! lost without a word, so that after each break the last page is sent again.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use strongroom_core::audit::{Entry, Outcome};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Unreceived;
use crate::config::audit::{Protocol, ReceiverSettings};
use crate::worker::limits::AUDIT_PATIENCE;

/// Facility "log audit"; source: RFC 5424, table 1.
const FACILITY: u8 = 13;

/// The name under which our data is in a message: an enterprise number that is reserved for documentation
/// (RFC 5612), because this project has none.
const DATA_ID: &str = "strongroom@32473";

/// A connection, encrypted or not.
type Connection = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// A receiver by syslog.
pub struct SyslogReceiver {
    host: String,
    port: u16,
    own_host: String,
    tls: Option<TlsConnector>,
    connection: Option<Connection>,
}

impl SyslogReceiver {
    pub(super) fn open(settings: &ReceiverSettings) -> Result<Self, Unreceived> {
        let tls = match settings.protocol {
            Protocol::SyslogTls => Some(connector(settings)?),
            _ => None,
        };
        let host = settings.url.host_str().unwrap_or_default().to_owned();
        Ok(Self {
            host,
            port: settings.port(),
            own_host: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
            tls,
            connection: None,
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    pub(super) async fn take(&mut self, entries: &[Entry]) -> Result<(), Unreceived> {
        let sent = tokio::time::timeout(AUDIT_PATIENCE, self.send(entries)).await;
        let sent = sent.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
        if let Err(error) = sent {
            self.connection = None;
            return Err(Unreceived(error.to_string()));
        }
        Ok(())
    }

    async fn send(&mut self, entries: &[Entry]) -> std::io::Result<()> {
        if self.connection.is_none() {
            let connection = self.connect().await?;
            self.connection = Some(connection);
        }
        let Some(connection) = &mut self.connection else {
            return Err(std::io::ErrorKind::NotConnected.into());
        };
        for entry in entries {
            connection
                .write_all(frame(&message(entry, &self.own_host)?).as_bytes())
                .await?;
        }
        connection.flush().await
    }

    async fn connect(&self) -> std::io::Result<Connection> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => {
                let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
                Ok(Box::new(tls.connect(name, stream).await?))
            }
        }
    }
}

fn connector(settings: &ReceiverSettings) -> Result<TlsConnector, Unreceived> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let pem = settings.ca_pem.as_deref().ok_or_else(|| {
        Unreceived("syslog over TLS needs audit.forward_ca_file, whose authority the receiver's certificate is of".to_owned())
    })?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| Unreceived(format!("{error:?}")))?;
        roots
            .add(certificate)
            .map_err(|error| Unreceived(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Unreceived(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A message with its length before it.
fn frame(message: &str) -> String {
    format!("{} {message}", message.len())
}

/// An entry as a message.
fn message(entry: &Entry, host: &str) -> std::io::Result<String> {
    let event = &entry.event;
    // Source: RFC 5424, table 2.
    let severity = match event.outcome {
        Outcome::Failed => 3,
        Outcome::Denied => 4,
        Outcome::Refused => 5,
        Outcome::Written | Outcome::Answered => 6,
    };
    let priority = FACILITY * 8 + severity;
    let host = if host.is_empty() { "-" } else { host };
    let (sequence, hash) = (entry.sequence, entry.hash);
    let text = serde_json::to_string(entry).map_err(std::io::Error::other)?;
    Ok(format!(
        "<{priority}>1 {:.6} {host} strongroom - {} [{DATA_ID} sequence=\"{sequence}\" hash=\"{hash}\"] {text}",
        event.time,
        event.outcome.as_str(),
    ))
}

#[cfg(test)]
mod tests {
    use strongroom_core::audit::{Event, Head};

    use super::*;

    #[test]
    fn a_message_has_the_form_of_rfc_5424_and_its_length_before_it() {
        let entry = Head::beginning().follow(Event {
            time: "2026-01-02T03:04:05Z".parse().unwrap(),
            caller: None,
            approver: None,
            action: "a/b/write".to_owned(),
            scope: "/ä".to_owned(),
            method: "PUT".to_owned(),
            outcome: Outcome::Denied,
            status: Some(401),
            code: None,
            request_id: "r".to_owned(),
            correlation_id: "c".to_owned(),
            client_address: None,
            unlisted: 0,
        });
        let told = message(&entry, "vault.example.org").unwrap();
        let (head, json) = told.split_once("] ").unwrap();
        assert_eq!(
            head,
            format!(
                "<108>1 2026-01-02T03:04:05.000000Z vault.example.org strongroom - Denied \
                 [strongroom@32473 sequence=\"1\" hash=\"{}\"",
                entry.hash
            )
        );
        let read: Entry = serde_json::from_str(json).unwrap();
        assert_eq!(read, entry);
        let framed = frame(&told);
        let (length, rest) = framed.split_once(' ').unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), rest.len(), "in bytes");
        assert!(message(&entry, "").unwrap().contains("Z - strongroom"));
    }
}
