//! What the server does for each verb.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::request::Target;
use super::state::{Kind, key};
use super::{Refusal, Shared, patch};

/// GET one object.
pub(crate) fn get(shared: &Shared, target: &Target) -> Result<Value, Refusal> {
    let live = shared.state().live(&target.kind.id(), &target_key(target));
    live.map(|object| (*object).clone())
        .ok_or_else(|| absent(target))
}

/// GET a page of a collection.
pub(crate) fn list(
    shared: &Shared,
    target: &Target,
    query: &BTreeMap<String, String>,
) -> Result<Value, Refusal> {
    let state = shared.state();
    let token = query.get("continue").and_then(|at| at.split_once('|'));
    let exact = query
        .get("resourceVersionMatch")
        .is_some_and(|wanted| wanted == "Exact");
    let at = match token {
        Some((revision, _)) => revision.parse().ok(),
        None if exact => query
            .get("resourceVersion")
            .and_then(|version| version.parse().ok()),
        None => None,
    };
    let ahead = shared.ahead(&target.kind.id());
    if ahead.is_some() && exact && token.is_none() {
        return Err(Refusal::new(
            StatusCode::GATEWAY_TIMEOUT,
            "Timeout",
            "Too large resource version",
        ));
    }
    if at.is_some_and(|at: u64| at < state.compacted()) {
        return Err(Refusal::new(
            StatusCode::GONE,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result.",
        ));
    }
    let at = at.unwrap_or_else(|| state.revision());
    let prefix = target
        .namespace
        .as_ref()
        .map(|namespace| format!("{namespace}/"));
    let mut objects = state.list(&target.kind.id(), prefix.as_deref(), Some(at));
    objects.retain(|(_, object)| matches(object, query));
    if let Some((_, after)) = token {
        objects.retain(|(key, _)| key.as_str() > after);
    }
    let limit = query
        .get("limit")
        .and_then(|limit| limit.parse().ok())
        .filter(|limit| *limit > 0)
        .unwrap_or(usize::MAX);
    let shown = at + ahead.unwrap_or_default();
    let mut metadata = json!({"resourceVersion": shown.to_string()});
    if objects.len() > limit {
        metadata["remainingItemCount"] = json!(objects.len() - limit);
        objects.truncate(limit);
        let last = objects
            .last()
            .map(|(key, _)| key.clone())
            .unwrap_or_default();
        metadata["continue"] = json!(format!("{at}|{last}"));
    }
    let items: Vec<Value> = objects
        .into_iter()
        .map(|(_, object)| item((*object).clone(), target))
        .collect();
    Ok(json!({
        "kind": format!("{}List", target.kind.kind), "apiVersion": target.kind.api_version(),
        "metadata": metadata, "items": items,
    }))
}

/// As the real server does, items of a list carry neither apiVersion nor kind, but for custom
/// resources they do.
fn item(mut object: Value, target: &Target) -> Value {
    let custom = target.kind.group.contains('.') && !target.kind.group.ends_with("k8s.io");
    if !custom && let Value::Object(fields) = &mut object {
        fields.shift_remove("apiVersion");
        fields.shift_remove("kind");
    }
    object
}

/// POST.
pub(crate) fn create(
    shared: &Shared,
    target: &Target,
    mut object: Value,
    manager: &str,
) -> Result<Value, Refusal> {
    if let Some(namespace) = &target.namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    let stored = insert(shared, &target.kind, object, manager)?;
    Ok(stored)
}

/// POST with `dryRun=All`: refuses what [`create`] refuses, and stores nothing.
pub(crate) fn try_create(
    shared: &Shared,
    target: &Target,
    mut object: Value,
) -> Result<Value, Refusal> {
    if let Some(namespace) = &target.namespace {
        object["metadata"]["namespace"] = json!(namespace);
    }
    let namespace = target.namespace.as_deref();
    may_insert(&shared.state(), &target.kind, &object, namespace)?;
    Ok(object)
}

/// POST to where the object says that it belongs.
pub(crate) fn create_any(shared: &Shared, object: &Value, manager: &str) -> Result<Value, Refusal> {
    let kind = shared.state().kind_of(object).ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", "this kind is not served")
    })?;
    insert(shared, &kind, object.clone(), manager)
}

fn insert(
    shared: &Shared,
    kind: &Kind,
    mut object: Value,
    manager: &str,
) -> Result<Value, Refusal> {
    let name = object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let namespace = object["metadata"]["namespace"]
        .as_str()
        .map(ToOwned::to_owned);
    let mut state = shared.state();
    may_insert(&state, kind, &object, namespace.as_deref())?;
    let key = key(namespace.as_deref(), &name);
    if kind.id() == "services" {
        give_address(&mut state, &mut object)?;
    }
    let metadata = &mut object["metadata"];
    metadata["uid"] = json!(new_uid());
    metadata["creationTimestamp"] = json!(now());
    metadata["generation"] = json!(1);
    if let Value::Object(fields) = metadata {
        fields.shift_remove("managedFields");
    }
    manage(&mut object, manager, "Update");
    if kind.status
        && let Value::Object(fields) = &mut object
    {
        fields.shift_remove("status");
    }
    settle(&mut object, kind, &mut state);
    let stored = state.store(kind, &key, object);
    if kind.id() == "namespaces"
        && let Some(accounts) = state.kind("", "v1", "serviceaccounts")
    {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": name,
                "uid": new_uid(), "creationTimestamp": now()},
        });
        state.store(&accounts, &format!("{name}/default"), account);
    }
    let revision = state.revision();
    drop(state);
    shared.notify(revision);
    Ok((*stored).clone())
}

/// Refuses what the API server refuses before it stores anything.
fn may_insert(
    state: &super::State,
    kind: &Kind,
    object: &Value,
    namespace: Option<&str>,
) -> Result<(), Refusal> {
    let metadata = &object["metadata"];
    let bad = |message: &str| Refusal::new(StatusCode::BAD_REQUEST, "BadRequest", message);
    if metadata["resourceVersion"]
        .as_str()
        .is_some_and(|version| !version.is_empty())
    {
        return Err(bad(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    if kind.namespaced {
        let Some(namespace) = namespace else {
            return Err(bad("an empty namespace may not be set"));
        };
        if state.live("namespaces", namespace).is_none() {
            let message = format!("namespaces \"{namespace}\" not found");
            return Err(Refusal::new(StatusCode::NOT_FOUND, "NotFound", message));
        }
    }
    let name = metadata["name"].as_str().unwrap_or_default();
    if state.live(&kind.id(), &key(namespace, name)).is_some() {
        let message = format!("{} \"{name}\" already exists", kind.id());
        return Err(Refusal::new(StatusCode::CONFLICT, "AlreadyExists", message));
    }
    Ok(())
}

/// Gives a Service an address, or refuses the one that it asks for when it is taken.
fn give_address(state: &mut super::State, service: &mut Value) -> Result<(), Refusal> {
    let Some(address) = service["spec"]["clusterIP"].as_str().map(ToOwned::to_owned) else {
        let address = state.next_address();
        service["spec"]["clusterIP"] = json!(address);
        service["spec"]["clusterIPs"] = json!([address]);
        return Ok(());
    };
    let taken = state
        .list("services", None, None)
        .iter()
        .any(|(_, other)| other["spec"]["clusterIP"] == address.as_str());
    if address == "None" || !taken {
        return Ok(());
    }
    let message = format!(
        "Service is invalid: spec.clusterIPs: Invalid value: [\"{address}\"]: failed to allocate IP \
         {address}: provided IP is already allocated"
    );
    Err(Refusal::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "Invalid",
        message,
    ))
}

/// What controllers would do at once: a CRD is served and Established, a namespace is Active.
fn settle(object: &mut Value, kind: &Kind, state: &mut super::State) {
    match kind.id().as_str() {
        "namespaces" => object["status"] = json!({"phase": "Active"}),
        "customresourcedefinitions.apiextensions.k8s.io" => {
            object["status"] = json!({"conditions": [
                {"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]});
            let spec = &object["spec"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            for version in spec["versions"].as_array().into_iter().flatten() {
                state.add_kind(Kind {
                    group: text(&spec["group"]),
                    version: text(&version["name"]),
                    kind: text(&spec["names"]["kind"]),
                    plural: text(&spec["names"]["plural"]),
                    namespaced: spec["scope"] == "Namespaced",
                    status: version["subresources"]["status"].is_object(),
                });
            }
        }
        _ => {}
    }
}

/// PUT, of the whole or of the status alone.
pub(crate) fn replace(
    shared: &Shared,
    target: &Target,
    new: Value,
    manager: &str,
) -> Result<Value, Refusal> {
    change(shared, target, manager, "Update", |live| {
        check_version(&new, live)?;
        let mut next = new.clone();
        if target.subresource.as_deref() == Some("status") {
            let status = new["status"].clone();
            next = live.clone();
            next["status"] = status;
        } else {
            for field in ["uid", "creationTimestamp", "managedFields"] {
                next["metadata"][field] = live["metadata"][field].clone();
            }
            if target.kind.status {
                next["status"] = live["status"].clone();
            }
        }
        Ok(next)
    })
}

/// PUT of the status of the object that `object` says it is.
pub(crate) fn set_status(shared: &Shared, object: &Value) -> Result<(), Refusal> {
    let kind = shared.state().kind_of(object).ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, "NotFound", "this kind is not served")
    })?;
    let metadata = &object["metadata"];
    let target = Target {
        kind,
        namespace: metadata["namespace"].as_str().map(ToOwned::to_owned),
        name: metadata["name"].as_str().map(ToOwned::to_owned),
        subresource: Some("status".to_owned()),
    };
    replace(shared, &target, object.clone(), "controller").map(|_| ())
}

/// PATCH: merge patch or server-side apply.
pub(crate) fn patch(
    shared: &Shared,
    target: &Target,
    body: Value,
    content_type: &str,
    manager: &str,
) -> Result<(StatusCode, Value), Refusal> {
    let apply = content_type.contains("apply-patch");
    if !apply && !content_type.contains("merge-patch") {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            format!("this server knows merge patch and apply, not {content_type}"),
        ));
    }
    if apply
        && shared
            .state()
            .live(&target.kind.id(), &target_key(target))
            .is_none()
    {
        return create(shared, target, body, manager).map(|stored| (StatusCode::CREATED, stored));
    }
    let operation = if apply { "Apply" } else { "Update" };
    let stored = change(shared, target, manager, operation, |live| {
        check_version(&body, live)?;
        let mut next = live.clone();
        if target.subresource.as_deref() == Some("status") {
            patch::merge(&mut next["status"], &body["status"]);
        } else {
            let mut body = body.clone();
            if target.kind.status
                && let Value::Object(fields) = &mut body
            {
                fields.shift_remove("status");
            }
            patch::merge(&mut next, &body);
        }
        Ok(next)
    })?;
    Ok((StatusCode::OK, stored))
}

/// DELETE; a namespace takes its objects along, a CRD its kind.
pub(crate) fn delete(shared: &Shared, target: &Target) -> Result<Value, Refusal> {
    let mut state = shared.state();
    let name = target.name.clone().unwrap_or_default();
    let gone = state
        .delete(&target.kind.id(), &target_key(target))
        .ok_or_else(|| absent(target))?;
    match target.kind.id().as_str() {
        "namespaces" => state.delete_namespace_contents(&name),
        "customresourcedefinitions.apiextensions.k8s.io" => state.remove_kind(&name),
        _ => {}
    }
    let revision = state.revision();
    drop(state);
    shared.notify(revision);
    Ok((*gone).clone())
}

fn change(
    shared: &Shared,
    target: &Target,
    manager: &str,
    operation: &str,
    next: impl FnOnce(&Value) -> Result<Value, Refusal>,
) -> Result<Value, Refusal> {
    let mut state = shared.state();
    let key = target_key(target);
    let live = state
        .live(&target.kind.id(), &key)
        .ok_or_else(|| absent(target))?;
    let mut object = next(&live)?;
    if object == *live {
        return Ok(object);
    }
    manage(&mut object, manager, operation);
    let stored = state.store(&target.kind, &key, object);
    let revision = state.revision();
    drop(state);
    shared.notify(revision);
    Ok((*stored).clone())
}

fn check_version(new: &Value, live: &Value) -> Result<(), Refusal> {
    match new["metadata"]["resourceVersion"].as_str() {
        Some(version) if !version.is_empty() && live["metadata"]["resourceVersion"] != version => {
            Err(Refusal::new(
                StatusCode::CONFLICT,
                "Conflict",
                "the object has been modified; please apply your changes to the latest version and try again",
            ))
        }
        _ => Ok(()),
    }
}

/// Records who wrote, as `managedFields` does, without the fields.
fn manage(object: &mut Value, manager: &str, operation: &str) {
    // An object without any field of its own has no managers, as with a real API server.
    let own = |fields: &Value, apart: &[&str]| {
        let fields = fields.as_object();
        fields.is_some_and(|fields| fields.keys().any(|field| !apart.contains(&field.as_str())))
    };
    let assigned = [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "managedFields",
    ];
    if !own(object, &["apiVersion", "kind", "metadata"]) && !own(&object["metadata"], &assigned) {
        return;
    }
    let entry = json!({"manager": manager, "operation": operation, "apiVersion": object["apiVersion"],
        "time": now(), "fieldsType": "FieldsV1", "fieldsV1": {}});
    let managed = &mut object["metadata"]["managedFields"];
    if !managed.is_array() {
        *managed = json!([]);
    }
    if let Value::Array(entries) = managed {
        entries.retain(|old| old["manager"] != manager || old["operation"] != operation);
        entries.push(entry);
    }
}

/// Label and field selectors, as far as tests use them: `a=b,c!=d` and `metadata.name=x`.
pub(crate) fn matches(object: &Value, query: &BTreeMap<String, String>) -> bool {
    let terms = |name: &str| -> Vec<String> {
        query
            .get(name)
            .map(|text| {
                text.split(',')
                    .filter(|term| !term.is_empty())
                    .map(ToOwned::to_owned)
                    .collect()
            })
            .unwrap_or_default()
    };
    let labels = &object["metadata"]["labels"];
    let label = |term: &String| match (term.split_once("!="), term.split_once('=')) {
        (Some((key, value)), _) => labels[key] != value,
        (None, Some((key, value))) => {
            labels[key.trim_end_matches('=')] == value.trim_start_matches('=')
        }
        (None, None) => !labels[term.as_str()].is_null(),
    };
    let field = |term: &String| {
        term.strip_prefix("metadata.name=")
            .is_none_or(|name| object["metadata"]["name"] == name.trim_start_matches('='))
    };
    terms("labelSelector").iter().all(label) && terms("fieldSelector").iter().all(field)
}

fn target_key(target: &Target) -> String {
    key(
        target.namespace.as_deref(),
        target.name.as_deref().unwrap_or_default(),
    )
}

fn absent(target: &Target) -> Refusal {
    let name = target.name.as_deref().unwrap_or_default();
    Refusal::new(
        StatusCode::NOT_FOUND,
        "NotFound",
        format!("{} \"{name}\" not found", target.kind.id()),
    )
}

/// The server's clock, in whole seconds as Kubernetes keeps creation times.
#[expect(
    clippy::disallowed_methods,
    reason = "the server has a clock of its own, as a real one"
)]
fn now() -> String {
    let seconds = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

#[expect(
    clippy::disallowed_methods,
    reason = "uids are the server's own, as a real one's"
)]
fn new_uid() -> String {
    uuid::Uuid::new_v4().to_string()
}
