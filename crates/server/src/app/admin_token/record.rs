//! What is remembered of the administrator's tokens, and what a presented one is worth. Pure: no
//! clock, no file, no store.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strongroom_core::error::{Code, Problem};
use subtle::ConstantTimeEq as _;

use crate::app::limits::MAX_FORMER_TOKENS;

/// The SHA-256 of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// The digest of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(bytes)
    }

    /// As stored.
    #[must_use]
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Self::to_text`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Equality that takes the same time whatever differs.
    #[must_use]
    pub fn equals(self, other: Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl TryFrom<String> for TokenDigest {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not the digest of a token")
    }
}

impl From<TokenDigest> for String {
    fn from(digest: TokenDigest) -> Self {
        digest.to_text()
    }
}

/// A token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    /// Which.
    pub digest: TokenDigest,
    /// Since when.
    pub at: Timestamp,
}

/// Why a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Another took its place.
    Replaced,
    /// It reached its lifetime.
    Lifetime,
}

/// A token that was ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Former {
    /// Which.
    pub digest: TokenDigest,
    /// Refused since.
    pub until: Timestamp,
    /// Why.
    pub end: End,
}

/// A token that is about to take the place of the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Next {
    /// The token.
    pub issued: Issued,
    /// What the current one becomes; none at the first start.
    pub replaces: Option<Former>,
}

/// What a presented token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the administrator's.
    Valid,
    /// It was.
    Ended {
        /// Refused since.
        since: Timestamp,
        /// Why.
        end: End,
    },
    /// It never was, or is forgotten.
    Unknown,
}

impl Standing {
    /// The refusal of a token that is not valid.
    #[must_use]
    pub fn refusal(self) -> Option<Problem> {
        let (since, why) = match self {
            Self::Valid => return None,
            Self::Unknown => {
                return Some(Problem::new(
                    Code::InvalidAuthenticationToken,
                    "The access token is invalid: this server did not issue it.",
                ));
            }
            Self::Ended { since, end } => match end {
                End::Replaced => (since, "it was replaced by a new one"),
                End::Lifetime => (since, "it reached its lifetime"),
            },
        };
        Some(Problem::new(
            Code::ExpiredAuthenticationToken,
            format!("The access token is not valid since {since:.0}: {why}."),
        ))
    }
}

/// Every token that matters: one current, perhaps one next, and those that were.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The one that is accepted; none before the first start is through.
    pub current: Option<Issued>,
    /// Announced, and not yet known to be in the file.
    pub next: Option<Next>,
    /// Refused as expired, oldest first, at most [`MAX_FORMER_TOKENS`].
    pub former: Vec<Former>,
}

/// How long a token is accepted; none = until it is replaced.
pub type Lifetime = Option<SignedDuration>;

/// When a token of this age ends; none = never, also when that is beyond all dates.
#[must_use]
pub fn expiry(issued: Issued, lifetime: Lifetime) -> Option<Timestamp> {
    issued.at.checked_add(lifetime?).ok()
}

impl Record {
    /// Whether its current token was issued after that of the other.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.current.map(|issued| issued.at) > other.current.map(|issued| issued.at)
    }

    /// What a presented token is worth. Every remembered digest is compared, found or not.
    #[must_use]
    pub fn standing(&self, presented: TokenDigest, now: Timestamp, lifetime: Lifetime) -> Standing {
        let mut standing = Standing::Unknown;
        for former in &self.former {
            if former.digest.equals(presented) {
                standing = Standing::Ended {
                    since: former.until,
                    end: former.end,
                };
            }
        }
        if let Some(current) = self.current
            && current.digest.equals(presented)
        {
            standing = match self.ended(now, lifetime) {
                Some(since) => Standing::Ended {
                    since,
                    end: End::Lifetime,
                },
                None => Standing::Valid,
            };
        }
        standing
    }

    /// Since when the current token is past its lifetime.
    #[must_use]
    pub fn ended(&self, now: Timestamp, lifetime: Lifetime) -> Option<Timestamp> {
        expiry(self.current?, lifetime).filter(|end| *end <= now)
    }

    /// The record with `digest` as the next token.
    #[must_use]
    pub fn announced(&self, digest: TokenDigest, now: Timestamp, lifetime: Lifetime) -> Self {
        let replaces = self.current.map(|current| {
            let ended = self.ended(now, lifetime);
            Former {
                digest: current.digest,
                until: ended.unwrap_or(now),
                end: ended.map_or(End::Replaced, |_| End::Lifetime),
            }
        });
        Self {
            next: Some(Next {
                issued: Issued { digest, at: now },
                replaces,
            }),
            ..self.clone()
        }
    }

    /// The record in which the next token is the current one and the one before it is refused.
    #[must_use]
    pub fn settled(mut self) -> Self {
        if let Some(next) = self.next.take() {
            self.current = Some(next.issued);
            self.former.extend(next.replaces);
            let surplus = self.former.len().saturating_sub(MAX_FORMER_TOKENS);
            self.former.drain(..surplus);
        }
        self
    }

    /// The record after a process that ended at any point: the file decides whether the next token
    /// took its place. `in_file` is the digest of what `admin.token` holds.
    #[must_use]
    pub fn resolved(mut self, in_file: Option<TokenDigest>) -> Self {
        let published = self
            .next
            .is_some_and(|next| in_file.is_some_and(|found| found.equals(next.issued.digest)));
        if published {
            return self.settled();
        }
        self.next = None;
        self
    }
}
