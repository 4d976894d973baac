//! The administrator's token: made at the first start, rotated on demand, and, where the
//! configuration gives it a lifetime, replaced by itself when that ends.
//!
//! Contract: exactly one token is accepted at any moment, and whoever can read `DIR/admin.token`
//! has it. Where several servers share the catalogue, one of them has that file, and the others refuse a
//! token that was replaced after their next look at the catalogue, seconds later. Only digests are stored; former tokens are remembered, a bounded number of them, so that
//! their holders are told that and since when they ended.
//!
//! # A process may end anywhere
//!
//! A token changes in three steps, and the second decides:
//!
//! 1. *announce*: the store gets the next token's digest beside the current one, and what the
//!    current one becomes;
//! 2. *publish*: `admin.token` is replaced whole, by a rename that is made durable;
//! 3. *settle*: the next token becomes the current one and the one before it a former one; in memory
//!    first, then in the store.
//!
//! A start compares the file with the store. If the process ended
//!
//! - before 1 or between 1 and 2, the file holds the old token: the announcement is dropped, the old
//!   token stays the one that is accepted, and the new one, which nobody has seen, never is;
//! - between 2 and 3, the file holds the announced token: the start settles it. The old one is
//!   accepted no more, and the administrator finds the new one in the file even when the answer of
//!   the rotation was lost;
//! - after 3, there is nothing to do.
//!
//! File first would leave a file that opens nothing; store first without an announcement would lock
//! out everybody, because the new token would be nowhere. Two accepted tokens, the usual way around
//! both, would leave the old one valid for ever when the process ends before it is taken away.
//!
//! A start without `admin.token` makes a new token by the same steps: deleting the file is the way
//! back in for whoever lost it. A file with any other content is left alone with a warning, because
//! what it holds may be wrong while a token that is in use is right.

pub mod record;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use strongroom_core::error::Problem;
use tokio::sync::{Mutex, watch};
use zeroize::Zeroizing;

use super::{App, Error, Result};
use crate::data_dir::{DataDirError, read_private, write_private};
use crate::environment::{Clock, Entropy};
use crate::store::{Store, StoreError};
use record::{Issued, Lifetime, Record, Standing, TokenDigest, expiry};

/// The setting that holds the current token's digest. Written at the end of the first start.
pub const ADMIN_TOKEN_DIGEST: &str = "admin-token-digest";

/// The setting that holds the whole [`Record`] as JSON.
const ADMIN_TOKEN_RECORD: &str = "admin-token-record";

/// Random bytes of a token: as many as its digest has, so that guessing is hopeless.
const TOKEN_BYTES: usize = 32;

/// A token, which is told once.
#[derive(Debug)]
pub struct NewToken {
    /// The token itself.
    pub token: Zeroizing<String>,
    /// Accepted since.
    pub issued: Timestamp,
    /// Accepted until; none = until it is replaced.
    pub expires: Option<Timestamp>,
}

/// What the server knows of the administrator's token.
#[derive(Debug)]
pub struct AdminToken {
    file: PathBuf,
    lifetime: Lifetime,
    record: watch::Sender<Record>,
    // One change at a time; requests read the record without it.
    changing: Mutex<()>,
}

impl AdminToken {
    /// Reads what is remembered, ends what a process before this one began, and makes a token when
    /// there is none, its file is gone, or its lifetime is over. `has_peers`: another server of this
    /// catalogue may hold the token in its file, so that this one does without.
    pub async fn open(
        file: PathBuf,
        lifetime: Lifetime,
        has_peers: bool,
        store: &Store,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let stored = load(store, clock.now()).await?;
        let in_file = read_private(&file).map_err(unusable)?;
        let in_file = in_file.map(|bytes| digest_of(&Zeroizing::new(bytes)));
        let record = stored.clone().resolved(in_file);
        if record != stored {
            save(store, &record).await?;
        }
        let right = in_file.is_some() && in_file == record.current.map(|current| current.digest);
        let opened = Self {
            file,
            lifetime,
            record: watch::Sender::new(record),
            changing: Mutex::new(()),
        };
        let ended = opened.record.borrow().ended(clock.now(), lifetime);
        let is_elsewhere = has_peers && in_file.is_none() && ended.is_none();
        if is_elsewhere && opened.record.borrow().current.is_some() {
            tracing::info!(
                file = %opened.file.display(),
                "the administrator's token is in the data directory of another server; to have a new one \
                 made here, start this server while no other is there"
            );
        } else if in_file.is_none() || ended.is_some() || opened.record.borrow().current.is_none() {
            opened.replace(store, clock, entropy).await?;
            tracing::info!(file = %opened.file.display(), "wrote a new administrator's token");
        } else if !right {
            tracing::warn!(
                file = %opened.file.display(),
                "the file does not hold the administrator's token; to have a new one made, delete \
                 the file and start the server again"
            );
        }
        Ok(opened)
    }

    /// What a presented token is worth.
    pub fn standing(&self, presented: TokenDigest, now: Timestamp) -> Standing {
        self.record.borrow().standing(presented, now, self.lifetime)
    }

    /// Takes over what another server of this catalogue wrote since.
    async fn read_anew(&self, store: &Store, clock: &dyn Clock) -> Result<()> {
        let stored = load(store, clock.now()).await?;
        self.record.send_if_modified(|record| {
            let is_newer = stored.is_newer_than(record);
            if is_newer {
                *record = stored;
            }
            is_newer
        });
        Ok(())
    }

    /// The three steps.
    async fn replace(
        &self,
        store: &Store,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<NewToken> {
        let token = new_token(entropy);
        let issued = Issued {
            digest: TokenDigest::of(&token),
            at: clock.now(),
        };
        let announced = self.announce(store, issued).await?;
        if let Err(error) = self.publish(token.clone()).await {
            // The file may have been replaced although that was not made durable. Then it decides,
            // as it would at a start; else the old token stays, here as there.
            let found = read_private(&self.file).ok().flatten();
            if found.map(|bytes| digest_of(&Zeroizing::new(bytes))) != Some(issued.digest) {
                return Err(unusable(error));
            }
            tracing::warn!(error = %error, "the new token's file may not outlast a power cut");
        }
        self.settle(store, announced).await;
        Ok(NewToken {
            token,
            issued: issued.at,
            expires: expiry(issued, self.lifetime),
        })
    }

    /// Step 1. The whole record is written, so that a settlement that the store refused before is
    /// in it too.
    async fn announce(&self, store: &Store, issued: Issued) -> Result<Record> {
        let announced = self
            .record
            .borrow()
            .announced(issued.digest, issued.at, self.lifetime);
        save(store, &announced).await?;
        Ok(announced)
    }

    /// Step 2.
    async fn publish(&self, token: Zeroizing<String>) -> std::result::Result<(), DataDirError> {
        let file = self.file.clone();
        let written =
            tokio::task::spawn_blocking(move || write_private(&file, token.as_bytes())).await;
        written.unwrap_or_else(|error| {
            Err(DataDirError::Io {
                doing: "write",
                path: self.file.clone(),
                source: std::io::Error::other(error),
            })
        })
    }

    /// Step 3. It cannot fail any more: what the store refuses now, the next start settles.
    async fn settle(&self, store: &Store, announced: Record) {
        let settled = announced.settled();
        self.record.send_replace(settled.clone());
        if let Err(error) = save(store, &settled).await {
            tracing::error!(error = %error, "the new token is settled at the next start only");
        }
    }
}

/// Replaces the token by a new one, on behalf of who presented the current one. Of two at the same
/// time the second is refused: its token was replaced by the first.
pub async fn rotate(app: &App, presented: TokenDigest) -> Result<NewToken> {
    let tokens = &app.admin_token;
    let _changing = tokens.changing.lock().await;
    read_anew_if_shared(app).await?;
    if let Some(problem) = standing(app, presented).refusal() {
        return Err(problem.into());
    }
    let new = tokens
        .replace(&app.store, &*app.clock, &*app.entropy)
        .await?;
    tracing::info!(file = %tokens.file.display(), "the administrator's token was rotated");
    Ok(new)
}

/// Replaces a token whose lifetime is over, so that whoever can read the file gets in again without
/// a restart. Says whether it did.
pub async fn renew(app: &App) -> Result<bool> {
    let tokens = &app.admin_token;
    let _changing = tokens.changing.lock().await;
    read_anew_if_shared(app).await?;
    let ended = tokens.record.borrow().ended(app.now(), tokens.lifetime);
    if ended.is_none() {
        return Ok(false);
    }
    tokens
        .replace(&app.store, &*app.clock, &*app.entropy)
        .await?;
    tracing::info!(
        file = %tokens.file.display(),
        "the administrator's token reached its lifetime; wrote a new one"
    );
    Ok(true)
}

/// Why a presented token is not accepted; none when it is. One that this server does not know may have been
/// made by another one since.
pub async fn refusal(app: &App, presented: TokenDigest) -> Result<Option<Problem>> {
    let mut found = standing(app, presented);
    if found == Standing::Unknown {
        read_anew_if_shared(app).await?;
        found = standing(app, presented);
    }
    Ok(found.refusal())
}

/// Takes over what another server of this catalogue wrote since.
pub async fn refresh(app: &App) -> Result<()> {
    let _changing = app.admin_token.changing.lock().await;
    read_anew_if_shared(app).await
}

async fn read_anew_if_shared(app: &App) -> Result<()> {
    if !app.store.is_shared() {
        return Ok(());
    }
    app.admin_token.read_anew(&app.store, &*app.clock).await
}

fn standing(app: &App, presented: TokenDigest) -> Standing {
    app.admin_token.standing(presented, app.now())
}

/// A new token. The prefix lets secret scanners recognise one that was left somewhere.
fn new_token(entropy: &dyn Entropy) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    entropy.fill(bytes.as_mut_slice());
    Zeroizing::new(format!("srm_{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// The digest of a file's token; an editor may have added a line end.
fn digest_of(content: &[u8]) -> TokenDigest {
    TokenDigest::of(String::from_utf8_lossy(content).trim())
}

/// What is remembered. A data directory of a version without a record has the digest alone: its
/// token counts as issued now.
async fn load(store: &Store, now: Timestamp) -> Result<Record> {
    let malformed = |what, detail: String| StoreError::Malformed { what, detail };
    let mut session = store.read().await?;
    if let Some(text) = session.setting(ADMIN_TOKEN_RECORD).await? {
        let record = serde_json::from_str(&text)
            .map_err(|error| malformed(ADMIN_TOKEN_RECORD, error.to_string()))?;
        return Ok(record);
    }
    let Some(text) = session.setting(ADMIN_TOKEN_DIGEST).await? else {
        return Ok(Record::default());
    };
    drop(session);
    let digest = TokenDigest::parse(&text)
        .ok_or_else(|| malformed(ADMIN_TOKEN_DIGEST, "not a SHA-256".to_owned()))?;
    let record = Record {
        current: Some(Issued { digest, at: now }),
        ..Record::default()
    };
    save(store, &record).await?;
    Ok(record)
}

/// Writes the record, and the current digest beside it.
async fn save(store: &Store, record: &Record) -> Result<()> {
    let text =
        serde_json::to_string(record).map_err(Error::unexpected("write the record of tokens"))?;
    let mut session = store.begin().await?;
    session.put_setting(ADMIN_TOKEN_RECORD, &text).await?;
    if let Some(current) = record.current {
        let digest = current.digest.to_text();
        session.put_setting(ADMIN_TOKEN_DIGEST, &digest).await?;
    }
    session.commit().await?;
    Ok(())
}

fn unusable(error: DataDirError) -> Error {
    Error::unexpected("use the file of the administrator's token")(error)
}
