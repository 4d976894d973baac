//! The classes that objects name: what a cluster must have for an object to come to life
//! ([`named_classes`]), and which of them are there.
//!
//! The API server takes most objects whose class is missing (a claim then waits for ever), so nobody
//! would tell; a pod whose priority or runtime class is missing is refused.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use strongroom_core::selection::related::{NamedClass, named_classes};
use strongroom_core::{Code, ResourceType};
use strongroom_kubernetes::apply as requests;
use strongroom_repository::Point;

use super::calls::Calls;
use super::sequence::Sequence;
use super::target::Target;
use crate::job::{JobFailure, is_unreachable};
use crate::limits::CLASSES_REMEMBERED;

/// A class that an object names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Class {
    group: &'static str,
    kind: &'static str,
    name: String,
}

/// Which classes are there: in the cluster, or in the recovery point and restored with the rest.
#[derive(Debug, Default)]
pub(super) struct Classes {
    known: Mutex<BTreeMap<Class, bool>>,
}

impl Classes {
    /// The classes that an object names and that are nowhere, in a sentence, with the code.
    pub(super) async fn missing(
        &self,
        (calls, target): (&Calls, &Target),
        (point, sequence): (&Point, &Sequence),
        takes_type: impl Fn(&ResourceType) -> bool,
        (resource, object): (&ResourceType, &Value),
    ) -> Result<Option<(Code, String)>, JobFailure> {
        for NamedClass { group, kind, name } in named_classes(resource, object) {
            let class = Class {
                group,
                kind,
                name: name.to_owned(),
            };
            if self
                .is_there((calls, target), (point, sequence), &takes_type, &class)
                .await?
            {
                continue;
            }
            let code = match kind {
                "StorageClass" => Code::UserErrorStorageClassMissingForPVC,
                _ => Code::ReferencedClassMissing,
            };
            let reason = format!(
                "it names the {kind} {name}, which neither the cluster nor the recovery point has"
            );
            return Ok(Some((code, reason)));
        }
        Ok(None)
    }

    async fn is_there(
        &self,
        (calls, target): (&Calls, &Target),
        (point, sequence): (&Point, &Sequence),
        takes_type: &impl Fn(&ResourceType) -> bool,
        class: &Class,
    ) -> Result<bool, JobFailure> {
        if let Some(known) = self.known().get(class) {
            return Ok(*known);
        }
        let stored = match sequence.run_of(class.group, class.kind) {
            Some(run) if takes_type(&run.resource) => {
                point.find(&run.group, &class.name).await?.is_some()
            }
            _ => false,
        };
        let there = match target.resolve(&format!("{}/v1", class.group), class.kind) {
            _ if stored => true,
            // Where nobody serves the kind there is no class of it.
            None => false,
            Some(kind) => {
                let asked = || requests::get(&calls.cluster, &kind, None, &class.name);
                match calls.send(asked).await.outcome {
                    Ok(live) => live.is_some(),
                    Err(error) if is_unreachable(&error) => return Err(error.into()),
                    // Who may not read classes cannot say that one is missing.
                    Err(_) => true,
                }
            }
        };
        let mut known = self.known();
        if known.len() < CLASSES_REMEMBERED {
            known.insert(class.clone(), there);
        }
        Ok(there)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<Class, bool>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
