//! Jobs and pods: what had run is not run again, and goes on where it was.

use super::*;

fn job(conditions: Value) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "j", "labels": {"app": "x", "controller-uid": "u", "batch.kubernetes.io/controller-uid": "u", "job-name": "j"}},
        "spec": {"suspend": false, "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
            "template": {"metadata": {"labels": {"controller-uid": "u", "batch.kubernetes.io/controller-uid": "u", "job-name": "j"}}, "spec": {}}},
        "status": {"conditions": conditions, "succeeded": 1, "startTime": "t", "uncountedTerminatedPods": {}}})
}

#[test]
fn a_job_loses_the_selector_of_its_old_uid_but_keeps_one_made_by_hand() {
    let mut fresh = job(json!([]));
    fresh["status"] = json!({"active": 1});
    let (result, object) = prepared("batch", "Job", fresh);
    assert_eq!(
        object["spec"],
        json!({"suspend": false, "template": {"metadata": {"labels": {"job-name": "j"}}, "spec": {}}})
    );
    assert_eq!(
        object["metadata"]["labels"],
        json!({"app": "x", "job-name": "j"})
    );
    assert_eq!((result.status, result.release), (None, None));
    let mut by_hand = job(json!([]));
    by_hand["spec"]["manualSelector"] = json!(true);
    let (_, object) = prepared("batch", "Job", by_hand);
    assert!(object["spec"]["selector"].is_object());
}

#[test]
fn labels_that_a_job_had_from_its_template_by_default_are_left_to_the_default_again() {
    let mut defaulted = job(json!([]));
    defaulted["metadata"]["labels"] = defaulted["spec"]["template"]["metadata"]["labels"].clone();
    let (_, object) = prepared("batch", "Job", defaulted);
    assert_eq!(object["metadata"], json!({"name": "j"}));
}

#[test]
fn a_finished_job_is_created_suspended_gets_its_status_and_is_released() {
    for condition in ["Complete", "Failed"] {
        let (result, object) = prepared(
            "batch",
            "Job",
            job(json!([{"type": condition, "status": "True"}])),
        );
        assert_eq!(object["spec"]["suspend"], true);
        assert_eq!(result.release, Some(json!({"spec": {"suspend": false}})));
        let status = result.status.clone().unwrap();
        assert_eq!(
            (&status["succeeded"], status.get("uncountedTerminatedPods")),
            (&json!(1), None)
        );
        assert_eq!(result.settled(&object)["spec"]["suspend"], false);
    }
    let (running, _) = prepared(
        "batch",
        "Job",
        job(json!([{"type": "Complete", "status": "False"}])),
    );
    assert!(running.resumes);
}

#[test]
fn a_finished_pod_is_created_behind_a_gate_and_gets_its_status_without_addresses() {
    let (result, object) = prepared(
        "",
        "Pod",
        json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n1", "containers": []},
        "status": {"phase": "Succeeded", "podIP": "10.1.1.1", "hostIP": "10.0.0.1"}}),
    );
    assert_eq!(
        object["spec"],
        json!({"containers": [], "schedulingGates": [{"name": finished::GATE}]})
    );
    assert_eq!(result.status, Some(json!({"phase": "Succeeded"})));
    assert_eq!(result.settled(&object)["spec"], json!({"containers": []}));
}

#[test]
fn a_finished_pod_is_its_jobs_once_it_has_its_status_and_other_objects_are_their_owners_at_once() {
    let references = json!({"metadata": {"ownerReferences": [{"kind": "Job", "name": "j", "uid": "new"}],
        "labels": {"controller-uid": "new"}}});
    let pod = json!({"metadata": {"name": "p", "labels": {"app": "x", "controller-uid": "old"}},
        "spec": {"containers": []}, "status": {"phase": "Succeeded"}});
    let (mut result, mut object) = prepared("", "Pod", pod.clone());
    let before = object.clone();
    result.link(&mut object, &references);
    assert_eq!(object, before);
    let release = result.release.clone().unwrap();
    assert_eq!(
        (&release["metadata"], &release["spec"]),
        (&references["metadata"], &json!({"schedulingGates": null}))
    );
    let settled = result.settled(&object);
    assert_eq!(
        settled["metadata"]["labels"],
        json!({"app": "x", "controller-uid": "new"})
    );

    let mut running = pod;
    running["status"]["phase"] = json!("Running");
    let (mut result, mut object) = prepared("", "Pod", running);
    result.link(&mut object, &references);
    assert_eq!(object["metadata"]["ownerReferences"][0]["uid"], "new");
    assert_eq!(result.release, None);
}
