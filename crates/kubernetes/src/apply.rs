//! Reading and writing single objects of any type.
//!
//! Contract: one request per object when nothing is in the way. What is an outcome and not a fault
//! (an object that is already there, one that is gone already) is returned as such. All else is a
//! typed [`ClusterError`]. Writes other than [`create`] can be repeated without harm.

mod as_go;
mod wait;

use http::Method;
use serde_json::Value;
use strongroom_core::object::ResourceType;

pub use self::wait::{wait_established, wait_gone, wait_namespace_active};
use crate::FIELD_MANAGER;
use crate::cluster::{Cluster, ClusterError, Failure, Reply, path_of};

/// What became of a create.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is there now.
    New(Written),
    /// An object of that name was there. When the first attempt's answer was lost, that object may
    /// be the one which this call made: compare before judging.
    AlreadyExists,
}

/// An object as the server has it after a write.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// The object, defaulted and changed by admission.
    pub object: Value,
    /// The server's warnings, in its words: unknown fields that it dropped, deprecated versions.
    pub warnings: Vec<String>,
}

/// How a delete goes about what the object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Propagation {
    /// The object goes at once, what it owns later.
    Background,
    /// What it owns goes first.
    Foreground,
}

/// Reads one object; none when it, its namespace or its kind is not there.
pub async fn get(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
) -> Result<Option<Value>, ClusterError> {
    let doing = doing("read", kind, namespace, name);
    found(
        cluster
            .get_json(&path_of(kind, namespace, Some(name)), &doing)
            .await,
    )
}

/// Creates one object. Its namespace is the one in its metadata.
pub async fn create(
    cluster: &Cluster,
    kind: &ResourceType,
    object: &Value,
) -> Result<Created, ClusterError> {
    create_as(cluster, kind, object, FIELD_MANAGER).await
}

/// The same in the name of this field manager.
pub async fn create_as(
    cluster: &Cluster,
    kind: &ResourceType,
    object: &Value,
    field_manager: &str,
) -> Result<Created, ClusterError> {
    let (namespace, name) = identity(object);
    let doing = doing("create", kind, namespace, name);
    let path = format!(
        "{}?fieldManager={}",
        path_of(kind, namespace, None),
        crate::cluster::segment(field_manager),
    );
    match post(cluster, &path, object, &doing).await {
        Ok(reply) => Ok(Created::New(written(&reply, &doing)?)),
        Err(error) if error.is_already_exists() => Ok(Created::AlreadyExists),
        Err(error) => Err(error),
    }
}

/// What a create would bring, without carrying it out: the API server runs admission and validation
/// and stores nothing. A webhook that may not be asked so makes the API server refuse the request.
/// Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run>
pub async fn create_dry(
    cluster: &Cluster,
    kind: &ResourceType,
    object: &Value,
) -> Result<Created, ClusterError> {
    let (namespace, name) = identity(object);
    let doing = doing("try to create", kind, namespace, name);
    let path = format!(
        "{}?dryRun=All&fieldManager={FIELD_MANAGER}",
        path_of(kind, namespace, None)
    );
    match post(cluster, &path, object, &doing).await {
        Ok(reply) => Ok(Created::New(written(&reply, &doing)?)),
        Err(error) if error.is_already_exists() => Ok(Created::AlreadyExists),
        Err(error) => Err(error),
    }
}

/// Server-side apply of one object: creates it, or makes the fields that it names so. With `force`,
/// fields that another manager owns are taken over; without, they are a
/// [`Failure::Conflict`].
pub async fn patch_apply(
    cluster: &Cluster,
    kind: &ResourceType,
    object: &Value,
    field_manager: &str,
    force: bool,
) -> Result<Written, ClusterError> {
    let (namespace, name) = identity(object);
    let doing = doing("apply", kind, namespace, name);
    let path = format!(
        "{}?fieldManager={}&force={force}",
        path_of(kind, namespace, Some(name)),
        crate::cluster::segment(field_manager),
    );
    // JSON is YAML, so the body needs no conversion.
    patch(
        cluster,
        &path,
        "application/apply-patch+yaml",
        object,
        &doing,
    )
    .await
}

/// JSON merge patch (RFC 7386) of one object.
pub async fn patch_merge(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    changes: &Value,
) -> Result<Written, ClusterError> {
    patch_merge_as(cluster, kind, namespace, name, changes, FIELD_MANAGER).await
}

/// The same in the name of this field manager.
pub async fn patch_merge_as(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    changes: &Value,
    field_manager: &str,
) -> Result<Written, ClusterError> {
    let doing = doing("patch", kind, namespace, name);
    let path = format!(
        "{}?fieldManager={}",
        path_of(kind, namespace, Some(name)),
        crate::cluster::segment(field_manager),
    );
    patch(
        cluster,
        &path,
        "application/merge-patch+json",
        changes,
        &doing,
    )
    .await
}

/// Makes the status of one object what `status` says, by a merge patch of its status subresource.
/// Fields that are not named stay; a named `null` removes one.
pub async fn patch_status(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    status: &Value,
) -> Result<Written, ClusterError> {
    patch_status_as(cluster, kind, namespace, name, status, FIELD_MANAGER).await
}

/// The same in the name of this field manager.
pub async fn patch_status_as(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    status: &Value,
    field_manager: &str,
) -> Result<Written, ClusterError> {
    let doing = doing("write the status of", kind, namespace, name);
    let path = format!(
        "{}/status?fieldManager={}",
        path_of(kind, namespace, Some(name)),
        crate::cluster::segment(field_manager),
    );
    let body = serde_json::json!({ "status": status });
    patch(
        cluster,
        &path,
        "application/merge-patch+json",
        &body,
        &doing,
    )
    .await
}

/// Replaces the status of one object by that of `object`, which must carry the resource version that
/// it was read at: another writer in between is a [`Failure::Conflict`].
pub async fn replace_status(
    cluster: &Cluster,
    kind: &ResourceType,
    object: &Value,
) -> Result<Written, ClusterError> {
    let (namespace, name) = identity(object);
    let doing = doing("replace the status of", kind, namespace, name);
    let path = format!(
        "{}/status?fieldManager={FIELD_MANAGER}",
        path_of(kind, namespace, Some(name))
    );
    let reply = send(
        cluster,
        Method::PUT,
        &path,
        "application/json",
        object,
        &doing,
    )
    .await?;
    written(&reply, &doing)
}

/// Deletes one object; whether it was there. `uid`, when given, makes sure that it is still the same
/// one: another object of that name is a [`Failure::Conflict`] and stays.
pub async fn delete(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    uid: Option<&str>,
    propagation: Propagation,
) -> Result<bool, ClusterError> {
    let seen = uid.map(|uid| serde_json::json!({ "uid": uid }));
    delete_when(cluster, kind, namespace, name, seen, propagation).await
}

/// The same, when the object is still what these preconditions (`uid`, `resourceVersion`) say.
pub(crate) async fn delete_when(
    cluster: &Cluster,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
    preconditions: Option<Value>,
    propagation: Propagation,
) -> Result<bool, ClusterError> {
    let doing = doing("delete", kind, namespace, name);
    let mut options = serde_json::json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": match propagation {
            Propagation::Background => "Background",
            Propagation::Foreground => "Foreground",
        },
    });
    if let Some(preconditions) = preconditions {
        options["preconditions"] = preconditions;
    }
    let path = path_of(kind, namespace, Some(name));
    let outcome = send(
        cluster,
        Method::DELETE,
        &path,
        "application/json",
        &options,
        &doing,
    )
    .await;
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// POST of a JSON body to any path.
pub(crate) async fn post(
    cluster: &Cluster,
    path: &str,
    body: &Value,
    doing: &str,
) -> Result<Reply, ClusterError> {
    send(cluster, Method::POST, path, "application/json", body, doing).await
}

async fn patch(
    cluster: &Cluster,
    path: &str,
    content_type: &'static str,
    body: &Value,
    doing: &str,
) -> Result<Written, ClusterError> {
    let reply = send(cluster, Method::PATCH, path, content_type, body, doing).await?;
    written(&reply, doing)
}

async fn send(
    cluster: &Cluster,
    method: Method,
    path: &str,
    content_type: &'static str,
    body: &Value,
    doing: &str,
) -> Result<Reply, ClusterError> {
    let bytes = as_go::bytes(body).map_err(|error| {
        ClusterError::new(
            doing,
            Failure::Malformed {
                cause: format!("the object: {error}"),
            },
        )
    })?;
    let request = crate::cluster::with_body(method, path, Some(content_type), bytes, doing)?;
    cluster.call(request, doing).await
}

fn written(reply: &Reply, doing: &str) -> Result<Written, ClusterError> {
    Ok(Written {
        object: reply.json(doing)?,
        warnings: reply.warnings.clone(),
    })
}

fn found<T>(outcome: Result<T, ClusterError>) -> Result<Option<T>, ClusterError> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Namespace and name as the object's metadata says.
fn identity(object: &Value) -> (Option<&str>, &str) {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"]
        .as_str()
        .filter(|namespace| !namespace.is_empty());
    (namespace, metadata["name"].as_str().unwrap_or_default())
}

/// As in "create deployments.apps/v1 shop/web".
pub(crate) fn doing(
    verb: &str,
    kind: &ResourceType,
    namespace: Option<&str>,
    name: &str,
) -> String {
    match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => format!("{verb} {kind} {namespace}/{name}"),
        None => format!("{verb} {kind} {name}"),
    }
}

#[cfg(test)]
mod tests;
