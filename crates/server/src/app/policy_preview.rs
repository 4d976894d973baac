//! What a policy would make and keep, and what an edit of one would do: nothing is changed.
//!
//! Contract: `core::policy` decides, by the same functions as the worker. What is looked at and what is
//! told has a limit; where it is reached, the answer says so.

use jiff::Timestamp;
use strongroom_api::instance::BackupInstance;
use strongroom_api::policy::PolicyProperties;
use strongroom_api::policy_preview::{
    PolicyEditPreview, PolicySimulation, PreviewPolicyEditRequest, RecoveryPointChange,
    SimulatePolicyRequest, SimulatedRecoveryPoint,
};
use strongroom_core::error::{Code, Problem};
use strongroom_core::policy::{
    self as core_policy, BackupPolicy, Circumstances, Effect, Foreseen, Latest, Verdict, expiry,
};
use uuid::Uuid;

use super::limits::{EDIT_CHANGES_LISTED, EDIT_POINTS_LOOKED_AT, POLICY_USERS, SIMULATED_POINTS};
use super::{
    App, ResourceId, Result, immutability, instances, policies, resources, retention, vaults,
};
use crate::store::{RecoveryPointRow, ResourceRow, Session, TimeCursor};

/// Recovery points that are read at a time.
const PAGE: usize = 500;

/// What the policy, or the one that is sent in its place, makes in a span of time.
pub async fn simulate(
    app: &App,
    id: &ResourceId,
    request: &SimulatePolicyRequest,
) -> Result<PolicySimulation> {
    let policy = match &request.policy {
        Some(PolicyProperties::BackupPolicy(document)) => {
            vaults::require(&mut *app.store.read().await?, &id.without(2)).await?;
            policies::meaning(document)?
        }
        None => stored(app, id).await?,
    };
    let (from, to) = (request.from, request.to);
    if to < from {
        let message = format!("The span ends at {to}, before it begins at {from}.");
        return Err(Problem::new(Code::InvalidRequestContent, message)
            .at("to")
            .into());
    }
    let simulation =
        core_policy::simulate(&policy, from, to, SIMULATED_POINTS).map_err(|error| {
            let message = format!(
                "The span is too long: {error}. Ask for one that ends at {} or before.",
                error.reached
            );
            Problem::new(Code::InvalidRequestContent, message).at("to")
        })?;
    let mut told = PolicySimulation {
        most_at_once: count(simulation.most_at_once),
        ..PolicySimulation::default()
    };
    for point in simulation.points {
        let point = simulated(point);
        told.made += 1;
        told.there_at_end += u64::from(point.removed_at.is_none());
        *told.made_by_tag.entry(point.tag.clone()).or_default() += 1;
        told.recovery_points.push(point);
    }
    Ok(told)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn simulated(point: Foreseen) -> SimulatedRecoveryPoint {
    let (removed_at, kept_because) = match point.end {
        Verdict::Expire { since } => (Some(since), None),
        Verdict::Keep(why) => (None, Some(why.to_string())),
    };
    SimulatedRecoveryPoint {
        time: point.made,
        tag: point.tag,
        expiry_time: point.expires,
        removed_at,
        kept_because,
    }
}

/// The meaning of a policy that is there.
async fn stored(app: &App, id: &ResourceId) -> Result<BackupPolicy> {
    let PolicyProperties::BackupPolicy(document) = policies::get(app, id).await?.properties;
    Ok(policies::meaning(&document)?)
}

/// What writing the policy so would do to the recovery points of the instances that follow it.
pub async fn preview_edit(
    app: &App,
    id: &ResourceId,
    request: &PreviewPolicyEditRequest,
) -> Result<PolicyEditPreview> {
    let PolicyProperties::BackupPolicy(document) = &request.properties;
    let new = policies::meaning(document)?;
    let old = stored(app, id).await?;
    let vault = vaults::get(app, &id.without(2)).await?.properties;
    immutability::refuse_edit(&vault, &old, &new)?;
    let mut look = Look {
        now: app.now(),
        told: PolicyEditPreview {
            schedule_changes: old.schedule_text() != new.schedule_text(),
            ..PolicyEditPreview::default()
        },
        old,
        new,
    };
    let users = app
        .store
        .read()
        .await?
        .users_of(&id.key(), POLICY_USERS)
        .await?;
    for user in users {
        let mut session = app.store.read().await?;
        // One that is deleted and can be brought back keeps what it has until it is.
        if let Some(instance) = session.resource(&user.user_key).await? {
            look.at_instance(&mut *session, &instance).await?;
        }
    }
    Ok(look.told())
}

/// A look at what an edit does.
struct Look {
    now: Timestamp,
    old: BackupPolicy,
    new: BackupPolicy,
    told: PolicyEditPreview,
}

impl Look {
    async fn at_instance(
        &mut self,
        session: &mut dyn Session,
        instance: &ResourceRow,
    ) -> Result<()> {
        let document: BackupInstance = resources::document(instance, instances::TYPE)?.properties;
        let latest = retention::latest(session, &instance.key).await?;
        let suspended = retention::suspended(&document);
        self.told.instances += 1;
        let mut after = None;
        loop {
            let page = session
                .recovery_points(&instance.key, (None, None), after, PAGE)
                .await?;
            for point in &page.rows {
                if self.told.recovery_points == EDIT_POINTS_LOOKED_AT {
                    self.told.truncated = Some(true);
                    return Ok(());
                }
                if point.expiring_since.is_none() {
                    self.at_point(instance, point, &latest, suspended.as_deref());
                }
            }
            let Some(last) = page.rows.last().filter(|_| page.more) else {
                return Ok(());
            };
            after = Some(TimeCursor {
                created_at: last.created_at,
                id: last.id,
            });
        }
    }

    fn at_point(
        &mut self,
        instance: &ResourceRow,
        point: &RecoveryPointRow,
        latest: &Latest<Uuid>,
        suspended: Option<&str>,
    ) {
        let tag = retention::tag_of(point);
        let policies = (&self.old, &self.new);
        let edited = core_policy::edited(policies, tag, point.created_at, point.expires_at);
        self.told.recovery_points += 1;
        let circumstances = Circumstances {
            always: latest.keeps(point.id),
            suspended: suspended.map(str::to_owned),
            ..Circumstances::default()
        };
        let verdict = expiry::judge(edited.after, self.now, &circumstances);
        let (sum, effect) = match (&verdict, edited.effect) {
            (Verdict::Expire { .. }, _) => (&mut self.told.would_expire, "Expires"),
            (_, Effect::Prolonged) => (&mut self.told.prolonged, "Prolonged"),
            (_, Effect::Shortened) => (&mut self.told.shortened, "Shortened"),
            _ => {
                self.told.unchanged += 1;
                return;
            }
        };
        *sum += 1;
        if self.told.changes.len() == EDIT_CHANGES_LISTED {
            *self.told.left_off.get_or_insert(0) += 1;
            return;
        }
        let reason = match verdict {
            Verdict::Keep(why) if edited.after.is_some_and(|after| after <= self.now) => {
                format!("{}; {why}", edited.effect)
            }
            _ => edited.effect.to_string(),
        };
        self.told.changes.push(RecoveryPointChange {
            backup_instance_id: instance.id.clone(),
            recovery_point_id: point.id.to_string(),
            time: point.created_at,
            tag: tag.to_owned(),
            expiry_time: edited.before,
            expiry_time_after: edited.after,
            effect: effect.to_owned(),
            reason,
        });
    }

    /// The answer, with what goes first.
    fn told(mut self) -> PolicyEditPreview {
        self.told
            .changes
            .sort_by_key(|change| (change.expiry_time_after, change.time));
        self.told
    }
}

#[cfg(test)]
mod tests;
