//! The master key of a data directory, and whether it is the catalogue's.
//!
//! Contract: a key is made at the very first start only. From then on the catalogue holds a check of it, and a
//! server with another key does not start: it could read no secret, and would seal new ones that the others
//! cannot open.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::RunError;
use crate::app::admin_token::ADMIN_TOKEN_DIGEST;
use crate::data_dir::{DataDir, read_private, write_private};
use crate::environment::Entropy;
use crate::secrets::{MASTER_KEY_BYTES, MasterKey};
use crate::store::Store;

/// The setting that holds the check.
const CHECK: &str = "master-key-check";

/// Reads the master key, or makes it at the first start.
pub(super) async fn open(
    dir: &DataDir,
    store: &Store,
    entropy: &dyn Entropy,
) -> Result<MasterKey, RunError> {
    let key = match read_private(&dir.master_key())? {
        Some(bytes) => MasterKey::from_bytes(&bytes)?,
        None => make(dir, store, entropy).await?,
    };
    let check = URL_SAFE_NO_PAD.encode(key.derive(CHECK).as_slice());
    let mut session = store.begin().await?;
    match session.setting(CHECK).await? {
        Some(known) if known == check => {}
        Some(_) => {
            return Err(RunError::MasterKeyOther {
                path: dir.master_key().display().to_string(),
            });
        }
        None => {
            session.put_setting(CHECK, &check).await?;
            session.commit().await?;
        }
    }
    Ok(key)
}

async fn make(dir: &DataDir, store: &Store, entropy: &dyn Entropy) -> Result<MasterKey, RunError> {
    // With one of them there, secrets may be there too, and a new key would make them unreadable without a
    // word.
    let mut session = store.read().await?;
    if session.setting(CHECK).await?.is_some()
        || session.setting(ADMIN_TOKEN_DIGEST).await?.is_some()
    {
        return Err(RunError::MasterKeyLost {
            path: dir.master_key().display().to_string(),
        });
    }
    drop(session);
    let mut bytes = Zeroizing::new([0; MASTER_KEY_BYTES]);
    entropy.fill(bytes.as_mut_slice());
    write_private(&dir.master_key(), bytes.as_slice())?;
    Ok(MasterKey::from_bytes(bytes.as_slice())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CountingEntropy, Harness};

    #[tokio::test]
    async fn a_catalogue_takes_its_own_key_only() {
        let harness = Harness::new().await;
        let store = &harness.app.store;
        // As before the first start was through.
        let mut session = store.begin().await.unwrap();
        session.put_setting(CHECK, "of another key").await.unwrap();
        session.commit().await.unwrap();
        let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [own, other] = dirs
            .each_ref()
            .map(|dir| DataDir::open(dir.path()).unwrap());
        let entropy = CountingEntropy::default();
        let lost = open(&own, store, &entropy).await.unwrap_err();
        assert!(matches!(lost, RunError::MasterKeyLost { .. }), "{lost:?}");
        assert!(!own.master_key().exists());

        write_private(&own.master_key(), &[1; MASTER_KEY_BYTES]).unwrap();
        let refused = open(&own, store, &entropy).await.unwrap_err();
        assert!(
            matches!(refused, RunError::MasterKeyOther { .. }),
            "{refused:?}"
        );
        let key = MasterKey::from_bytes(&[1; MASTER_KEY_BYTES]).unwrap();
        let check = URL_SAFE_NO_PAD.encode(key.derive(CHECK).as_slice());
        let mut session = store.begin().await.unwrap();
        session.put_setting(CHECK, &check).await.unwrap();
        session.commit().await.unwrap();
        open(&own, store, &entropy).await.unwrap();

        write_private(&other.master_key(), &[2; MASTER_KEY_BYTES]).unwrap();
        let refused = open(&other, store, &entropy).await.unwrap_err();
        assert!(
            matches!(refused, RunError::MasterKeyOther { .. }),
            "{refused:?}"
        );
    }
}
