//! Trusted Access: the one credential that a vault has in a cluster.
//!
//! Contract: it can make, read and remove our Backups and Restores and read the extension's status,
//! in the extension's namespace, and nothing else ([`RULES`]). It cannot read Secrets, not even the
//! extension's key; job secrets travel sealed. Its tokens are asked for through the TokenRequest API
//! and end by themselves ([`TOKEN_LONGEST`]); deleting the service account ends all of them at once.
//!
//! RBAC knows no owner of an object, so two vaults of one cluster can see and remove each other's
//! jobs. They cannot read each other's secrets, which are sealed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use strongroom_core::object::ResourceType;
use zeroize::Zeroizing;

use super::Rule;
use crate::apply::{self, Propagation};
use crate::cluster::{Cluster, ClusterError, path_of};
use crate::crd::GROUP;
use crate::limits::{TOKEN_LONGEST, TOKEN_SHORTEST};
use crate::{FIELD_MANAGER, MANAGED_BY, MANAGED_BY_LABEL};

/// All that a vault may do, each with its reason.
pub const RULES: &[Rule] = &[
    Rule {
        groups: &[GROUP],
        resources: &["backups", "restores"],
        verbs: &["get", "list", "watch", "create", "delete"],
        reason: "A vault asks for a job by making its custom resource, follows its status, and \
                 removes it when it is done. Never update or patch: a job's spec does not change, \
                 and its status is the extension's to write.",
    },
    Rule {
        groups: &[GROUP],
        resources: &["backupextensions"],
        verbs: &["get", "list", "watch"],
        reason: "The extension's status tells the vault whether it works and to which key the \
                 job's secrets must be sealed.",
    },
];

/// The label by which a cluster's Trusted Access is found, whatever the vault.
pub const LABEL: &str = "clusterbackup.dataprotection.microsoft.com/trusted-access";
/// The annotation that tells a reader which vault it is.
pub const VAULT_ANNOTATION: &str = "clusterbackup.dataprotection.microsoft.com/vault";

/// A vault's credential for a while.
#[derive(Clone)]
pub struct Token {
    /// The bearer token; wiped from memory when dropped.
    pub token: Zeroizing<String>,
    /// When it ends by itself.
    pub expires: Timestamp,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Token")
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The name of a vault's service account, role and binding. A resource id is too long and has
/// slashes, so it is the first 40 hexadecimal digits of its SHA-256; ids are compared without case.
pub fn account_name(vault_id: &str) -> String {
    let digest = Sha256::digest(vault_id.to_lowercase().as_bytes());
    let hex: String = digest
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("vault-{hex}")
}

/// The objects that make up a vault's Trusted Access, in the order in which they are made.
pub fn manifests(namespace: &str, vault_id: &str) -> Vec<Value> {
    let name = account_name(vault_id);
    let metadata = json!({
        "name": name,
        "namespace": namespace,
        "labels": { MANAGED_BY_LABEL: MANAGED_BY, LABEL: "true" },
        "annotations": { VAULT_ANNOTATION: vault_id },
    });
    let rules: Vec<Value> = RULES.iter().map(Rule::policy_rule).collect();
    vec![
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata,
            // No pod runs as it; were one made so by mistake, it would get no token.
            "automountServiceAccountToken": false,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata,
            "rules": rules,
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name,
            },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
        }),
    ]
}

/// Grants a vault its access; doing it again changes nothing. The namespace must be there.
pub async fn grant(cluster: &Cluster, namespace: &str, vault_id: &str) -> Result<(), ClusterError> {
    let name = account_name(vault_id);
    for (kind, object) in kinds().iter().zip(manifests(namespace, vault_id)) {
        let found = apply::get(cluster, kind, Some(namespace), &name).await?;
        if found.is_some_and(|found| super::refers_elsewhere(&object, &found)) {
            // The API server does not let a binding be given another role.
            let how = Propagation::Background;
            apply::delete(cluster, kind, Some(namespace), &name, None, how).await?;
        }
        apply::patch_apply(cluster, kind, &object, FIELD_MANAGER, true).await?;
    }
    Ok(())
}

/// Takes it back, all of it; its tokens end with the service account. Whether any of it was there.
pub async fn revoke(
    cluster: &Cluster,
    namespace: &str,
    vault_id: &str,
) -> Result<bool, ClusterError> {
    let name = account_name(vault_id);
    let mut any = false;
    // The binding first: it ends the rights even when what follows fails.
    for kind in kinds().iter().rev() {
        let how = Propagation::Background;
        any |= apply::delete(cluster, kind, Some(namespace), &name, None, how).await?;
    }
    Ok(any)
}

/// Whether a vault's access is all there.
pub async fn is_granted(
    cluster: &Cluster,
    namespace: &str,
    vault_id: &str,
) -> Result<bool, ClusterError> {
    let name = account_name(vault_id);
    for (kind, object) in kinds().iter().zip(manifests(namespace, vault_id)) {
        let found = apply::get(cluster, kind, Some(namespace), &name).await?;
        if !super::lacks(&object, found.as_ref()).is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[derive(Deserialize)]
struct TokenRequest {
    status: TokenStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenStatus {
    token: String,
    expiration_timestamp: Timestamp,
}

/// A token for a vault, asked for with the cluster's own credential. `ttl` is brought into
/// [`TOKEN_SHORTEST`]..=[`TOKEN_LONGEST`]; the server may grant another time, which
/// [`Token::expires`] tells.
pub async fn token(
    cluster: &Cluster,
    namespace: &str,
    vault_id: &str,
    ttl: Duration,
) -> Result<Token, ClusterError> {
    let name = account_name(vault_id);
    let doing = format!("ask for a token of service account {namespace}/{name}");
    let seconds = ttl.clamp(TOKEN_SHORTEST, TOKEN_LONGEST).as_secs();
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": { "expirationSeconds": seconds },
    });
    let account = service_accounts();
    let path = format!("{}/token", path_of(&account, Some(namespace), Some(&name)));
    let answer: TokenRequest = apply::post(cluster, &path, &body, &doing)
        .await?
        .json(&doing)?;
    Ok(Token {
        token: Zeroizing::new(answer.status.token),
        expires: answer.status.expiration_timestamp,
    })
}

/// The rights that granting and revoking take: for *missing permissions* before anything is done.
/// Making a role takes the rights that it grants, too (RBAC prevents escalation).
pub fn needed_to_grant(namespace: &str) -> Vec<super::Permission> {
    let mut all = Vec::new();
    for kind in kinds() {
        for verb in ["get", "create", "patch", "delete"] {
            let resource = &kind.plural;
            all.push(super::Permission::in_namespace(
                verb,
                &kind.group,
                resource,
                namespace,
            ));
        }
    }
    all.push(super::Permission::in_namespace(
        "create",
        "",
        "serviceaccounts/token",
        namespace,
    ));
    all.extend(
        RULES
            .iter()
            .flat_map(|rule| rule.permissions(Some(namespace))),
    );
    all
}

fn service_accounts() -> ResourceType {
    ResourceType::new("", "v1", "ServiceAccount", "serviceaccounts", true)
}

/// The types of [`manifests`], in their order.
fn kinds() -> [ResourceType; 3] {
    let rbac =
        |kind, plural| ResourceType::new("rbac.authorization.k8s.io", "v1", kind, plural, true);
    [
        service_accounts(),
        rbac("Role", "roles"),
        rbac("RoleBinding", "rolebindings"),
    ]
}
