//! The claims that a backup has taken and whose volumes are still to be looked after.

use strongroom_core::ObjectRef;
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_core::volumes::ClaimFacts;

use crate::limits::VOLUMES_MAX;

/// One claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its name in the report.
    pub(crate) object: ObjectRef,
    /// Its own bytes.
    pub(crate) bytes: u64,
    /// Why it was taken.
    pub(crate) reason: String,
    /// What decisions need.
    pub(crate) facts: ClaimFacts,
}

impl Held {
    /// Its line, as far as it concerns the claim alone.
    pub(crate) fn line(&self) -> ObjectOutcome {
        ObjectOutcome::new(self.object.clone(), Outcome::BackedUp, self.reason.clone())
            .with_bytes(self.bytes)
    }
}

/// All of them, up to [`VOLUMES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Claims(Vec<Held>);

impl Claims {
    /// Keeps a claim in mind; gives it back when there are too many.
    pub(crate) fn hold(&mut self, claim: Held) -> Option<Held> {
        if self.0.len() >= VOLUMES_MAX {
            return Some(claim);
        }
        self.0.push(claim);
        None
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the order of their names in a recovery point.
    pub(crate) fn sorted(mut self) -> Vec<Held> {
        self.0.sort_by_cached_key(|held| held.object.key());
        self.0.dedup_by_key(|held| held.object.key());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_core::ResourceType;

    #[test]
    fn no_more_claims_are_kept_in_mind_than_the_limit() {
        let kind = ResourceType::new(
            "",
            "v1",
            "PersistentVolumeClaim",
            "persistentvolumeclaims",
            true,
        );
        let claim = |n: usize| Held {
            object: ObjectRef::new(&kind, Some("shop"), &format!("c{n}")),
            bytes: 1,
            reason: String::new(),
            facts: ClaimFacts::default(),
        };
        let mut claims = Claims::default();
        for n in 0..VOLUMES_MAX {
            assert_eq!(claims.hold(claim(n)), None);
        }
        assert_eq!(claims.hold(claim(VOLUMES_MAX)), Some(claim(VOLUMES_MAX)));
        assert_eq!(claims.sorted().len(), VOLUMES_MAX);
    }
}
