//! What a backup and a restore of the sample may say, object by object, and why: the written list.
//!
//! Contract: a line of a report explains a loss only when a row here says so, word for word. A finding
//! or a failure without a row fails the judgement, and so does a row that nothing needed.

use serde_json::Value;

use super::snapshot::Identity;

/// One row.
pub(super) struct Allowed {
    /// The kind.
    pub(super) kind: &'static str,
    /// Namespace and name, as `namespace/name`; a `*` at the end stands for any end.
    pub(super) name: &'static str,
    /// The outcome that the report tells.
    pub(super) outcome: &'static str,
    /// The code, empty for none.
    pub(super) code: &'static str,
    /// What the reason holds.
    pub(super) words: &'static str,
    /// Why it is right so.
    pub(super) why: &'static str,
}

const fn left(
    kind: &'static str,
    name: &'static str,
    words: &'static str,
    why: &'static str,
) -> Allowed {
    Allowed {
        kind,
        name,
        outcome: "Skipped",
        code: "",
        words,
        why,
    }
}

/// What a backup finds.
const fn taken(
    name: &'static str,
    code: &'static str,
    words: &'static str,
    why: &'static str,
) -> Allowed {
    Allowed {
        kind: "PersistentVolumeClaim",
        name,
        outcome: "BackedUp",
        code,
        words,
        why,
    }
}

/// A claim that is restored although its class is nowhere.
const fn without_class(name: &'static str) -> Allowed {
    Allowed {
        kind: "PersistentVolumeClaim",
        name,
        outcome: "Created",
        code: "UserErrorStorageClassMissingForPVC",
        words: "names the StorageClass no-such-class",
        why: "it waits for a class that nobody has, as it did",
    }
}

const UNBOUND: &str = "UserErrorPVCNotBoundToVolume";
const NO_VOLUME: &str = "no volume is bound to the claim yet";
const AS_IT_WAS: &str = "it never had a volume";
const ANEW: &str = "its controller makes it anew";
const A_RUN: &str = "a pod of a controller is one of many; the judgement counts them";
const EVENTS: &str = "events tell what happened and expire by themselves";

/// Every row.
pub(super) const ALLOWED: &[Allowed] = &[
    left(
        "Event",
        "trap-*",
        EVENTS,
        "an event is about the life of an object that is gone",
    ),
    left(
        "Lease",
        "trap-app/leader",
        "leases say who leads at this moment",
        "whoever leads takes it anew",
    ),
    left(
        "CertificateSigningRequest",
        "/trap-request",
        "valid for its requester and for its time only",
        "the API server writes who asks, so that it would be another's request",
    ),
    left(
        "EndpointSlice",
        "trap-*",
        "a controller makes it from the Service and its pods",
        "their names are random; the one that is written by hand has no such line",
    ),
    left("Pod", "trap-app/everywhere-*", ANEW, A_RUN),
    left("Pod", "trap-app/midway-*", ANEW, A_RUN),
    left("Pod", "trap-app/old-style-*", ANEW, A_RUN),
    left("Pod", "trap-app/rolled-*", ANEW, A_RUN),
    left("Pod", "trap-runs/running-*", ANEW, A_RUN),
    left("Pod", "trap-runs/half-done-1-*", ANEW, A_RUN),
    left("Pod", "trap-runs/yearly-now-*", ANEW, A_RUN),
    left(
        "PersistentVolume",
        "/pvc-*",
        "gets a volume of its own",
        "the data come from the snapshot, in a volume that the provisioner names",
    ),
    taken("trap-app/by-selector", UNBOUND, NO_VOLUME, AS_IT_WAS),
    taken("trap-app/unbound", UNBOUND, NO_VOLUME, AS_IT_WAS),
    taken("trap-app/waits", UNBOUND, NO_VOLUME, AS_IT_WAS),
    taken("trap-owners/of-gadget", UNBOUND, NO_VOLUME, AS_IT_WAS),
    taken("trap-strict/too-large", UNBOUND, NO_VOLUME, AS_IT_WAS),
    taken(
        "trap-app/static",
        "VolumeDataNotProtected",
        "only CSI drivers take snapshots",
        "a folder of the node is no volume that could be snapshotted",
    ),
    without_class("trap-app/unbound"),
    without_class("trap-owners/of-gadget"),
    without_class("trap-strict/too-large"),
    Allowed {
        kind: "*",
        name: "/*",
        outcome: "Failed",
        code: "ApiGroupUnavailable",
        words: "down.trap.example.com/v1beta1",
        why: "the sample has an aggregated API whose server is down, and no objects of it",
    },
    Allowed {
        kind: "Tightening",
        name: "trap-app/legal-then",
        outcome: "Failed",
        code: "ObjectInvalidInTarget",
        words: "should be less than or equal to 100",
        why: "its own definition, which comes back too, has been tightened since it was made",
    },
];

impl Allowed {
    /// Whether this row is about what a line says of an object.
    fn is_about(&self, object: &Identity, line: &Value) -> bool {
        let text = |field: &str| line[field].as_str().unwrap_or_default();
        let name = format!("{}/{}", object.namespace, object.name);
        let named = match self.name.strip_suffix('*') {
            Some(front) => name.starts_with(front),
            None => name == self.name,
        };
        named
            && object.kind == self.kind
            && text("outcome") == self.outcome
            && text("code") == self.code
            && text("reason").contains(self.words)
    }
}

/// The place of the row that allows what a line says of an object.
pub(super) fn row_of(object: &Identity, line: &Value) -> Option<usize> {
    ALLOWED.iter().position(|row| row.is_about(object, line))
}
