//! Single objects against an API server in memory.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::testing::{Answer, cluster};

fn deployments() -> ResourceType {
    ResourceType::new("apps", "v1", "Deployment", "deployments", true)
}

fn web() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": 2}})
}

#[tokio::test]
async fn a_create_is_one_request() {
    let (cluster, log) = cluster(|asked| Answer::raw(201, asked.body.to_string()));
    let made = create(&cluster, &deployments(), &web()).await.unwrap();
    assert_eq!(
        made,
        Created::New(Written {
            object: web(),
            warnings: vec![]
        })
    );
    assert_eq!(
        log.lines(),
        ["POST /apis/apps/v1/namespaces/shop/deployments"]
    );
    assert_eq!(
        log.all()[0].parameter("fieldManager").as_deref(),
        Some("strongroom")
    );
}

#[tokio::test]
async fn what_is_there_already_is_an_outcome_and_not_an_error() {
    let (cluster, _) = cluster(|_| Answer::failed(409, "AlreadyExists", "it exists"));
    assert_eq!(
        create(&cluster, &deployments(), &web()).await.unwrap(),
        Created::AlreadyExists
    );
}

#[tokio::test]
async fn the_servers_warnings_are_passed_on() {
    let (cluster, _) = cluster(|asked| {
        Answer::raw(201, asked.body.to_string())
            .with_header("Warning", r#"299 - "unknown field \"spec.odd\"""#)
    });
    let Created::New(written) = create(&cluster, &deployments(), &web()).await.unwrap() else {
        panic!("not created");
    };
    assert_eq!(written.warnings, [r#"unknown field "spec.odd""#]);
}

/// Whether a failure is the expected one.
type Expected = fn(&Failure) -> bool;

#[tokio::test]
async fn refusals_are_told_apart() {
    let cases: Vec<(Answer, Expected)> = vec![
        (
            Answer::failed(403, "Forbidden", r#"deployments.apps is forbidden: User "x" cannot create resource "deployments" in API group "apps" in the namespace "shop""#),
            |failure| matches!(failure, Failure::Forbidden { permission: Some(_), .. }),
        ),
        (
            Answer::failed(403, "Forbidden", "pods \"a\" is forbidden: exceeded quota: q, requested: pods=1"),
            |failure| matches!(failure, Failure::Denied { .. }),
        ),
        (
            Answer::failed(400, "BadRequest", "admission webhook \"w.example.com\" denied the request"),
            |failure| matches!(failure, Failure::Invalid { .. }),
        ),
        (
            Answer::raw(422, json!({"reason": "Invalid", "message": "spec.replicas: Invalid value",
                "details": {"causes": [{"reason": "FieldValueInvalid", "field": "spec.replicas",
                    "message": "must not be negative"}]}}).to_string()),
            |failure| matches!(failure, Failure::Invalid { causes, .. } if causes[0].field == "spec.replicas"),
        ),
        (
            Answer::raw(403, json!({"reason": "Forbidden", "message": "namespace shop is being terminated",
                "details": {"causes": [{"reason": "NamespaceTerminating", "message": "x", "field": "metadata.namespace"}]}}).to_string()),
            |failure| matches!(failure, Failure::NamespaceTerminating { .. }),
        ),
        (
            Answer::failed(404, "NotFound", "namespaces \"shop\" not found"),
            |failure| matches!(failure, Failure::NotFound { .. }),
        ),
        (
            Answer::failed(409, "Conflict", "the object has been modified"),
            |failure| matches!(failure, Failure::Conflict { .. }),
        ),
        (
            Answer::failed(500, "InternalError", "failed calling webhook"),
            |failure| matches!(failure, Failure::ServerError { status: 500, .. }),
        ),
        (Answer::raw(302, ""), |failure| matches!(failure, Failure::Unexpected { status: 302, .. })),
    ];
    for (answer, expected) in cases {
        let described = format!("{answer:?}");
        let (cluster, log) = cluster(move |_| answer.clone());
        let error = create(&cluster, &deployments(), &web()).await.unwrap_err();
        assert!(expected(&error.failure), "{described}: {error:?}");
        assert_eq!(log.lines().len(), 1, "{described} was asked again");
    }
}

#[tokio::test]
async fn a_missing_right_is_named_with_the_rule_that_grants_it() {
    let (cluster, _) = cluster(|_| {
        Answer::failed(
            403,
            "Forbidden",
            r#"User "x" cannot create resource "deployments""#,
        )
    });
    let error = create(&cluster, &deployments(), &web()).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains(r#"apiGroups: ["apps"], resources: ["deployments"], verbs: ["create"] in a Role of namespace shop"#),
        "{text}"
    );
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_finds_its_own_object() {
    let count = AtomicU32::new(0);
    let (cluster, _) = cluster(move |_| match count.fetch_add(1, Ordering::Relaxed) {
        0 => Answer::failed(504, "Timeout", "the server could not answer in time"),
        _ => Answer::failed(409, "AlreadyExists", "it exists"),
    });
    assert_eq!(
        create(&cluster, &deployments(), &web()).await.unwrap(),
        Created::AlreadyExists
    );
}

#[tokio::test]
async fn an_apply_names_its_manager_and_whether_it_takes_fields_over() {
    let (cluster, log) = cluster(|asked| Answer::ok(&asked.body));
    patch_apply(&cluster, &deployments(), &web(), "strongroom", false)
        .await
        .unwrap();
    let asked = &log.all()[0];
    assert_eq!(
        asked.line(),
        "PATCH /apis/apps/v1/namespaces/shop/deployments/web"
    );
    assert_eq!(asked.query, "fieldManager=strongroom&force=false");
}

#[tokio::test]
async fn names_with_odd_characters_stay_one_path_segment() {
    let (cluster, log) = cluster(|_| Answer::failed(404, "NotFound", "no"));
    let kind = ResourceType::new(
        "rbac.authorization.k8s.io",
        "v1",
        "ClusterRole",
        "clusterroles",
        false,
    );
    let gone = get(&cluster, &kind, Some("ignored"), "system:a b?c#d/ü")
        .await
        .unwrap();
    assert_eq!(gone, None);
    assert_eq!(
        log.all()[0].path,
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:a%20b%3Fc%23d%2F%C3%BC"
    );
}

#[tokio::test]
async fn deleting_what_is_gone_is_no_error_and_another_of_that_name_stays() {
    let (cluster, log) = cluster(|asked| match asked.body["preconditions"]["uid"].as_str() {
        None => Answer::failed(404, "NotFound", "gone"),
        Some(_) => Answer::failed(409, "Conflict", "Precondition failed: UID in precondition"),
    });
    let kind = deployments();
    let how = Propagation::Foreground;
    assert!(
        !delete(&cluster, &kind, Some("shop"), "web", None, how)
            .await
            .unwrap()
    );
    let error = delete(&cluster, &kind, Some("shop"), "web", Some("u"), how)
        .await
        .unwrap_err();
    assert!(matches!(error.failure, Failure::Conflict { .. }));
    assert_eq!(log.all()[0].body["propagationPolicy"], "Foreground");
}

#[tokio::test]
async fn a_crd_is_waited_for_until_it_is_established() {
    let count = AtomicU32::new(0);
    let (cluster, _) = cluster(move |_| {
        let established = count.fetch_add(1, Ordering::Relaxed) > 1;
        let status = if established { "True" } else { "False" };
        Answer::ok(&json!({"status": {"conditions": [
            {"type": "NamesAccepted", "status": "True", "reason": "NoConflicts"},
            {"type": "Established", "status": status}]}}))
    });
    wait_established(&cluster, "widgets.example.com", Duration::from_secs(5))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_crd_whose_names_are_taken_is_not_waited_for() {
    let (cluster, log) = cluster(|_| {
        Answer::ok(
            &json!({"status": {"conditions": [{"type": "NamesAccepted", "status": "False",
            "reason": "PluralConflict", "message": "\"widgets\" is already in use"}]}}),
        )
    });
    let limit = Duration::from_secs(5);
    let error = wait_established(&cluster, "widgets.example.com", limit)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("already in use"), "{error}");
    assert_eq!(log.lines().len(), 1);
}

#[tokio::test]
async fn a_wait_that_ends_says_what_was_missing() {
    let (cluster, _) = cluster(|_| Answer::failed(404, "NotFound", "no"));
    let limit = Duration::from_millis(1);
    let error = wait_namespace_active(&cluster, "shop", limit)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not wait for namespaces/v1 shop (it is not there): no answer within 1ms"
    );
}

#[tokio::test]
async fn a_namespace_that_is_being_deleted_is_not_waited_for() {
    let (cluster, _) = cluster(|_| Answer::ok(&json!({"status": {"phase": "Terminating"}})));
    let limit = Duration::from_secs(5);
    let error = wait_namespace_active(&cluster, "shop", limit)
        .await
        .unwrap_err();
    assert!(matches!(
        error.failure,
        Failure::NamespaceTerminating { .. }
    ));
}

#[tokio::test]
async fn a_namespace_that_does_not_go_says_what_holds_it() {
    let (cluster, _) = cluster(|_| {
        Answer::ok(
            &json!({"kind": "Namespace", "status": {"phase": "Terminating", "conditions": [
            {"type": "NamespaceContentRemaining", "status": "True", "message": "widgets remain"},
            {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "no"}]}}),
        )
    });
    let kind = ResourceType::new("", "v1", "Namespace", "namespaces", false);
    let limit = Duration::from_millis(1);
    let error = wait_gone(&cluster, &kind, None, "shop", limit)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("(widgets remain)"), "{error}");
}
