//! Backups of what a cluster should not hold, and of APIs that misbehave: one type or object that is
//! in trouble is a finding, everything else is taken, and nothing is changed on its way.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use strongroom_core::report::{ObjectOutcome, Outcome};
use strongroom_kubernetes::crd::{BackupSpec, JobState, JobStatus};
use strongroom_simulation::api_server::{Fault, Kind};

use super::application;
use super::stage::{Stage, assert_completed, code, line, with_outcome};

fn fault(path: &str, status: u16, reason: &str, message: &str, times: u32) -> Fault {
    Fault {
        method: Some("GET"),
        path: path.to_owned(),
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
        times,
    }
}

async fn backed_up(stage: &Stage) -> (BackupSpec, JobStatus, Vec<ObjectOutcome>) {
    let spec = stage.backup_of(&["shop"]);
    let status = stage.back_up(&spec).await;
    let lines = stage.report(spec.job_id, &status).await;
    (spec, status, lines)
}

/// That a type is a finding with a code, and the rest of the application was taken.
fn assert_only_finding(status: &JobStatus, lines: &[ObjectOutcome], object: &str, wanted: &str) {
    assert_eq!(status.state, JobState::CompletedWithWarnings, "{status:#?}");
    assert_eq!(code(line(lines, object)), wanted);
    assert_eq!(status.findings, 1, "{lines:#?}");
    let settings = line(lines, "ConfigMap shop/settings");
    assert_eq!(settings.outcome, Outcome::BackedUp);
}

async fn stored(stage: &Stage, spec: &BackupSpec, group: &str, name: &str) -> Value {
    let repository = stage.repository().await;
    let point = repository.point(spec.recovery_point_id).await.unwrap();
    let entry = point.find(group, name).await.unwrap();
    let entry = entry.unwrap_or_else(|| panic!("{name} is not in the point"));
    serde_json::from_slice(&point.read(&entry).await.unwrap()).unwrap()
}

#[tokio::test]
async fn objects_of_extreme_size_and_shape_are_stored_as_they_are() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let labels: BTreeMap<String, String> = (0..10_000)
        .map(|number| (format!("label-{number}"), format!("value-{number}")))
        .collect();
    let longest = "n".repeat(253);
    let bytes_that_are_no_text = "//79/P/AwIA=";
    let objects = [
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "large", "namespace": "shop"},
            "data": {"text": "ü\u{1F512}\"\\\u{7f}x".repeat(150_000)}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "labelled", "namespace": "shop", "labels": labels}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": longest, "namespace": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "binary", "namespace": "shop"},
            "data": {"noText": bytes_that_are_no_text}}),
    ];
    for object in &objects {
        stage.api.create(object);
    }
    let (spec, status, _) = backed_up(&stage).await;
    assert_completed(&status);
    for object in &objects {
        let group = if object["kind"] == "Secret" {
            "secrets"
        } else {
            "configmaps"
        };
        let name = object["metadata"]["name"].as_str().unwrap();
        let live = stage.api.get(group, Some("shop"), name).unwrap();
        let kept = stored(&stage, &spec, group, &format!("shop/{name}")).await;
        assert!(kept == live, "{name} is not what it was");
    }
}

#[tokio::test]
async fn a_type_that_is_refused_for_want_of_capacity_for_good_is_a_finding() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let slow_down = "too many requests, please try again later";
    stage.api.inject(fault(
        "/secrets?",
        429,
        "TooManyRequests",
        slow_down,
        u32::MAX,
    ));
    let (_, status, lines) = backed_up(&stage).await;
    assert_only_finding(&status, &lines, "Secret *", "TooManyRequests");
}

#[tokio::test]
async fn a_type_that_is_refused_for_want_of_capacity_for_a_moment_is_taken() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    stage
        .api
        .inject(fault("/secrets?", 429, "TooManyRequests", "later", 1));
    let (_, status, lines) = backed_up(&stage).await;
    assert_completed(&status);
    assert_eq!(
        line(&lines, "Secret shop/password").outcome,
        Outcome::BackedUp
    );
}

#[tokio::test]
async fn a_built_in_type_that_cannot_be_read_is_a_finding_while_the_api_server_answers() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let words = "unable to transform key \"/registry/secrets/shop/password\": KMS is gone";
    stage
        .api
        .inject(fault("/secrets?", 500, "InternalError", words, u32::MAX));
    let (_, status, lines) = backed_up(&stage).await;
    assert_only_finding(&status, &lines, "Secret *", "ApiGroupUnavailable");
    assert!(line(&lines, "Secret *").reason.contains("KMS is gone"));
}

#[tokio::test]
async fn a_custom_type_whose_conversion_webhook_is_down_is_a_finding() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let words = "conversion webhook for example.com/v1, Kind=Widget failed: connection refused";
    stage
        .api
        .inject(fault("/widgets?", 500, "InternalError", words, u32::MAX));
    let (_, status, lines) = backed_up(&stage).await;
    assert_only_finding(
        &status,
        &lines,
        "example.com/Widget *",
        "ApiGroupUnavailable",
    );
}

#[tokio::test]
async fn an_api_server_that_is_lost_while_types_are_read_does_not_make_findings_of_them() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    let spec = stage.backup_of(&["shop"]);
    for path in ["/secrets?", "/namespaces?"] {
        stage.api.inject(fault(
            path,
            503,
            "ServiceUnavailable",
            "etcd is gone",
            u32::MAX,
        ));
    }
    let status = stage.back_up(&spec).await;
    assert_eq!(status.state, JobState::Failed, "{status:#?}");
    assert_eq!(status.error.unwrap().code, "ClusterLostDuringJob");
}

/// More widgets than a page holds.
fn many_widgets(stage: &Stage) {
    for number in 0..700 {
        stage
            .api
            .create(&json!({"apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": format!("w{number:04}"), "namespace": "shop"}}));
    }
}

#[tokio::test]
async fn a_definition_that_is_deleted_in_mid_list_leaves_what_was_read_and_a_finding() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    many_widgets(&stage);
    let words = "the server could not find the requested resource";
    stage.api.inject(fault(
        "/widgets?limit=500&continue",
        404,
        "NotFound",
        words,
        u32::MAX,
    ));
    let (_, status, lines) = backed_up(&stage).await;
    assert_only_finding(
        &status,
        &lines,
        "example.com/Widget *",
        "ResourceTypeRemovedDuringBackup",
    );
    let widgets = with_outcome(&lines, Outcome::BackedUp);
    let widgets = widgets.iter().filter(|name| name.contains("Widget"));
    assert_eq!(widgets.count(), 500);
}

#[tokio::test]
async fn a_state_that_expires_in_mid_list_loses_and_doubles_no_object_and_the_point_says_so() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    many_widgets(&stage);
    stage.api.inject(fault(
        "/widgets?limit=500&continue",
        410,
        "Expired",
        "too old",
        1,
    ));
    let (_, status, lines) = backed_up(&stage).await;
    let smeared = "example.com/Widget *";
    assert_only_finding(&status, &lines, smeared, "RecoveryPointSmeared");
    let mut widgets = with_outcome(&lines, Outcome::BackedUp);
    widgets.retain(|name| name.starts_with("example.com/Widget shop/w"));
    let listed = widgets.len();
    widgets.dedup();
    assert_eq!((listed, widgets.len()), (700, 700));
    let cut = status.cut.unwrap();
    assert!(
        cut.starts_with("smeared from ") && cut.contains("(widgets.example.com)"),
        "{cut}"
    );
}

#[tokio::test]
async fn a_type_that_counts_its_states_in_its_own_way_is_read_at_its_newest_and_named() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    stage.api.count_apart("widgets.example.com", 1_000_000);
    let (_, status, lines) = backed_up(&stage).await;
    assert_completed(&status);
    let gear = line(&lines, "example.com/Widget shop/gear");
    assert_eq!(gear.outcome, Outcome::BackedUp);
    let cut = status.cut.unwrap();
    assert!(
        cut.starts_with("cut at ") && cut.ends_with("; apart: widgets.example.com"),
        "{cut}"
    );
}

#[tokio::test]
async fn what_is_left_of_a_namespace_that_is_being_deleted_is_taken_and_said_to_be() {
    let stage = Stage::new().await;
    stage.api.create(
        &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop",
            "deletionTimestamp": "2026-01-01T00:00:00Z"}}),
    );
    stage
        .api
        .create(&json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop"}, "data": {"greeting": "hello"}}));
    let (_, status, lines) = backed_up(&stage).await;
    assert_only_finding(&status, &lines, "Namespace shop", "NamespaceTerminating");
    assert_eq!(line(&lines, "Namespace shop").outcome, Outcome::BackedUp);
}

#[tokio::test]
async fn a_definition_that_cannot_be_read_costs_no_backup_and_is_told() {
    let stage = Stage::new().await;
    application::deploy(&stage.api, "shop");
    // With a second version there is a choice, and so a question.
    stage
        .api
        .serve_kind(Kind::namespaced("example.com", "v2", "Widget", "widgets"));
    let question = "/customresourcedefinitions/widgets.example.com";
    stage
        .api
        .inject(fault(question, 403, "Forbidden", "not yours", u32::MAX));
    let (_, status, lines) = backed_up(&stage).await;
    let told = "UserErrorClusterPermissionMissing";
    assert_only_finding(&status, &lines, "example.com/Widget *", told);
    let gear = line(&lines, "example.com/Widget shop/gear");
    assert_eq!(gear.outcome, Outcome::BackedUp);
}
