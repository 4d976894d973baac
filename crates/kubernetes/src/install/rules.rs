//! The extension's rights, each with its reason. The ClusterRole and the Role are generated from
//! these tables, and the reasons stand in their annotation for whoever reviews a cluster.
//!
//! Be clear about what this amounts to: whoever can create any object, roles included, can do
//! anything. No tool that restores whole applications can have less. What protects the cluster is
//! that nobody but the extension's pod has this credential, that the vault's own one can do nothing
//! of it ([`crate::access::trusted_access`]), and that the namespace is closed to other pods'
//! privileges (restricted pod security).

use crate::access::{Permission, Rule, trusted_access};
use crate::crd::GROUP;

/// In the whole cluster.
pub const CLUSTER_RULES: &[Rule] = &[
    Rule {
        groups: &["*"],
        resources: &["*"],
        verbs: &["get", "list"],
        reason: "A backup reads objects of every kind, kinds of custom resources that do not exist \
                 yet among them, and RBAC can only name kinds one by one or all. Secrets are among \
                 them: an application does not start without its own. A backup configuration \
                 leaves them out when it says so; RBAC cannot take one kind out of all.",
    },
    Rule {
        groups: &["*"],
        resources: &["*"],
        verbs: &["create", "patch", "update"],
        reason: "A restore creates objects of every kind that was backed up, patches those that \
                 are there when the conflict policy says so, and writes the status of custom \
                 resources. There is no delete: neither policy removes anything.",
    },
    Rule {
        groups: &["snapshot.storage.k8s.io"],
        resources: &["volumesnapshots", "volumesnapshotcontents"],
        verbs: &["delete"],
        reason: "The VolumeSnapshot beside a claim is removed as soon as its content stands by \
                 itself, so that nothing of a backup or restore stays in a user's namespace, and \
                 the content with the driver's snapshot when its recovery point expires. Only \
                 those with the label of a recovery point or a restore are removed; RBAC cannot \
                 tell them apart.",
    },
    Rule {
        groups: &["snapshot.storage.k8s.io"],
        resources: &["volumesnapshotcontents"],
        verbs: &["watch"],
        reason: "While a backup takes snapshots it learns from a watch that one is cut, so that an \
                 application stands frozen no longer than it must. Without it the extension asks \
                 again and again.",
    },
    Rule {
        groups: &["groupsnapshot.storage.k8s.io"],
        resources: &["volumegroupsnapshots", "volumegroupsnapshotcontents"],
        verbs: &["delete"],
        reason: "The same of volumes that were snapshotted at one instant: a driver removes the \
                 snapshots of a group together only. Only those with the label of a recovery point \
                 are removed; RBAC cannot tell them apart.",
    },
    Rule {
        groups: &["snapshot.storage.k8s.io"],
        resources: &["volumesnapshotclasses"],
        verbs: &["delete"],
        reason: "The classes that are made of what a snapshot resource group says of drivers are \
                 removed when no snapshot names them any more. Only those with our label are; RBAC \
                 cannot tell them apart.",
    },
    Rule {
        groups: &[""],
        resources: &["pods/exec"],
        verbs: &["create", "get"],
        reason: "The commands of hooks run in the pods that a backup configuration's BackupHooks \
                 select. A WebSocket is opened with a GET, and the API server asks for both \
                 verbs. The rules above allow it already, because they name every resource; this \
                 one says what it is used for.",
    },
    Rule {
        groups: &["rbac.authorization.k8s.io"],
        resources: &["clusterroles", "roles"],
        verbs: &["bind", "escalate"],
        reason: "A restored Role may grant what the extension does not have itself, and a restored \
                 binding may refer to such a role. RBAC allows that only with these two verbs.",
    },
    Rule {
        groups: &["certificates.k8s.io"],
        resources: &["signers"],
        verbs: &["attest"],
        reason: "A ClusterTrustBundle that names a signer may only be written by who may attest \
                 for that signer. Which signers a backup holds is not known beforehand.",
    },
];

/// In the extension's own namespace.
pub const NAMESPACE_RULES: &[Rule] = &[
    Rule {
        groups: &[GROUP],
        resources: &["backups", "restores"],
        verbs: &["get", "list", "watch"],
        reason: "The jobs that vaults ask for.",
    },
    Rule {
        groups: &[GROUP],
        resources: &[
            "backups/status",
            "restores/status",
            "backupextensions/status",
        ],
        verbs: &["get", "patch", "update"],
        reason: "How the jobs stand, and how the extension itself does.",
    },
    Rule {
        groups: &[GROUP],
        resources: &["backupextensions"],
        verbs: &["create", "get", "list", "patch", "update", "watch"],
        reason: "The one object in which the extension tells that it is there.",
    },
    Rule {
        groups: &[""],
        resources: &["secrets"],
        verbs: &["create", "get", "patch", "update"],
        reason: "Its own private key, to which job secrets are sealed.",
    },
    Rule {
        groups: &[""],
        resources: &["configmaps"],
        verbs: &["create", "delete", "get", "list", "patch", "update"],
        reason: "The ledgers of volume snapshots: one for each recovery point that has any, gone \
                 with the last of them. And the journals of hooks: what is to be thawed, gone with \
                 the thaw, and which commands ran after a restore, gone with its job.",
    },
];

/// The rights that installing and removing the extension take, for a check before anything is done.
/// Making roles takes the rights that they grant (RBAC prevents escalation), so those are in it.
pub fn needed_to_install(namespace: &str) -> Vec<Permission> {
    let mut all = Vec::new();
    let verbs = ["get", "create", "patch", "delete"];
    for (group, resource) in [
        ("", "namespaces"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("rbac.authorization.k8s.io", "clusterroles"),
        ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ] {
        all.extend(verbs.map(|verb| Permission::cluster_wide(verb, group, resource)));
    }
    for (group, resource) in [
        ("", "serviceaccounts"),
        ("apps", "deployments"),
        ("rbac.authorization.k8s.io", "roles"),
        ("rbac.authorization.k8s.io", "rolebindings"),
    ] {
        all.extend(verbs.map(|verb| Permission::in_namespace(verb, group, resource, namespace)));
    }
    all.push(Permission::in_namespace("list", "", "pods", namespace));
    all.push(Permission::in_namespace(
        "list",
        "apps",
        "replicasets",
        namespace,
    ));
    all.push(Permission::in_namespace(
        "create",
        "",
        "serviceaccounts/token",
        namespace,
    ));
    all.extend(CLUSTER_RULES.iter().flat_map(|rule| rule.permissions(None)));
    all.extend(
        NAMESPACE_RULES
            .iter()
            .flat_map(|rule| rule.permissions(Some(namespace))),
    );
    all.extend(
        trusted_access::RULES
            .iter()
            .flat_map(|rule| rule.permissions(Some(namespace))),
    );
    all.sort();
    all.dedup();
    all
}
