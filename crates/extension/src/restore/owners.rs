//! The owners of restored objects, looked up under their names in the cluster as it is now.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use strongroom_core::object::Owner;
use strongroom_core::restore::owners::{self, Relinked};
use strongroom_kubernetes::apply;

use super::target::Target;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::OWNERS_REMEMBERED;

/// `apiVersion`, kind, namespace, name.
type Identity = (String, String, Option<String>, String);

/// Uids of owners that were found, a bounded number of them.
#[derive(Debug, Default)]
pub(super) struct Owners {
    known: Mutex<BTreeMap<Identity, String>>,
}

impl Owners {
    /// Links owner references to the owners as they are in the cluster now. An owner lives in the
    /// namespace of what it owns, or in none.
    pub(super) async fn relink(
        &self,
        target: &Target,
        owners: &[Owner],
        namespace: Option<&str>,
    ) -> Result<Relinked, JobFailure> {
        let mut uids = BTreeMap::new();
        for owner in owners {
            if let Some(uid) = self.uid(target, owner, namespace).await? {
                uids.insert(owner.uid.clone(), uid);
            }
        }
        Ok(owners::relink(owners, &uids))
    }

    async fn uid(
        &self,
        target: &Target,
        owner: &Owner,
        namespace: Option<&str>,
    ) -> Result<Option<String>, JobFailure> {
        let Some(kind) = target.resolve(&owner.api_version, &owner.kind) else {
            return Ok(None);
        };
        let namespace = namespace.filter(|_| kind.namespaced);
        let identity = (
            owner.api_version.clone(),
            owner.kind.clone(),
            namespace.map(str::to_owned),
            owner.name.clone(),
        );
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(uid) = known.get(&identity) {
                return Ok(Some(uid.clone()));
            }
        }
        let live = match apply::get(&target.cluster, kind, namespace, &owner.name).await {
            Ok(live) => live,
            Err(error) if is_unreachable(&error) => return Err(error.into()),
            // An owner that cannot be read is as good as none; the object's line says so.
            Err(_) => None,
        };
        let Some(uid) = live.and_then(|live| uid_of(&live)) else {
            return Ok(None);
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= OWNERS_REMEMBERED {
            known.clear();
        }
        known.insert(identity, uid.clone());
        Ok(Some(uid))
    }
}

/// The uid of an object that stays: one that is being deleted would take what it owns along.
fn uid_of(object: &Value) -> Option<String> {
    let metadata = &object["metadata"];
    metadata["uid"]
        .as_str()
        .filter(|_| !metadata["deletionTimestamp"].is_string())
        .map(str::to_owned)
}
