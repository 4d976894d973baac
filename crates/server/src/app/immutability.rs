//! Immutable vaults: the one place that asks `core::immutability`, and what it is told for an answer.
//!
//! Contract: whatever would delete recovery points or shorten retention asks here, in the transaction that
//! would do it. There is no way around for anybody: nothing in here knows who asks.
//!
//! | what | where |
//! | --- | --- |
//! | another setting of the vault | [`change`], by PUT and PATCH of the vault |
//! | delete an instance | [`refuse_loss`], by `instances::delete` |
//! | the end of a deleted instance's time | [`holds`], by `instances::purge` |
//! | edit a policy, or preview that | [`refuse_edit`], by `policies::put` and `policy_preview` |
//! | give an instance another policy, or validate that | [`refuse_other_policy`], by `instances` |
//! | the end of a recovery point's time | [`owed`], by `retention::decide` |

use jiff::{SignedDuration, Timestamp};
use strongroom_api::instance::BackupInstance;
use strongroom_api::vault::{BackupVault, ImmutabilityState, SecuritySettings};
use strongroom_core::error::Problem;
use strongroom_core::immutability::{self, Hold, Immutability, Service};
use strongroom_core::policy::{BackupPolicy, RetentionClock};

use super::{App, Error, ResourceId, Result, resources, retention, vaults};
use crate::store::{RecoveryPointRow, ResourceRow, Session, TimeCursor};
use crate::worker::limits::EXPIRE_EVERY;

/// Where a recovery point keeps its [`Service`].
const SERVICE: &str = "service";

/// Recovery points that are read at a time.
const PAGE: usize = 100;

/// The immutability of a vault.
#[must_use]
pub fn of(vault: &BackupVault) -> Immutability {
    of_settings(vault.security_settings.as_ref())
}

fn of_settings(settings: Option<&SecuritySettings>) -> Immutability {
    let settings = settings.and_then(|settings| settings.immutability_settings.as_ref());
    match settings.and_then(|settings| settings.state) {
        None | Some(ImmutabilityState::Disabled) => Immutability::Disabled,
        Some(ImmutabilityState::Unlocked) => Immutability::Unlocked,
        Some(ImmutabilityState::Locked) => Immutability::Locked,
    }
}

/// Settles what the setting becomes: what is not named stays as it was.
pub fn change(
    new: &mut SecuritySettings,
    old: &SecuritySettings,
) -> std::result::Result<(), Problem> {
    let before = of_settings(Some(old));
    let named = new.immutability_settings.as_ref();
    let is_named = named.is_some_and(|settings| settings.state.is_some());
    let wanted = if is_named {
        of_settings(Some(new))
    } else {
        before
    };
    let after = before
        .after(wanted)
        .map_err(|problem| problem.at("properties.securitySettings.immutabilitySettings"))?;
    new.immutability_settings.get_or_insert_default().state = Some(match after {
        Immutability::Disabled => ImmutabilityState::Disabled,
        Immutability::Unlocked => ImmutabilityState::Unlocked,
        Immutability::Locked => ImmutabilityState::Locked,
    });
    Ok(())
}

/// Refuses to write a policy so, if that keeps a tag for less.
pub fn refuse_edit(vault: &BackupVault, old: &BackupPolicy, new: &BackupPolicy) -> Result<()> {
    let refused = immutability::refuse_shortened(of(vault), old, new);
    Ok(refused.map_err(|problem| problem.at("properties.policyRules"))?)
}

/// Refuses to give an instance another policy that keeps a tag for less.
pub async fn refuse_other_policy(
    session: &mut dyn Session,
    vault: &BackupVault,
    old: &BackupInstance,
    policy: &ResourceRow,
) -> Result<()> {
    let before = &old.policy_info.policy_id;
    if !of(vault).is_on() || before.to_lowercase() == policy.key {
        return Ok(());
    }
    let before = retention::policy(session, before).await?;
    let after = retention::policy(session, &policy.id).await?;
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(());
    };
    let refused = immutability::refuse_shortened(of(vault), &before, &after);
    Ok(refused.map_err(|problem| problem.at("properties.policyInfo.policyId"))?)
}

/// Whether giving an instance another policy would keep a tag for less.
pub async fn is_shortened_by(
    session: &mut dyn Session,
    old: &BackupInstance,
    policy: &ResourceRow,
) -> Result<bool> {
    let before = &old.policy_info.policy_id;
    if before.to_lowercase() == policy.key {
        return Ok(false);
    }
    let before = retention::policy(session, before).await?;
    let after = retention::policy(session, &policy.id).await?;
    Ok(before
        .zip(after)
        .is_some_and(|(before, after)| !immutability::shortened(&before, &after).is_empty()))
}

/// Notes with a new recovery point how long the server had run when it was made.
pub async fn note_service(
    session: &mut dyn Session,
    point: &mut RecoveryPointRow,
    counted_from: Timestamp,
) -> Result<()> {
    let ran = ran_seconds(session).await?;
    // The count is of the last look, and a point must not be told to have been there since before it was.
    let between = i64::try_from(EXPIRE_EVERY.as_secs()).unwrap_or(i64::MAX);
    let service = Service {
        since_seconds: ran.saturating_add(between),
        counted_from,
    };
    point.body[SERVICE] = serde_json::to_value(service).map_err(Error::unexpected(
        "write since when a recovery point is kept",
    ))?;
    Ok(())
}

/// What of its time a recovery point is still owed; none in a vault that is not immutable.
pub async fn owed(
    session: &mut dyn Session,
    point: &RecoveryPointRow,
    expires: Option<Timestamp>,
) -> Result<Option<SignedDuration>> {
    let vault = ResourceId::published(point.vault_key.clone());
    let vault = vaults::document(&resources::existing_or_deleted(session, &vault).await?)?;
    let Some(expires) = expires.filter(|_| of(&vault.properties).is_on()) else {
        return Ok(None);
    };
    Ok(service_of(point).owed(expires, ran_seconds(session).await?))
}

/// Refuses to delete an instance of an immutable vault with a recovery point within its time.
pub async fn refuse_loss(
    app: &App,
    session: &mut dyn Session,
    vault: &BackupVault,
    instance: &ResourceRow,
) -> Result<()> {
    match holds(app, session, vault, instance).await? {
        Some((point, hold)) => {
            Err(immutability::refuse_delete(of(vault), &point.to_string(), &hold).into())
        }
        None => Ok(()),
    }
}

/// A recovery point of an instance that its vault's immutability holds, if there is one, and why.
pub async fn holds(
    app: &App,
    session: &mut dyn Session,
    vault: &BackupVault,
    instance: &ResourceRow,
) -> Result<Option<(uuid::Uuid, Hold)>> {
    if !of(vault).is_on() {
        return Ok(None);
    }
    let document: BackupInstance =
        resources::document(instance, super::instances::TYPE)?.properties;
    let policy = retention::policy(session, &document.policy_info.policy_id).await?;
    let ran = ran_seconds(session).await?;
    let mut after = None;
    loop {
        let page = session
            .recovery_points(&instance.key, (None, None), after, PAGE)
            .await?;
        for point in &page.rows {
            // What is being removed already was over.
            if point.expiring_since.is_some() {
                continue;
            }
            let expires = retention::time_of_point(point, policy.as_ref());
            let hold = immutability::held(expires, app.now(), service_of(point), ran);
            if let Some(hold) = hold {
                return Ok(Some((point.id, hold)));
            }
        }
        let Some(last) = page.rows.last().filter(|_| page.more) else {
            return Ok(None);
        };
        after = Some(TimeCursor {
            created_at: last.created_at,
            id: last.id,
        });
    }
}

fn service_of(point: &RecoveryPointRow) -> Service {
    serde_json::from_value(point.body[SERVICE].clone())
        .unwrap_or_else(|_| Service::unknown(point.created_at))
}

/// For how long the server has run, as of the last look of retention.
async fn ran_seconds(session: &mut dyn Session) -> Result<i64> {
    let known = session.setting(retention::CLOCK).await?;
    let clock = known.and_then(|text| serde_json::from_str::<RetentionClock>(&text).ok());
    Ok(clock.map_or(0, |clock| clock.ran_seconds))
}

#[cfg(test)]
mod tests;
