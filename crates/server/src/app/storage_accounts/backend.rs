//! What is behind a storage account: is its description valid, which secrets belong to it, and how a
//! container of it is reached. No I/O.

use strongroom_api::secret::Secret;
use strongroom_api::storage::{AzureBlobBackend, Backend, GcsBackend, S3Backend};
use strongroom_core::error::{Code, Problem};
use strongroom_repository::{AzureBlobConfig, Backend as StoreBackend, GcsConfig, S3Config};
use url::Url;

use super::{Reader, invalid};

/// Region that requests are signed for when the account names none; what S3 itself assumes.
const DEFAULT_REGION: &str = "us-east-1";

/// Where Cloud Storage is when the account names no endpoint.
const GCS_ADDRESS: &str = "https://storage.googleapis.com";

/// Refuses to make an account one of another kind.
pub(super) fn refuse_other_kind(old: &Backend, new: &Backend) -> Result<(), Problem> {
    if std::mem::discriminant(old) == std::mem::discriminant(new) {
        return Ok(());
    }
    Err(Problem::new(
        Code::PropertyChangeNotAllowed,
        "The kind of an account's backend is fixed: recovery points would be left behind. Make \
         another account.",
    )
    .at("properties.backend.kind"))
}

/// Checks everything but the credentials.
///
/// Plain http is allowed where no secret is sent: object stores inside a cluster are often without
/// TLS, requests are signed, and everything that is written was encrypted and authenticated before.
pub(super) fn check(backend: &Backend) -> Result<(), Problem> {
    match backend {
        Backend::Embedded => Ok(()),
        Backend::S3(s3) => {
            check_addresses(Some(&s3.endpoint), s3.extension_endpoint.as_ref())?;
            if s3.access_key_id.is_empty() {
                return Err(invalid("properties.backend.accessKeyId", "it is empty"));
            }
            Ok(())
        }
        Backend::AzureBlob(azure) => {
            check_addresses(azure.endpoint.as_ref(), azure.extension_endpoint.as_ref())?;
            // It becomes part of an address. 3 to 24 lower-case letters and digits:
            // https://learn.microsoft.com/azure/storage/common/storage-account-overview
            let fits = |name: &String| {
                (3..=24).contains(&name.len())
                    && name
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            };
            match &azure.account {
                Some(name) if !fits(name) => Err(invalid(
                    "properties.backend.account",
                    "an account of Azure has 3 to 24 lower-case letters and digits",
                )),
                _ => Ok(()),
            }
        }
        Backend::Gcs(gcs) => {
            check_addresses(gcs.endpoint.as_ref(), gcs.extension_endpoint.as_ref())
        }
    }
}

fn check_addresses(server: Option<&String>, extension: Option<&String>) -> Result<(), Problem> {
    for (target, endpoint) in [
        ("properties.backend.endpoint", server),
        ("properties.backend.extensionEndpoint", extension),
    ] {
        let Some(endpoint) = endpoint else { continue };
        let url = Url::parse(endpoint).ok();
        let url = url.filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
        let Some(url) = url else {
            let why = format!("'{endpoint}' is not an http or https address");
            return Err(invalid(target, why));
        };
        // An address is shown to whoever reads the account.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(target, "it must not hold a credential"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid(target, "it must end with its path"));
        }
    }
    Ok(())
}

/// Purposes under which the key and the token of an account are sealed.
pub(super) fn purposes(backend: &Backend) -> (&'static str, &'static str) {
    match backend {
        Backend::Embedded | Backend::S3(_) => ("s3-secret-access-key", "s3-session-token"),
        Backend::AzureBlob(_) => ("azure-account-key", "azure-shared-access-signature"),
        Backend::Gcs(_) => ("gcs-service-account-key", "gcs-token"),
    }
}

/// The property to name when the credential is missing or wrong.
pub(super) fn credential_property(backend: &Backend) -> &'static str {
    match backend {
        Backend::Embedded | Backend::S3(_) => "properties.backend.secretAccessKey",
        Backend::AzureBlob(_) => "properties.backend.accountKey",
        Backend::Gcs(_) => "properties.backend.serviceAccountKey",
    }
}

/// What is to be sealed of the secrets that were given, by purpose; an empty one takes the old one
/// away. Nothing given leaves what is there.
pub(super) fn credentials(
    backend: &Backend,
    (key, token): (Option<Secret>, Option<Secret>),
) -> Result<Vec<(&'static str, Secret)>, Problem> {
    let exclusive = matches!(backend, Backend::AzureBlob(_));
    if exclusive && key.is_some() && token.is_some() {
        return Err(invalid(
            "properties.backend.sharedAccessSignature",
            "give the account's key or a shared access signature, not both",
        ));
    }
    if let (Backend::Gcs(_), Some(key)) = (backend, &key) {
        check_service_account(key)?;
    }
    let (key_purpose, token_purpose) = purposes(backend);
    let gone = || Secret::new("");
    Ok(match (key, token) {
        (None, None) => Vec::new(),
        // A token belongs to one key: with a new key that has none, the old one's must not stay.
        (Some(key), token) => vec![
            (key_purpose, key),
            (token_purpose, token.unwrap_or_else(gone)),
        ],
        (None, Some(token)) if exclusive => vec![(key_purpose, gone()), (token_purpose, token)],
        (None, Some(token)) => vec![(token_purpose, token)],
    })
}

/// The parser's words could quote the key, so they are not repeated.
fn check_service_account(key: &Secret) -> Result<(), Problem> {
    let parsed: Option<serde_json::Value> = serde_json::from_str(key.expose()).ok();
    let kind = parsed.as_ref().and_then(|key| key.get("type")?.as_str());
    if kind == Some("service_account") {
        return Ok(());
    }
    Err(invalid(
        "properties.backend.serviceAccountKey",
        "it is not the JSON document of a service account's key",
    ))
}

/// Where the account is, as it is shown; none for an embedded one.
pub(super) fn address(backend: &Backend, account: &str) -> Option<String> {
    match backend {
        Backend::Embedded => None,
        Backend::S3(s3) => Some(s3.endpoint.clone()),
        Backend::AzureBlob(azure) => Some(azure.endpoint.clone().unwrap_or_else(|| {
            let account = azure.account.as_deref().unwrap_or(account);
            format!("https://{account}.blob.core.windows.net")
        })),
        Backend::Gcs(gcs) => Some(
            gcs.endpoint
                .clone()
                .unwrap_or_else(|| GCS_ADDRESS.to_owned()),
        ),
    }
}

/// How a container of the account `account` is reached; none for an embedded one.
pub(super) fn reached(
    backend: Backend,
    account: &str,
    container: &str,
    reader: Reader,
    (key, token): (Option<String>, Option<String>),
) -> Option<StoreBackend> {
    let container = container.to_owned();
    let as_seen_by = |server: Option<String>, extension: Option<String>| match reader {
        Reader::Extension => extension.or(server),
        Reader::Server => server,
    };
    match backend {
        Backend::Embedded => None,
        Backend::S3(S3Backend {
            endpoint,
            extension_endpoint,
            region,
            path_style,
            access_key_id,
            ca_certificate,
            ..
        }) => Some(StoreBackend::S3(S3Config {
            endpoint: as_seen_by(Some(endpoint), extension_endpoint).unwrap_or_default(),
            region: region.unwrap_or_else(|| DEFAULT_REGION.to_owned()),
            bucket: container,
            access_key_id,
            secret_access_key: key.unwrap_or_default().into(),
            session_token: token.map(Into::into),
            ca_certificate,
            path_style: path_style.unwrap_or(true),
            unsigned_payload: false,
        })),
        Backend::AzureBlob(AzureBlobBackend {
            account: named,
            endpoint,
            extension_endpoint,
            ca_certificate,
            ..
        }) => Some(StoreBackend::AzureBlob(AzureBlobConfig {
            account: named.unwrap_or_else(|| account.to_owned()),
            container,
            account_key: key.map(Into::into),
            shared_access_signature: token.map(Into::into),
            endpoint: as_seen_by(endpoint, extension_endpoint),
            ca_certificate,
        })),
        Backend::Gcs(GcsBackend {
            endpoint,
            extension_endpoint,
            ca_certificate,
            ..
        }) => Some(StoreBackend::Gcs(GcsConfig {
            bucket: container,
            service_account_key: key.unwrap_or_default().into(),
            endpoint: as_seen_by(endpoint, extension_endpoint),
            ca_certificate,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn azure(endpoint: Option<&str>) -> Backend {
        Backend::AzureBlob(AzureBlobBackend {
            endpoint: endpoint.map(str::to_owned),
            ..AzureBlobBackend::default()
        })
    }

    #[test]
    fn a_key_and_a_signature_take_each_others_place() {
        let secret = |text: &str| Some(Secret::new(text));
        let both = credentials(&azure(None), (secret("k"), secret("s")));
        assert!(both.is_err(), "both at once");
        for given in [(secret("k"), None), (None, secret("s"))] {
            let written = credentials(&azure(None), given).unwrap();
            let filled: Vec<bool> = written
                .iter()
                .map(|(_, secret)| !secret.expose().is_empty())
                .collect();
            assert_eq!(filled.iter().filter(|filled| **filled).count(), 1);
            assert_eq!(filled.len(), 2, "the other one is taken away");
        }
        assert!(credentials(&azure(None), (None, None)).unwrap().is_empty());
    }

    #[test]
    fn an_account_of_azure_is_where_azure_has_it_unless_it_says_otherwise() {
        assert_eq!(
            address(&azure(None), "points").as_deref(),
            Some("https://points.blob.core.windows.net")
        );
        let china = "https://points.blob.core.chinacloudapi.cn";
        assert_eq!(
            address(&azure(Some(china)), "points").as_deref(),
            Some(china)
        );
        let reached = reached(
            azure(None),
            "points",
            "box",
            Reader::Extension,
            (Some("a2V5".to_owned()), None),
        );
        let Some(StoreBackend::AzureBlob(config)) = reached else {
            panic!("another backend")
        };
        assert_eq!(
            (config.account.as_str(), config.container.as_str()),
            ("points", "box")
        );
    }

    #[test]
    fn descriptions_that_cannot_be_meant_are_refused() {
        let named = |name: &str| {
            Backend::AzureBlob(AzureBlobBackend {
                account: Some(name.to_owned()),
                ..AzureBlobBackend::default()
            })
        };
        assert!(check(&named("devstoreaccount1")).is_ok());
        for name in ["a", "evil.example.org/x", "UPPER", &"x".repeat(25)] {
            assert!(check(&named(name)).is_err(), "{name}");
        }
        for endpoint in ["ftp://x", "https://u:p@x", "https://x?sig=1", "nonsense"] {
            assert!(check(&azure(Some(endpoint))).is_err(), "{endpoint}");
        }
        let gcs = Backend::Gcs(GcsBackend::default());
        for key in ["{", r#"{"type":"authorized_user"}"#] {
            let given = (Some(Secret::new(key)), None);
            assert!(credentials(&gcs, given).is_err(), "{key}");
        }
    }
}
