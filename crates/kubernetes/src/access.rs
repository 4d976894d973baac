//! Rights: what a request needs, which of them the credential in hand has, and the one narrow
//! credential that a vault gets ([`trusted_access`]).

mod held;
pub mod trusted_access;

use std::fmt;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{Method, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::held::{lacks, refers_elsewhere};
use crate::apply;
use crate::cluster::{Cluster, ClusterError};
use crate::limits::REVIEWS_AT_ONCE;

/// One thing that RBAC may allow: a verb on a resource, or on a path that is no resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permission {
    /// As in `list`.
    pub verb: String,
    /// The API group; empty is the core group, `*` is every group.
    pub group: String,
    /// The plural name, with a subresource as in `pods/exec`; `*` is every resource.
    pub resource: String,
    /// The namespace; none is the whole cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// One object; none is all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Permission {
    /// A right in the whole cluster.
    pub fn cluster_wide(verb: &str, group: &str, resource: &str) -> Self {
        Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource: resource.to_owned(),
            namespace: None,
            name: None,
        }
    }

    /// A right in one namespace.
    pub fn in_namespace(verb: &str, group: &str, resource: &str, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..Self::cluster_wide(verb, group, resource)
        }
    }

    /// What a request to an API server needs, read from its method and path the way the server
    /// itself does it (`apiserver/pkg/endpoints/request/requestinfo.go`). None for paths that are
    /// no resource (`/version`, `/apis`).
    pub fn of_request(method: &Method, uri: &Uri) -> Option<Self> {
        let parts: Vec<String> = uri
            .path()
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| {
                percent_encoding::percent_decode_str(part)
                    .decode_utf8_lossy()
                    .into_owned()
            })
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (group, rest) = match parts.as_slice() {
            ["api", _version, rest @ ..] => ("", rest),
            ["apis", group, _version, rest @ ..] => (*group, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", name] => (None, ["namespaces", name].to_vec()),
            ["namespaces", name, sub @ ("status" | "finalize")] => {
                (None, ["namespaces", name, sub].to_vec())
            }
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest.to_vec()),
            rest => (None, rest.to_vec()),
        };
        let (resource, name) = match rest.as_slice() {
            [resource] => ((*resource).to_owned(), None),
            [resource, name] => ((*resource).to_owned(), Some((*name).to_owned())),
            [resource, name, sub, ..] => (format!("{resource}/{sub}"), Some((*name).to_owned())),
            [] => return None,
        };
        let watching = uri.query().is_some_and(|query| {
            query
                .split('&')
                .any(|pair| pair == "watch=true" || pair == "watch=1")
        });
        let verb = match (method, &name) {
            (&Method::GET | &Method::HEAD, _) if watching => "watch",
            (&Method::GET | &Method::HEAD, Some(_)) => "get",
            (&Method::GET | &Method::HEAD, None) => "list",
            (&Method::POST, _) => "create",
            (&Method::PUT, _) => "update",
            (&Method::PATCH, _) => "patch",
            (&Method::DELETE, Some(_)) => "delete",
            (&Method::DELETE, None) => "deletecollection",
            _ => return None,
        };
        Some(Self {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource,
            namespace,
            name,
        })
    }
}

impl fmt::Display for Permission {
    /// The RBAC rule that grants it, in the words of a Role.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "a rule with apiGroups: [{:?}], resources: [{:?}], verbs: [{:?}]",
            self.group, self.resource, self.verb
        )?;
        match &self.namespace {
            Some(namespace) => write!(formatter, " in a Role of namespace {namespace}"),
            None => write!(formatter, " in a ClusterRole"),
        }
    }
}

/// A row of a table of rules: what a role grants, and why it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// API groups.
    pub groups: &'static [&'static str],
    /// Resources.
    pub resources: &'static [&'static str],
    /// Verbs.
    pub verbs: &'static [&'static str],
    /// Why it is needed, in a sentence for whoever reviews the role.
    pub reason: &'static str,
}

impl Rule {
    /// As an RBAC `PolicyRule`.
    pub fn policy_rule(&self) -> serde_json::Value {
        json!({"apiGroups": self.groups, "resources": self.resources, "verbs": self.verbs})
    }

    /// Each single permission of it.
    pub fn permissions(&self, namespace: Option<&str>) -> Vec<Permission> {
        let mut all = Vec::new();
        for group in self.groups {
            for resource in self.resources {
                for verb in self.verbs {
                    all.push(Permission {
                        namespace: namespace.map(str::to_owned),
                        ..Permission::cluster_wide(verb, group, resource)
                    });
                }
            }
        }
        all
    }
}

/// A right that the credential does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The right.
    pub permission: Permission,
    /// What the authorizer said about it; often nothing.
    pub reason: String,
}

/// Asks the API server which of `permissions` the credential lacks, in their order. Nobody needs a
/// right to ask this about himself (`system:basic-user`).
pub async fn review(
    cluster: &Cluster,
    permissions: &[Permission],
) -> Result<Vec<Missing>, ClusterError> {
    let answers = stream::iter(permissions.to_vec())
        .map(|permission| review_one(cluster.clone(), permission))
        .buffered(REVIEWS_AT_ONCE);
    let answers: Vec<Option<Missing>> = answers.try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

#[derive(Deserialize)]
struct Review {
    status: ReviewStatus,
}

#[derive(Deserialize)]
struct ReviewStatus {
    allowed: bool,
    #[serde(default)]
    reason: String,
}

async fn review_one(
    cluster: Cluster,
    permission: Permission,
) -> Result<Option<Missing>, ClusterError> {
    let (resource, subresource) = permission
        .resource
        .split_once('/')
        .unwrap_or((&permission.resource, ""));
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "verb": permission.verb,
            "group": permission.group,
            "resource": resource,
            "subresource": subresource,
            "namespace": permission.namespace.as_deref().unwrap_or_default(),
            "name": permission.name.as_deref().unwrap_or_default(),
        }},
    });
    let doing = format!(
        "ask whether {} {} is allowed",
        permission.verb, permission.resource
    );
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review: Review = apply::post(&cluster, path, &body, &doing)
        .await?
        .json(&doing)?;
    Ok((!review.status.allowed).then_some(Missing {
        permission,
        reason: review.status.reason,
    }))
}

#[cfg(test)]
mod tests;
