//! The servers that share a catalogue, and which of them does the work.
//!
//! Contract: each server has an id of its own data directory. It says that it is there by renewing a lease of
//! that name, and one of them holds [`WORK`]. What to do with which lease is decided in
//! [`strongroom_core::lease`]; here it is read and written, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use strongroom_core::lease::{Claim, DURATION, Lease, claim};
use tokio::time::Instant;
use uuid::Uuid;

use super::limits::MOST_SERVERS;
use super::{App, Result};
use crate::store::lease::WORK;
use crate::store::{LeaseRow, Store};

/// What a server saw of all leases, each since it is as it is.
#[derive(Debug, Default)]
pub struct Sight {
    seen: BTreeMap<String, (Lease, Instant)>,
    held: Option<u64>,
}

/// What a look at the leases came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The term in which this server does the work; none: another one does.
    pub term: Option<u64>,
    /// The servers that are there, as far as can be told: this one, and those that were not silent for long
    /// enough.
    pub present: BTreeSet<Uuid>,
}

impl Seen {
    /// Whether whoever carries an operation out is gone; a version that did not say so is.
    #[must_use]
    pub fn lacks(&self, holder: Option<Uuid>) -> bool {
        holder.is_none_or(|holder| !self.present.contains(&holder))
    }
}

impl Sight {
    /// Takes in how a lease is now, and tells for how long it has been so.
    fn take_in(&mut self, row: &LeaseRow, now: Instant) -> std::time::Duration {
        match self.seen.get(&row.name) {
            Some((lease, since)) if *lease == row.lease => now.duration_since(*since),
            _ => {
                self.seen.insert(row.name.clone(), (row.lease, now));
                std::time::Duration::ZERO
            }
        }
    }

    /// It does the work no more.
    pub fn let_go(&mut self) {
        self.held = None;
    }
}

/// Renews what this server holds, and takes the work's lease if it can be taken.
pub async fn look(app: &App, sight: &mut Sight, now: Instant) -> Result<Seen> {
    let mut session = app.store.begin().await?;
    let rows = session.leases(MOST_SERVERS + 1).await?;
    let mut present = BTreeSet::from([app.server_id]);
    let mut work = (Lease::FREE, std::time::Duration::ZERO);
    let mut silent = Vec::new();
    for row in &rows {
        let unchanged_for = sight.take_in(row, now);
        if row.name == WORK {
            work = (row.lease, unchanged_for);
        } else if let Some(server) = row.lease.holder {
            if unchanged_for < DURATION {
                present.insert(server);
            } else if server != app.server_id {
                silent.push(&row.name);
            }
        }
    }
    sight
        .seen
        .retain(|name, _| rows.iter().any(|row| row.name == *name));

    let own = app.server_id.to_string();
    let known = rows.iter().find(|row| row.name == own);
    let there = Lease {
        holder: Some(app.server_id),
        term: 0,
        renewals: known.map_or(0, |row| row.lease.renewals + 1),
    };
    session.put_lease(&named(&own, there)).await?;
    let claimed = claim(app.server_id, sight.held, work.0, work.1);
    let term = match claimed {
        Claim::Renew(lease) | Claim::Take(lease, _) => {
            session.put_lease(&named(WORK, lease)).await?;
            for name in silent {
                session.delete_lease(name).await?;
            }
            Some(lease.term)
        }
        Claim::Respect { .. } => None,
    };
    session.commit().await?;
    sight.held = term;
    if let Claim::Take(lease, why) = claimed {
        tracing::info!(
            term = lease.term,
            "this server does the work from now on: {why}"
        );
    }
    Ok(Seen { term, present })
}

/// Gives back what this server holds, so that others need not wait until it was silent for long enough.
pub async fn leave(app: &App, sight: &Sight) -> Result<()> {
    let mut session = app.store.begin().await?;
    session.delete_lease(&app.server_id.to_string()).await?;
    let rows = session.leases(MOST_SERVERS + 1).await?;
    if let Some(row) = rows.into_iter().find(|row| row.name == WORK)
        && row.lease.holder == Some(app.server_id)
        && sight.held == Some(row.lease.term)
    {
        session
            .put_lease(&named(WORK, row.lease.given_back()))
            .await?;
    }
    Ok(session.commit().await?)
}

/// Whether the catalogue knows of another server than this one, which is there or was until lately.
pub async fn has_another(store: &Store, server: Uuid) -> Result<bool> {
    let rows = store.read().await?.leases(MOST_SERVERS + 1).await?;
    let others = |row: &LeaseRow| row.name != WORK && row.lease.holder != Some(server);
    Ok(rows.iter().any(others))
}

fn named(name: &str, lease: Lease) -> LeaseRow {
    LeaseRow {
        name: name.to_owned(),
        lease,
    }
}

#[cfg(test)]
mod tests;
