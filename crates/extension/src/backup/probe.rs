//! Tries the store that a preview's secrets lead to: whether a backup could write there, read and list.
//!
//! Contract: what the store does is an answer and not the preview's failure, and there is one within
//! [`STORE_PROBE_PATIENCE`]. One object is written, whose name is the job's; the vault removes it, because a
//! job may have no right to.

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use strongroom_core::{Code, Problem};

use crate::job::{Attempt, JobFailure};
use crate::limits::STORE_PROBE_PATIENCE;
use crate::secrets;

/// What the object holds.
const CONTENT: &[u8] = b"probe";

/// What is wrong with the store; nothing when it can be used.
pub(super) async fn try_store(
    attempt: &Attempt,
    envelope: &str,
) -> Result<Option<Problem>, JobFailure> {
    let trying = async {
        let place = secrets::store_of(attempt, envelope)?;
        let object = Path::from(format!("{}/{}", place.prefix, attempt.job));
        use_store(&*place.store, &place.prefix, &object).await?;
        Ok(())
    };
    let problem = match tokio::time::timeout(STORE_PROBE_PATIENCE, trying).await {
        Ok(Ok(())) => None,
        Ok(Err(JobFailure::Final(problem) | JobFailure::Unreachable(problem))) => Some(problem),
        Ok(Err(lost)) => return Err(lost),
        Err(_) => Some(Problem::new(
            Code::UserErrorBackupStorageLocationNotReady,
            format!(
                "the store did not answer within {} s",
                STORE_PROBE_PATIENCE.as_secs()
            ),
        )),
    };
    let now = attempt.environment.clock.now();
    attempt.environment.storage.set(match &problem {
        None => format!("reached at {now}"),
        Some(problem) => format!("not usable at {now}: {problem}"),
    });
    Ok(problem)
}

async fn use_store(
    store: &dyn ObjectStore,
    prefix: &Path,
    object: &Path,
) -> Result<(), strongroom_repository::Error> {
    let told = |doing: &'static str| {
        move |error| strongroom_repository::classify(error, || doing.to_owned(), object.as_ref())
    };
    let options = PutOptions::from(PutMode::Create);
    match store.put_opts(object, CONTENT.into(), options).await {
        // An attempt before this one wrote it.
        Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
        Err(error) => return Err(told("writing a probe into the storage location")(error)),
    }
    let read = async { store.get(object).await?.bytes().await };
    read.await
        .map_err(told("reading a probe from the storage location"))?;
    store
        .list_with_delimiter(Some(prefix))
        .await
        .map_err(told("listing the storage location"))?;
    Ok(())
}
