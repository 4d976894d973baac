//! From the sealed secrets in a custom resource to the open repository.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use object_store::ObjectStore;
use object_store::path::Path;
use strongroom_core::Code;
use strongroom_kubernetes::sealed::{self, JobSecrets};
use strongroom_repository::{Repository, RepositoryKey, StoreConfig};
use zeroize::Zeroizing;

use crate::job::{Attempt, JobFailure};

/// A store and the place in it that secrets lead to.
pub(crate) struct StorePlace {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) prefix: Path,
}

/// The store that the secrets of an attempt's custom resource lead to; nothing is asked of it.
pub(crate) fn store_of(attempt: &Attempt, envelope: &str) -> Result<StorePlace, JobFailure> {
    let (config, prefix, _) = opened(attempt, envelope)?;
    let store = attempt.environment.stores.connect(&config)?;
    Ok(StorePlace { store, prefix })
}

fn unreadable(why: impl Into<String>) -> JobFailure {
    JobFailure::new(Code::JobSecretsUnreadable, why.into())
}

/// What the secrets say: the store, the place in it, and all of them.
fn opened(
    attempt: &Attempt,
    envelope: &str,
) -> Result<(StoreConfig, Path, JobSecrets), JobFailure> {
    let environment = &attempt.environment;
    let info = sealed::info(&environment.namespace, &attempt.name);
    let secrets = environment
        .keys
        .open_secrets(&info, envelope)
        .map_err(|error| unreadable(error.to_string()))?;
    // The parser's message could quote a secret, so it is not repeated.
    let config: StoreConfig = serde_json::from_value(secrets.store.clone())
        .map_err(|_| unreadable("the storage configuration in them is not understood"))?;
    let prefix = place(&config.prefix, &secrets.prefix)
        .map_err(|error| unreadable(format!("the repository's place in them: {error}")))?;
    Ok((config, prefix, secrets))
}

/// Opens the secrets of an attempt's custom resource and the repository that they lead to.
pub(crate) async fn open_repository(
    attempt: &Attempt,
    envelope: &str,
) -> Result<Repository, JobFailure> {
    let environment = &attempt.environment;
    let (config, prefix, secrets) = opened(attempt, envelope)?;
    let key = repository_key(&secrets.repository_key)
        .ok_or_else(|| unreadable("the repository key in them is not 32 bytes of base64"))?;
    let opened = async {
        let store = environment.stores.connect(&config)?;
        Repository::open_or_create(store, prefix, &key, &*environment.entropy).await
    };
    let opened = opened.await.map_err(JobFailure::from);
    let now = environment.clock.now();
    environment.storage.set(match &opened {
        Ok(_) => format!("reached at {now}"),
        Err(error) => format!("not usable at {now}: {error}"),
    });
    opened
}

fn repository_key(text: &str) -> Option<RepositoryKey> {
    let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
    let bytes: [u8; 32] = bytes.as_slice().try_into().ok()?;
    Some(RepositoryKey::new(bytes))
}

/// The repository's place: its own prefix below that of the store's configuration. A vault may name
/// the whole place in both; then it counts once.
fn place(store: &str, repository: &str) -> Result<Path, object_store::path::Error> {
    let (store, repository) = (store.trim_matches('/'), repository.trim_matches('/'));
    if store.is_empty() {
        return Path::parse(repository);
    }
    let inside = store
        .strip_suffix(repository)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    if repository.is_empty() || inside {
        return Path::parse(store);
    }
    Path::parse(format!("{store}/{repository}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_lies_below_its_store_and_a_place_named_twice_counts_once() {
        let place = |store, repository| place(store, repository).unwrap().to_string();
        assert_eq!(place("", "instances/a"), "instances/a");
        assert_eq!(place("tenant", "instances/a"), "tenant/instances/a");
        assert_eq!(
            place("tenant/instances/a", "instances/a"),
            "tenant/instances/a"
        );
        assert_eq!(place("instances/a", ""), "instances/a");
        assert_eq!(
            place("xinstances/a", "instances/a"),
            "xinstances/a/instances/a"
        );
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert!(repository_key(&BASE64.encode([1; 32])).is_some());
        assert!(repository_key(&BASE64.encode([1; 31])).is_none());
        assert!(repository_key("not base64!").is_none());
    }
}
