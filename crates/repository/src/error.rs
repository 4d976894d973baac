//! What can go wrong with a repository, by what the reader must do about it. Every error says what
//! was being done to which object, and keeps the store's own error as its source.

use uuid::Uuid;

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the repository or of the store below it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The object (a recovery point, a report, an entry) is not there.
    #[error("{what} does not exist in the repository")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The store did not answer, or answered with a failure of its own, after bounded retries.
    #[error("the store could not be reached while {doing}")]
    Unreachable {
        /// What was being done to what.
        doing: String,
        /// The store's own words.
        #[source]
        source: object_store::Error,
    },
    /// The store refused the credential or the operation.
    #[error("the store denied access while {doing}")]
    Denied {
        /// What was being done to what.
        doing: String,
        /// The store's own words.
        #[source]
        source: object_store::Error,
    },
    /// The store takes no writes.
    #[error("the store is read-only: refused while {doing}")]
    ReadOnly {
        /// What was being done to what.
        doing: String,
        /// The store's own words.
        #[source]
        source: object_store::Error,
    },
    /// The store has no room left, or its quota is used up.
    #[error("the store is full: refused while {doing}")]
    Full {
        /// What was being done to what.
        doing: String,
        /// The store's own words.
        #[source]
        source: object_store::Error,
    },
    /// What the store holds is not what was written: changed, dropped, swapped, cut or foreign.
    #[error("{what} is damaged: {why}")]
    Corrupt {
        /// The object or part of one.
        what: String,
        /// What does not hold.
        why: String,
    },
    /// Something else stands where this was to be created.
    #[error("{what} exists already with other content")]
    Exists {
        /// What was to be created.
        what: String,
    },
    /// The key is not the one that the repository was made with.
    #[error("the key does not belong to this repository, or its format object was changed")]
    WrongKey,
    /// The repository was written by a newer version.
    #[error("{what} has format version {found}, this program reads up to {supported}")]
    UnsupportedVersion {
        /// The object.
        what: String,
        /// Version found.
        found: u8,
        /// Newest version that this program reads.
        supported: u8,
    },
    /// A limit of the format; see `limits.rs` for each with its reason.
    #[error("{what} has {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size, bytes.
        size: u64,
        /// The limit, bytes.
        limit: u64,
    },
    /// Names of a run did not come in strictly ascending order of bytes.
    #[error("\"{name}\" came after \"{previous}\": order must be strictly ascending")]
    OutOfOrder {
        /// The name before.
        previous: String,
        /// The name that came.
        name: String,
    },
    /// The calls to a writer do not follow its contract (for example `put` outside a run).
    #[error("writer of recovery point {point}: {why}")]
    Misuse {
        /// The point being written.
        point: Uuid,
        /// Which rule was broken.
        why: &'static str,
    },
    /// The writer lost its claim: the point was abandoned or deleted while it was being written.
    #[error("recovery point {point} was abandoned while it was being written")]
    Abandoned {
        /// The point being written.
        point: Uuid,
    },
    /// The description of a store cannot be used.
    #[error("store configuration: {why}")]
    InvalidConfig {
        /// What is wrong with it.
        why: String,
    },
    /// The system gave no random bytes, or a cryptographic or compression library refused.
    #[error("internal failure while {doing}: {why}")]
    Internal {
        /// What was being done.
        doing: &'static str,
        /// The library's words.
        why: String,
    },
}

impl Error {
    /// True for an error that a later try of the same operation may not meet again.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// True for damage: what was read is not what was written.
    pub fn is_corrupt(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }

    /// True when the thing looked for does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    pub(crate) fn corrupt(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Corrupt {
            what: what.into(),
            why: why.into(),
        }
    }
}

/// Refuses what is larger than its limit.
pub(crate) fn check_size(what: &str, size: usize, limit: usize) -> Result<()> {
    if size <= limit {
        return Ok(());
    }
    Err(Error::TooLarge {
        what: what.into(),
        size: size as u64,
        limit: limit as u64,
    })
}
