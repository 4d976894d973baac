//! Under which term of the work's lease something is written.
//!
//! Contract: whoever works by a lease does so inside of [`by_term`], and tasks that this leaves behind are
//! begun through [`inherited`]. A session that is begun in it commits only as long as the lease is in that
//! term; the check is part of the transaction, so that a server which lost the lease without knowing it
//! writes nothing.

use strongroom_core::lease::Lease;

tokio::task_local! {
    static TERM: u64;
}

/// The lease of all that the server does by itself.
pub const WORK: &str = "work";

/// A lease with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// [`WORK`], or the id of a server that is there.
    pub name: String,
    /// Who has it.
    pub lease: Lease,
}

/// Carries `what` out under a term of the work's lease.
pub async fn by_term<F: Future>(term: u64, what: F) -> F::Output {
    TERM.scope(term, what).await
}

/// The same under the term in which this is called, for a task of its own; as it is when there is none.
pub fn inherited<F: Future>(what: F) -> impl Future<Output = F::Output> {
    let term = in_force();
    async move {
        match term {
            Some(term) => by_term(term, what).await,
            None => what.await,
        }
    }
}

/// The term under which the caller works, if it works by the lease.
pub(super) fn in_force() -> Option<u64> {
    TERM.try_with(|term| *term).ok()
}
