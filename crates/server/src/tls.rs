//! TLS from the first start: the server's own certificate authority and a leaf for the names it is
//! reached by.
//!
//! Contract: `tls/ca.crt` and `tls/ca.key` are made once and kept; clients and extensions pin that
//! authority. The leaf lives in memory only: it is issued at every start, for the names that are
//! right then, and again long before it ends, so that no name list and no expiry can go stale on
//! disk. P-256 keys, because making one takes under a millisecond and every client knows them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::tls::TlsSection;
use crate::data_dir::{DataDir, DataDirError, read_private, write_private, write_public};

/// Days an issued leaf is valid: short, since it is renewed without anyone's help.
const LEAF_DAYS: i64 = 90;

/// How often a running server issues a new leaf: three chances before the old one ends.
pub const LEAF_RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);

/// Years the authority is valid: clients pin it, so replacing it means telling each of them.
const CA_YEARS: i64 = 20;

/// What can go wrong with certificates.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the data directory.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Making a certificate or a key.
    #[error("could not {doing}")]
    Certificate {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: rcgen::Error,
    },
    /// A given certificate or key file cannot be used.
    #[error("the certificate or key in {path} cannot be used: {detail}")]
    Given {
        /// The file.
        path: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The TLS library refuses the pair.
    #[error("the certificate and its key cannot be served")]
    Rustls(#[source] rustls::Error),
}

fn certificate(doing: &'static str) -> impl FnOnce(rcgen::Error) -> TlsError {
    move |source| TlsError::Certificate { doing, source }
}

/// The server's own authority.
pub struct Authority {
    certificate_pem: String,
    key_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority(…)")
    }
}

impl Authority {
    /// Reads the authority of a data directory, or makes it at the first start.
    pub fn open(dir: &DataDir, now: Timestamp) -> Result<Self, TlsError> {
        let certificate_pem = match std::fs::read_to_string(dir.ca_certificate()) {
            Ok(pem) => Some(pem),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => {
                let path = dir.ca_certificate();
                return Err(DataDirError::Io {
                    doing: "read",
                    path,
                    source,
                }
                .into());
            }
        };
        let key_pem =
            read_private(&dir.ca_key())?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        match (certificate_pem, key_pem) {
            (Some(certificate_pem), Some(key_pem)) => Ok(Self {
                certificate_pem,
                key_pem,
            }),
            // A key without a certificate is a first start that was cut off between the two
            // writes: nobody can have pinned it yet.
            (None, _) => {
                let made = Self::generate(now)?;
                write_private(&dir.ca_key(), made.key_pem.as_bytes())?;
                write_public(&dir.ca_certificate(), made.certificate_pem.as_bytes())?;
                Ok(made)
            }
            (Some(_), None) => Err(TlsError::Given {
                path: dir.ca_key().display().to_string(),
                detail: "it is missing while ca.crt is there; restore it from a backup, or remove \
                         ca.crt to make a new authority that every client must trust anew"
                    .to_owned(),
            }),
        }
    }

    fn generate(now: Timestamp) -> Result<Self, TlsError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(certificate("make the authority's key"))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("Strongroom CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_validity(&mut params, now, CA_YEARS * 365);
        let made = params
            .self_signed(&key)
            .map_err(certificate("sign the authority"))?;
        Ok(Self {
            certificate_pem: made.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// The certificate that clients trust, PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A serving configuration with a new leaf for `names`.
    pub fn issue(
        &self,
        names: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let ca_key =
            KeyPair::from_pem(&self.key_pem).map_err(certificate("read the authority's key"))?;
        let issuer = Issuer::from_ca_cert_pem(&self.certificate_pem, ca_key)
            .map_err(certificate("read the authority's certificate"))?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(certificate("make the server's key"))?;
        let names: Vec<String> = names.iter().cloned().collect();
        let mut params = CertificateParams::new(names)
            .map_err(certificate("use the server's names in a certificate"))?;
        params.distinguished_name = common_name("Strongroom server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, LEAF_DAYS);
        let leaf = params
            .signed_by(&key, &issuer)
            .map_err(certificate("sign the server's certificate"))?;
        let key =
            PrivateKeyDer::try_from(key.serialize_der()).map_err(|detail| TlsError::Given {
                path: "memory".to_owned(),
                detail: detail.to_owned(),
            })?;
        serving(vec![leaf.der().clone()], key)
    }
}

/// A serving configuration from the files that the administrator gave.
pub fn given(section: &TlsSection) -> Result<Option<Arc<ServerConfig>>, TlsError> {
    let (Some(certificate), Some(key)) = (&section.certificate, &section.key) else {
        return Ok(None);
    };
    let refused = |path: &std::path::Path, detail: String| TlsError::Given {
        path: path.display().to_string(),
        detail,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(refused(certificate, "it holds no certificate".to_owned()));
    }
    let key_der =
        PrivateKeyDer::from_pem_file(key).map_err(|error| refused(key, error.to_string()))?;
    serving(chain, key_der).map(Some)
}

fn serving(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Rustls)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Rustls)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The names a server is reached by: always this machine's, plus where it listens, what it
/// advertises and what the configuration adds.
#[must_use]
pub fn names(
    host_name: &str,
    listen: IpAddr,
    advertise_host: Option<&str>,
    more: &[String],
) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    if !host_name.is_empty() && host_name.is_ascii() {
        names.insert(host_name.to_ascii_lowercase());
    }
    if !listen.is_unspecified() {
        names.insert(listen.to_string());
    }
    names.extend(advertise_host.map(str::to_owned));
    names.extend(more.iter().cloned());
    names
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From yesterday, for clients whose clock is behind, to `days` from now; whole days in UTC.
fn set_validity(params: &mut CertificateParams, now: Timestamp, days: i64) {
    let today = now.to_zoned(TimeZone::UTC).date();
    let day = |date: jiff::civil::Date| {
        date_time_ymd(
            i32::from(date.year()),
            u8::try_from(date.month()).unwrap_or(1),
            u8::try_from(date.day()).unwrap_or(1),
        )
    };
    params.not_before = day(today.saturating_sub(1.day()));
    params.not_after = day(today.saturating_add(days.days()));
}

#[cfg(test)]
mod tests;
