//! The extension's own key: the private half in a Secret of its namespace, made at the first start.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use strongroom_core::ResourceType;
use strongroom_kubernetes::apply::{self, Created};
use strongroom_kubernetes::sealed::{KEY_BYTES, KeyPair, SealedError};
use strongroom_kubernetes::{Cluster, ClusterError, MANAGED_BY, MANAGED_BY_LABEL};
use strongroom_repository::{self as repository, Entropy};
use zeroize::Zeroizing;

/// The Secret's name.
pub const SECRET_NAME: &str = "backup-extension-key";

/// The key of the Secret's data under which the private key is.
const FIELD: &str = "x25519";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The Secret could not be read or made.
    #[error("the extension's key: {0}")]
    Cluster(#[from] ClusterError),
    /// The Secret is there, but what is in it is not a key. It is not replaced: jobs may have been
    /// sealed to the one that was there.
    #[error(
        "Secret {SECRET_NAME} holds no X25519 private key under {FIELD} ({0}); delete the Secret \
         to have a new one made, jobs sealed to the old one will fail"
    )]
    Unusable(SealedError),
    /// The system gave no random bytes.
    #[error("the extension's key: {0}")]
    Random(repository::Error),
}

/// The extension's key pair, made when there is none. Of two processes that start at once, both get
/// the key of the one that was first.
///
/// # Errors
/// See [`KeyError`].
pub async fn load_or_create(
    cluster: &Cluster,
    namespace: &str,
    entropy: &dyn Entropy,
) -> Result<KeyPair, KeyError> {
    let kind = ResourceType::new("", "v1", "Secret", "secrets", true);
    if let Some(secret) = apply::get(cluster, &kind, Some(namespace), SECRET_NAME).await? {
        return read(&secret);
    }
    let mut private = Zeroizing::new([0_u8; KEY_BYTES]);
    entropy.fill(private.as_mut()).map_err(KeyError::Random)?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": SECRET_NAME,
            "namespace": namespace,
            "labels": { MANAGED_BY_LABEL: MANAGED_BY },
        },
        "type": "Opaque",
        "data": { FIELD: BASE64.encode(private.as_slice()) },
    });
    match apply::create(cluster, &kind, &secret).await? {
        Created::New(written) => read(&written.object),
        Created::AlreadyExists => {
            let secret = apply::get(cluster, &kind, Some(namespace), SECRET_NAME).await?;
            read(&secret.unwrap_or_default())
        }
    }
}

fn read(secret: &Value) -> Result<KeyPair, KeyError> {
    let text = secret["data"][FIELD].as_str().unwrap_or_default();
    let bytes = Zeroizing::new(BASE64.decode(text).unwrap_or_default());
    KeyPair::from_bytes(&bytes).map_err(KeyError::Unusable)
}
