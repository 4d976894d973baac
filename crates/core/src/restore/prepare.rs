//! What of a stored object a cluster would refuse or assign anew, and whether the object is restored at
//! all.
//!
//! Contract: ask [`restorable`] first, with the object as it was stored; then [`prepare`] makes it fit
//! for a create and says everything that it took off. What cannot be part of the create comes back in
//! [`Prepared`]: the applier does it afterwards, in the order `status`, `release`, owner links. The
//! table of fields, each row with its reason and source, is in `prepare/fields.rs`.

use serde_json::{Value, json};

use crate::object::{Owner, ResourceType};
use crate::pointer;

use super::owners;

mod claims;
mod fields;
mod finished;
mod held;
mod managers;
mod pods;
mod restorable;
#[cfg(test)]
mod tests;

pub(crate) use fields::strip_assigned;
pub use fields::{FIELDS, FieldRule};
pub use managers::Managers;
pub use restorable::restorable;

/// A field that was taken off, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// JSON pointer to where it was.
    pub pointer: String,
    /// The reason.
    pub why: &'static str,
}

/// Fields that are kept because the object had them, but that the cluster may have given to another
/// object meanwhile or may not accept in its ranges. The first create carries them; when the API server
/// refuses them, they are dropped and the cluster chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallback {
    /// How the API server names the field in `status.details.causes[].field`, as a prefix: `spec.clusterIP`.
    pub field: &'static str,
    /// JSON pointers to remove.
    pub pointers: Vec<String>,
    /// Why the field may be refused.
    pub why: &'static str,
}

/// What [`prepare`] took off an object and what is to be done besides creating it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prepared {
    /// Every field that was removed, with the reason; status, owners and managedFields included.
    pub removed: Vec<Removed>,
    /// Status to write through the status subresource after the create. Of a custom resource it is also
    /// still in the object: the API server keeps it there when the definition has no status
    /// subresource and ignores it when it has one, so write it only when the created object lacks it.
    pub status: Option<Value>,
    /// A merge patch to apply after the status has been written, and only then. Without it a finished
    /// Job stays suspended and a finished Pod stays gated, which is safe: neither runs again.
    pub release: Option<Value>,
    /// Whether `status` and `release` are those of a Job that had not ended: it goes on from the former.
    pub resumes: bool,
    /// A merge patch for when all that the object constrains is there again: what of it would refuse
    /// objects that were legal when they were made. Only for an object that this restore created (or
    /// patches), and together with the constraints of [`super::order`].
    pub later: Option<Value>,
    /// The owner references, to be linked to the owners' new uids ([`owners::relink`]).
    pub owners: Vec<Owner>,
    /// What may be dropped when the API server refuses it.
    pub retry_without: Vec<Fallback>,
    /// The managedFields that the object had.
    pub managed_fields: Option<Value>,
}

impl Prepared {
    /// The object as it is when everything is done: what to compare with an object that exists, and
    /// what to send when it is patched, because what is held back is held back from creates only.
    #[must_use]
    pub fn settled(&self, object: &Value) -> Value {
        let mut settled = object.clone();
        for patch in [&self.release, &self.later].into_iter().flatten() {
            pointer::merge(&mut settled, patch);
        }
        settled
    }

    /// Puts the link to its owners, a merge patch, where it belongs: into the object, or, for a pod that had
    /// finished, into what follows its old status. Until then it would be a pod that waits to run, of which the
    /// controller of a Job that goes on has one too many, and which it deletes.
    /// Source: `k8s.io/kubernetes/pkg/controller/job` (`appendDuplicatedIndexPodsForRemoval`).
    pub fn link(&mut self, object: &mut Value, references: &Value) {
        let gates = |release: &&mut Value| release.pointer("/spec/schedulingGates").is_some();
        match self.release.as_mut().filter(gates) {
            Some(release) => pointer::merge(release, references),
            None => pointer::merge(object, references),
        }
    }

    /// What is sent, in this order, when all that the object constrains is there again: what was held
    /// back, then who owns its fields. One request could not do both, as the API server gives the
    /// fields that a request changes to whoever sends it.
    #[must_use]
    pub fn last_patches(&self) -> Vec<Value> {
        let parts = [self.later.clone(), managers::patch(self)];
        parts.into_iter().flatten().collect()
    }

    /// Under whose names to write, so that who owns which field stays as it was.
    #[must_use]
    pub fn managers(&self) -> Managers {
        managers::decide(self)
    }

    /// Whether an object that is younger than the job can be the one that the job created: it bears
    /// our manager's name, or the managers' names that the stored one had, or none at all.
    #[must_use]
    pub fn may_have_made(&self, live: &Value, field_manager: &str) -> bool {
        managers::may_have_made(self, live, field_manager)
    }

    /// Drops the fallbacks that the API server refused, named by its `details.causes[].field`s; with no
    /// names given, all of them. Returns the pointers removed: empty means that there is nothing left
    /// to give way and the refusal stands.
    pub fn relax(&self, object: &mut Value, refused_fields: &[&str]) -> Vec<String> {
        let mut dropped = Vec::new();
        for fallback in &self.retry_without {
            let refused = refused_fields.is_empty()
                || refused_fields.iter().any(|f| f.starts_with(fallback.field));
            if refused {
                let removed = fallback
                    .pointers
                    .iter()
                    .filter(|p| pointer::remove(object, p).is_some());
                dropped.extend(removed.cloned());
            }
        }
        dropped
    }
}

/// Makes a stored object fit for a create in another life of the cluster.
pub fn prepare(resource: &ResourceType, object: &mut Value) -> Prepared {
    let mut prepared = Prepared {
        managed_fields: object.pointer("/metadata/managedFields").cloned(),
        ..Prepared::default()
    };
    let finished = finished::detect(resource, object);
    let status = object.get("status").cloned();
    let had_owners = object.pointer("/metadata/ownerReferences").is_some();
    prepared.owners = owners::separate(object);
    prepared.removed = strip_assigned(&resource.group, &resource.kind, object);
    if had_owners {
        prepared.removed.push(Removed {
            pointer: "/metadata/ownerReferences".to_owned(),
            why: "owners have new uids; the references are linked again after the create",
        });
    }
    if let Some(status) = status {
        if keeps_status(resource) {
            prepared.status = Some(status);
        } else {
            pointer::remove(object, "/status");
            prepared.removed.push(Removed {
                pointer: "/status".to_owned(),
                why: "controllers observe the new object and write its status",
            });
            if let Some(finished) = finished {
                finished::hold(finished, object, status, &mut prepared);
            }
        }
    }
    prepared.later = held::hold_back(resource, object);
    prepared.retry_without = fallbacks(resource, object);
    prepared
}

/// Whether the status of a type's objects is part of what they are: that of custom resources is, because
/// operators keep in it what they cannot observe again. That of a snapshot only says which content it
/// is bound to, which is another one now.
pub(crate) fn keeps_status(resource: &ResourceType) -> bool {
    const OBSERVED: [&str; 2] = ["snapshot.storage.k8s.io", "groupsnapshot.storage.k8s.io"];
    resource.is_custom() && !OBSERVED.contains(&resource.group.as_str())
}

/// Cluster addresses of Services are kept, because clients may know them; they are the only values of
/// an object that two objects of one cluster compete for.
/// Source: <https://kubernetes.io/docs/concepts/services-networking/service/#choosing-your-own-ip-address>
fn fallbacks(resource: &ResourceType, object: &Value) -> Vec<Fallback> {
    if !resource.is("", "Service") {
        return Vec::new();
    }
    let mut fallbacks = Vec::new();
    // `None` makes the Service headless: that is a choice, not an address.
    let headless = object.pointer("/spec/clusterIP") == Some(&json!("None"));
    let addresses = if headless {
        Vec::new()
    } else {
        pointer::expand(object, "/spec/clusterIPs")
    };
    let address = if headless {
        Vec::new()
    } else {
        pointer::expand(object, "/spec/clusterIP")
    };
    for (field, pointers, why) in [
        (
            "spec.clusterIP",
            [address, addresses].concat(),
            "the address is used by another Service or lies outside this cluster's range",
        ),
        (
            "spec.ports",
            pointer::expand(object, "/spec/ports/*/nodePort"),
            "the node port is used by another Service or lies outside this cluster's range",
        ),
        (
            "spec.healthCheckNodePort",
            pointer::expand(object, "/spec/healthCheckNodePort"),
            "the node port is used by another Service or lies outside this cluster's range",
        ),
    ] {
        if !pointers.is_empty() {
            fallbacks.push(Fallback {
                field,
                pointers,
                why,
            });
        }
    }
    fallbacks
}
