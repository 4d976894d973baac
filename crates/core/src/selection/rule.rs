//! The rules that take or leave an object, each with the sentence that a report shows.
//!
//! Contract: the code of a rule (its variant's name) is stored in reports and never changes its
//! meaning; the sentence may be improved.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A decision about a namespace, a type or an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// Whether it is taken.
    pub included: bool,
    /// The rule that said so.
    pub rule: Rule,
}

impl Decision {
    /// Taken, by this rule.
    #[must_use]
    pub const fn include(rule: Rule) -> Self {
        Self {
            included: true,
            rule,
        }
    }

    /// Left, by this rule.
    #[must_use]
    pub const fn exclude(rule: Rule) -> Self {
        Self {
            included: false,
            rule,
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            if self.included { "taken" } else { "left" },
            self.rule
        )
    }
}

macro_rules! rules {
    ($($(#[$doc:meta])* $rule:ident => $reason:literal,)+) => {
        /// Why something is taken, left, restored or not restored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Rule {
            $(#[doc = $reason] $rule,)+
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Self] = &[$(Self::$rule,)+];

            /// The stable code of the rule.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$rule => stringify!($rule),)+ }
            }

            /// The reason, as a report shows it.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$rule => $reason,)+ }
            }
        }
    };
}

rules! {
    // Taken.
    AllNamespaces => "all namespaces are chosen, existing and future ones",
    NamespaceChosen => "its namespace is chosen",
    ClusterScoped => "objects of the cluster's own scope are chosen",
    TypeTaken => "its type is chosen",
    NamespaceCarried => "the namespace is kept for the objects in it and restored only when one of them is",
    TakenWhenNeeded => "objects of the cluster's own scope are switched off; those that taken objects need are taken",
    NeededByTaken => "objects of the cluster's own scope are switched off, but something that is taken needs it",
    // Left by the configuration.
    NamespaceExcluded => "its namespace is excluded",
    NamespaceNotChosen => "its namespace is not among the chosen ones",
    TypeExcluded => "its type is excluded",
    TypeNotChosen => "its type is not among the chosen ones",
    LabelsDiffer => "its labels do not match the label selectors",
    SecretsSwitchedOff => "secrets are switched off in the configuration",
    ClusterScopeSwitchedOff => "objects of the cluster's own scope are switched off in the configuration",
    NotNeeded => "objects of the cluster's own scope are switched off, and nothing that is taken needs it",
    // Left by its own wish.
    ExcludedByLabel => "its label strongroom.io/exclude-from-backup or velero.io/exclude-from-backup is true",
    NamespaceExcludedByLabel => "the label strongroom.io/exclude-from-backup or velero.io/exclude-from-backup of its namespace is true",
    // Never taken.
    SystemNamespace => "kube-system, kube-public and kube-node-lease belong to the cluster and are never taken",
    OwnNamespace => "the Backup extension's own namespace is bookkeeping and is never taken",
    OwnObject => "this is the Backup extension's own bookkeeping; installing the extension makes it",
    EventExpires => "events tell what happened and expire by themselves",
    LeaseIsMomentary => "leases say who leads at this moment",
    EndpointsFollowService => "a controller makes it from the Service and its pods",
    NodeIsMachine => "nodes and what describes them belong to the machines of this cluster",
    VolumeAttachmentIsMomentary => "a controller attaches volumes to the nodes that need them",
    HealthIsMomentary => "a health report or a metric describes this moment only",
    AggregatedMetrics => "metrics are computed when they are asked for",
    MadeByApiServer => "the API server makes and keeps this object itself",
    MadeByControllerManager => "the controller manager makes and keeps this object itself",
    AccessReviewIsAQuestion => "reviews are questions to the API server, not objects",
    // Restored or not, by what recreates it.
    Restorable => "nothing else makes it, so the restore does",
    ControllerRecreates => "its controller makes it anew",
    StaticPod => "a node runs it from a file of its own",
    DefaultServiceAccountPatched => "every namespace gets this service account by itself; the restore adds what was set on it",
    ObjectWasTerminating => "it was already being deleted when it was read",
    VolumeProvisionedAgain => "the volume was provisioned for its claim and goes with it; the claim gets a new one",
    SnapshotTakenAgain => "the content was made for its snapshot and goes with it; the snapshot gets a new one",
    CertificateRequestIsMomentary => "a certificate request is valid for its requester and for its time only",
    HistoryAdopted => "the rollout history is restored and adopted by its owner",
    FinishedRunKept => "it had finished: it is restored as finished and does not run again",
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}
