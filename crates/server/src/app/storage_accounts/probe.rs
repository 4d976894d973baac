//! Whether a bucket or container does what a repository needs: it takes an object, keeps it, refuses to replace
//! it, and gives it back.

use std::time::Duration;

use object_store::path::Path;
use object_store::{Error as ObjectError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use strongroom_core::error::{Code, Problem};
use strongroom_repository::StoreConfig;

use super::invalid;
use crate::app::Result;
use crate::app::error::chain;
use crate::app::repositories::problem_of;

/// Longest probe of a bucket: the user waits for it.
const PROBE_LIMIT: Duration = Duration::from_secs(15);

/// Writes an object that did not exist, reads it, refuses to write it again, and removes it.
pub(super) async fn probe(config: &StoreConfig) -> Result<()> {
    let store = config.connect().map_err(|error| problem_of(&error))?;
    match tokio::time::timeout(PROBE_LIMIT, probe_store(&*store)).await {
        Ok(found) => Ok(found?),
        Err(_) => Err(Problem::new(
            Code::UserErrorBackupStorageLocationNotReady,
            format!(
                "The container did not answer within {} seconds.",
                PROBE_LIMIT.as_secs()
            ),
        )
        .into()),
    }
}

async fn probe_store(store: &dyn ObjectStore) -> std::result::Result<(), Problem> {
    let at = Path::from("strongroom-probe");
    let create = PutOptions {
        mode: PutMode::Create,
        ..PutOptions::default()
    };
    match store.put_opts(&at, "probe".into(), create.clone()).await {
        // Left by a probe that was cut off.
        Ok(_) | Err(ObjectError::AlreadyExists { .. }) => {}
        Err(error) => return Err(store_problem("write to", &error)),
    }
    store
        .get(&at)
        .await
        .map_err(|error| store_problem("read from", &error))?;
    match store.put_opts(&at, "probe".into(), create).await {
        Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {}
        Err(error) => return Err(store_problem("write to", &error)),
        Ok(_) => {
            return Err(invalid(
                "properties.backend",
                "the store overwrites an object although the request forbids it, so two writers \
                 could destroy each other's recovery points",
            ));
        }
    }
    store
        .delete(&at)
        .await
        .map_err(|error| store_problem("delete from", &error))
}

/// Sorts what a store said by what the reader must do.
fn store_problem(doing: &str, error: &ObjectError) -> Problem {
    let text = chain(error);
    let lower = text.to_lowercase();
    let code = if lower.contains("read-only") || lower.contains("readonly") {
        Code::UserErrorBackupFailedBackupStorageLocationReadOnly
    } else if matches!(
        error,
        ObjectError::PermissionDenied { .. } | ObjectError::Unauthenticated { .. }
    ) {
        Code::UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation
    } else if lower.contains("quota")
        || lower.contains("insufficientstorage")
        || lower.contains("storagefull")
    {
        Code::BackupStorageLocationFull
    } else {
        Code::UserErrorBackupStorageLocationNotReady
    };
    Problem::new(
        code,
        format!("The server could not {doing} the container: {text}."),
    )
}
