//! At which instances retention looks, and which of their recovery points are to be decided over.
//!
//! Contract: nothing here lets a point go; what is over by all that can be read goes to [`decide`], which
//! asks anew in the transaction that marks it. A look is noted with the versions of all that it went by, as
//! they were when it read them, so that whatever changes meanwhile makes the instance due again, whoever
//! changed it and wherever a process dies. What an edit of a policy costs is therefore one look at each of
//! its instances; after that only those are looked at of which something is over.
//!
//! [`decide`]: super::decide

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::{SignedDuration, Timestamp};
use strongroom_api::instance::BackupInstance;
use strongroom_core::policy::{BackupPolicy, Keep, Verdict};
use uuid::Uuid;

use super::{latest, policy, suspended, time_of};
use crate::app::error::chain;
use crate::app::limits::RETENTION_LOOKS_AT_ONCE;
use crate::app::{App, ResourceId, Result, instances, resources};
use crate::store::{ResourceRow, RetentionRow, Session, TimeCursor};

/// Times of recovery points that are read at a time, some 100 bytes each.
const PAGE: usize = 5_000;

/// A look at an instance.
#[derive(Debug)]
pub struct Look {
    /// Recovery points whose time is over, each with that time, that [`decide`](super::decide) is to decide
    /// over; the oldest last.
    pub over: Vec<(Uuid, Timestamp)>,
    /// Those whose time is over and that stay for another reason.
    pub kept: Vec<(Uuid, Keep)>,
    /// What it went by, and when the next one is due.
    note: RetentionRow,
}

impl Look {
    /// Takes note of what was decided over one of [`Look::over`]; none for what could not be decided.
    pub fn decided(&mut self, ended: Timestamp, verdict: Option<&Verdict>) {
        let again = match verdict {
            Some(Verdict::Expire { .. }) => return,
            Some(Verdict::Keep(Keep::Until(time))) => *time,
            // What holds it may end at any moment, and nothing tells. Not the present moment: it may be one of
            // a clock that is put right later.
            Some(Verdict::Keep(_)) | None => ended,
        };
        self.again(again);
    }

    fn again(&mut self, at: Timestamp) {
        let due = &mut self.note.due_at;
        *due = Some(due.map_or(at, |before| before.min(at)));
    }

    /// Key of the instance.
    #[must_use]
    pub fn instance_key(&self) -> &str {
        &self.note.instance_key
    }
}

/// A page of the looks that are due.
#[derive(Debug)]
pub struct Due {
    /// The looks, in the order of the instances' keys.
    pub looks: Vec<Look>,
    /// After which key the next page begins; none when this is the last.
    pub next: Option<String>,
}

/// The looks that are due, from the instance after `after`. One that cannot be read is told of and stays due;
/// it keeps no other from its turn.
pub async fn due(
    app: &App,
    after: Option<&str>,
    untrusted_for: Option<SignedDuration>,
) -> Result<Due> {
    let mut session = app.store.read().await?;
    let kind = instances::TYPE.to_lowercase();
    let now = app.now();
    let page = session
        .due_retention(&kind, now, after, RETENTION_LOOKS_AT_ONCE)
        .await?;
    let mut policies = Policies::default();
    let mut looks = Vec::with_capacity(page.rows.len());
    for instance in &page.rows {
        match look(&mut *session, instance, &mut policies, now, untrusted_for).await {
            Ok(look) => looks.push(look),
            Err(error) => tracing::warn!(
                instance.key = instance.key, error = %chain(&error),
                "retention cannot look at an instance now"
            ),
        }
    }
    let last = page.rows.last().filter(|_| page.more);
    let next = last.map(|instance| instance.key.clone());
    Ok(Due { looks, next })
}

/// Writes down what was seen, so that it is not looked for again.
pub async fn note(app: &App, looks: &[Look]) -> Result<()> {
    let mut session = app.store.begin().await?;
    for look in looks {
        session.put_retention(&look.note).await?;
    }
    Ok(session.commit().await?)
}

/// Policies of one moment by their keys, each with its version.
#[derive(Default)]
struct Policies(HashMap<String, (Option<String>, Option<BackupPolicy>)>);

impl Policies {
    async fn find(
        &mut self,
        session: &mut dyn Session,
        key: &str,
    ) -> Result<&(Option<String>, Option<BackupPolicy>)> {
        Ok(match self.0.entry(key.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let etag = session.resource(key).await?.map(|row| row.etag);
                unknown.insert((etag, policy(session, key).await?))
            }
        })
    }
}

async fn look(
    session: &mut dyn Session,
    instance: &ResourceRow,
    policies: &mut Policies,
    now: Timestamp,
    untrusted_for: Option<SignedDuration>,
) -> Result<Look> {
    let document: BackupInstance = resources::document(instance, instances::TYPE)?.properties;
    let policy_key = ResourceId::published(document.policy_info.policy_id.clone()).key();
    let (policy_etag, policy) = policies.find(session, &policy_key).await?;
    let mut look = Look {
        over: Vec::new(),
        kept: Vec::new(),
        note: RetentionRow {
            instance_key: instance.key.clone(),
            instance_etag: instance.etag.clone(),
            policy_key,
            policy_etag: policy_etag.clone(),
            changes: session.recovery_point_changes(&instance.key).await?,
            due_at: None,
        },
    };
    let over = over(session, &mut look, policy.as_ref(), now).await?;
    if over.is_empty() {
        return Ok(look);
    }
    // It goes on when the instance is another version.
    if let Some(state) = suspended(&document) {
        let kept = over.into_iter();
        look.kept = kept
            .map(|(id, _)| (id, Keep::Suspended(state.clone())))
            .collect();
        return Ok(look);
    }
    let latest = latest(session, &instance.key).await?;
    for (id, ended) in over {
        match (latest.keeps(id), untrusted_for) {
            // It goes when there is another one, which is a change.
            (Some(why), _) => look.kept.push((id, why)),
            (None, Some(left)) => {
                look.kept.push((id, Keep::ClockLeapt(left)));
                look.again(ended);
            }
            (None, None) => look.over.push((id, ended)),
        }
    }
    Ok(look)
}

/// The points of an instance whose time is over; of the others the look learns when the first one is.
async fn over(
    session: &mut dyn Session,
    look: &mut Look,
    policy: Option<&BackupPolicy>,
    now: Timestamp,
) -> Result<Vec<(Uuid, Timestamp)>> {
    let mut over = Vec::new();
    let mut after = None;
    loop {
        let page = session
            .recovery_point_times(&look.note.instance_key, after, PAGE)
            .await?;
        for point in &page.rows {
            match time_of(&point.tag, point.created_at, point.expires_at, policy) {
                Some(time) if time <= now => over.push((point.id, time)),
                Some(time) => look.again(time),
                None => {}
            }
        }
        let Some(last) = page.rows.last().filter(|_| page.more) else {
            return Ok(over);
        };
        after = Some(TimeCursor {
            created_at: last.created_at,
            id: last.id,
        });
    }
}

#[cfg(test)]
mod tests;
