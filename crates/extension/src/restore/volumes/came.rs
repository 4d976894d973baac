//! Whether the volume of a restored claim came, looked at when all else is done: the pods that use it may
//! run by then.

use serde_json::Value;
use strongroom_core::Code;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_kubernetes::apply as requests;
use strongroom_kubernetes::crd::RestoreMode;
use strongroom_kubernetes::snapshots::provision::{self, Source};
use tokio::time::Instant;

use super::super::apply::Applier;
use super::super::item::{Hold, Item, Told};
use super::super::lines::{and, but};
use super::{Data, IN_VAIN, OBSTACLES, is_claim, leftovers, stands_for};
use crate::job::{JobFailure, object_code};
use crate::limits::{VOLUME_LOOK, VOLUME_POD_WAIT};

/// Where a claim stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has this volume.
    Bound(String),
    /// Its volume is gone.
    Lost,
    /// It has none yet; `placed` when a pod that uses it has a node.
    Pending {
        /// Whether the scheduler has chosen a node.
        placed: bool,
    },
}

impl Standing {
    pub(super) fn of(claim: &Value) -> Self {
        let volume = claim.pointer("/spec/volumeName").and_then(Value::as_str);
        match (
            claim.pointer("/status/phase").and_then(Value::as_str),
            volume,
        ) {
            (Some("Bound"), Some(volume)) => Self::Bound(volume.to_owned()),
            (Some("Lost"), _) => Self::Lost,
            _ => {
                // https://kubernetes.io/docs/reference/labels-annotations-taints/#volume-kubernetes-io-selected-node
                let node = &claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"];
                Self::Pending {
                    placed: node.is_string(),
                }
            }
        }
    }
}

impl Applier<'_> {
    /// Holds the last word on a claim back whose volume is on its way.
    pub(in super::super) async fn hold_for_volume(
        &self,
        item: &Item<'_>,
        told: &mut Told,
    ) -> Result<(), JobFailure> {
        let made = told.line.outcome == Outcome::Created && told.hold.is_none();
        if !made
            || !is_claim(item.resource)
            || self.spec.mode == RestoreMode::Validate
            || stands_for(&told.line, &OBSTACLES)
            || stands_for(&told.line, &IN_VAIN)
        {
            return Ok(());
        }
        if let Data::Snapshot(..) = self.data_of(item, &Value::Null).await? {
            told.hold = Some(Hold::Volume);
        }
        Ok(())
    }

    /// Waits for the volume of a claim that was made, and says what came of it.
    pub(in super::super) async fn volume_came(
        &self,
        item: &Item<'_>,
        line: ObjectOutcome,
        deadline: Instant,
    ) -> Result<ObjectOutcome, JobFailure> {
        let environment = &self.attempt.environment;
        let pause = VOLUME_LOOK.min(environment.unreachable_pause);
        let began = self.offer.waiting_since().await;
        let pods_by = began + VOLUME_POD_WAIT.min(environment.unreachable_grace);
        let object = self.object(item);
        let (namespace, name) = (object.namespace.as_deref(), object.name.as_str());
        loop {
            let asked = || requests::get(&self.calls.cluster, item.resource, namespace, name);
            let claim = match self.calls.send(asked).await.outcome {
                Ok(Some(claim)) => claim,
                Ok(None) => {
                    return Ok(but(line, Code::Conflict, "somebody has removed it since"));
                }
                Err(error) if self.is_gone(&error).await => return Err(error.into()),
                Err(error) => {
                    return Ok(but(line, object_code(&error.failure), &error.to_string()));
                }
            };
            let now = Instant::now();
            match Standing::of(&claim) {
                Standing::Bound(volume) => return self.finish(line, &claim, &volume).await,
                Standing::Lost => {
                    return Ok(but(
                        line,
                        Code::VolumeNotProvisioned,
                        "its volume is gone again",
                    ));
                }
                Standing::Pending { placed: false }
                    if now >= pods_by && self.waits_for_pod(&claim).await? =>
                {
                    return Ok(and(line, "its volume is made when a pod uses it"));
                }
                Standing::Pending { .. } if now >= deadline => {
                    return self.not_provisioned(line, &claim, began).await;
                }
                Standing::Pending { .. } => tokio::time::sleep(pause).await,
            }
        }
    }

    async fn waits_for_pod(&self, claim: &Value) -> Result<bool, JobFailure> {
        let class = claim
            .pointer("/spec/storageClassName")
            .and_then(Value::as_str);
        let facts = self.offer.class(self, class.unwrap_or_default()).await?;
        Ok(facts.is_some_and(|facts| facts.waits_for_pod))
    }

    async fn finish(
        &self,
        line: ObjectOutcome,
        claim: &Value,
        volume: &str,
    ) -> Result<ObjectOutcome, JobFailure> {
        let cluster = &self.calls.cluster;
        let text = |field: &str| claim["metadata"][field].as_str().unwrap_or_default();
        let name = provision::name(self.attempt.job, text("namespace"), text("name"));
        let kind = provision::contents();
        let found = self
            .calls
            .send(|| requests::get(cluster, &kind, None, &name))
            .await
            .outcome;
        let outcome = match found {
            // What looks after leftovers was faster.
            Ok(None) => return Ok(line),
            Ok(Some(content)) => match Source::of(&content) {
                Some(source) => {
                    let clear = || leftovers::finish(cluster, &source, claim, volume);
                    self.calls.send(clear).await.outcome
                }
                None => return Ok(line),
            },
            Err(error) => Err(error),
        };
        match outcome {
            Ok(true) => Ok(line),
            Ok(false) => {
                let trouble = format!(
                    "the volume {volume} was reserved for a claim of this name and has it now: the \
                     data are what is on that one, not those of the recovery point"
                );
                Ok(but(line, Code::Conflict, &trouble))
            }
            Err(error) if self.is_gone(&error).await => Err(error.into()),
            Err(error) => {
                let trouble =
                    format!("what it was restored from could not be cleared away: {error}");
                Ok(but(line, object_code(&error.failure), &trouble))
            }
        }
    }

    async fn not_provisioned(
        &self,
        line: ObjectOutcome,
        claim: &Value,
        began: Instant,
    ) -> Result<ObjectOutcome, JobFailure> {
        let text = |field: &str| claim["metadata"][field].as_str().unwrap_or_default();
        let (namespace, uid) = (text("namespace"), text("uid"));
        let asked = || provision::last_trouble(&self.calls.cluster, namespace, uid);
        let why = match self.calls.send(asked).await.outcome {
            Ok(Some(why)) => format!(": {why}"),
            Ok(None) => String::new(),
            Err(error) if self.is_gone(&error).await => return Err(error.into()),
            Err(error) => format!(" ({error})"),
        };
        let seconds = began.elapsed().as_secs();
        let trouble = format!("its volume is not there after {seconds} s{why}");
        Ok(but(line, Code::VolumeNotProvisioned, &trouble))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_claim_says_where_it_stands() {
        let bound = json!({"spec": {"volumeName": "pv"}, "status": {"phase": "Bound"}});
        assert_eq!(Standing::of(&bound), Standing::Bound("pv".to_owned()));
        let lost = json!({"spec": {"volumeName": "pv"}, "status": {"phase": "Lost"}});
        assert_eq!(Standing::of(&lost), Standing::Lost);
        let pending = json!({"status": {"phase": "Pending"}});
        assert_eq!(Standing::of(&pending), Standing::Pending { placed: false });
        let annotations = json!({"volume.kubernetes.io/selected-node": "n"});
        let placed = json!({"metadata": {"annotations": annotations}});
        assert_eq!(Standing::of(&placed), Standing::Pending { placed: true });
    }
}
