//! Long-running operations, followed as published clients do.

use super::*;

#[tokio::test]
async fn a_put_is_followed_and_the_resource_read_again() {
    let (client, played) = server(|call, _| match call {
        0 => json_answer(
            201,
            &[
                ("azure-asyncoperation", "http://x/op/1?api-version=v"),
                ("retry-after", "0"),
            ],
            &json!({"properties": {"provisioningState": "Provisioning"}}),
        ),
        1 => json_answer(
            200,
            &[("retry-after", "0")],
            &json!({"status": "Inprogress", "startTime": "2026-01-01T00:00:00Z"}),
        ),
        2 => json_answer(200, &[], &json!({"status": "Succeeded"})),
        _ => json_answer(
            200,
            &[],
            &json!({"name": "v", "properties": {"provisioningState": "Succeeded"}}),
        ),
    })
    .await;
    let mut seen = Vec::new();
    let running = client.vaults(&group()).put("v", &vault()).await.unwrap();
    assert!(!running.is_done());
    let vault = running
        .wait_with(|progress| seen.push(progress.status.clone()))
        .await
        .unwrap();
    assert_eq!(vault.name.as_deref(), Some("v"));
    assert_eq!(seen, ["Inprogress", "Succeeded"]);
    assert_eq!(played.seen.lock().unwrap()[1], "GET /op/1?api-version=v");
}

#[tokio::test]
async fn a_put_without_polling_url_is_followed_by_its_provisioning_state() {
    let (client, played) = server(|call, _| {
        let state = if call < 2 {
            "Provisioning"
        } else {
            "Succeeded"
        };
        json_answer(
            200,
            &[],
            &json!({"name": "v", "properties": {"provisioningState": state}}),
        )
    })
    .await;
    let vault = client
        .vaults(&group())
        .put("v", &vault())
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    assert_eq!(
        vault.properties.provisioning_state.as_deref(),
        Some("Succeeded")
    );
    assert_eq!(played.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_put_that_is_done_is_not_asked_about_again() {
    let (client, played) = server(|_, _| {
        json_answer(
            200,
            &[],
            &json!({"name": "v", "properties": {"provisioningState": "Succeeded"}}),
        )
    })
    .await;
    client
        .vaults(&group())
        .put("v", &vault())
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    assert_eq!(played.calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_post_reads_its_result_at_location() {
    let (client, played) = server(|call, _| match call {
        0 => json_answer(202, &[("azure-asyncoperation", "http://x/status"), ("location", "http://x/result")], &json!(null)),
        1 => json_answer(200, &[], &json!({"status": "Succeeded", "properties": {"objectType": "OperationJobExtendedInfo", "jobId": "/from-status"}})),
        _ => json_answer(200, &[], &json!({"objectType": "OperationJobExtendedInfo", "jobId": "/from-result"})),
    })
    .await;
    let running = client
        .start_backup("/i", &TriggerBackupRequest::default())
        .await
        .unwrap();
    let result = running.wait().await.unwrap();
    assert_eq!(
        result,
        Some(crate::operation::OperationExtendedInfo::job("/from-result"))
    );
    assert_eq!(
        *played.seen.lock().unwrap(),
        [
            "POST /i/backup?api-version=2022-09-01",
            "GET /status",
            "GET /result"
        ]
    );
}

#[tokio::test]
async fn the_job_is_known_before_the_operation_ends() {
    let (client, played) = server(|call, _| match call {
        0 => json_answer(202, &[("azure-asyncoperation", "http://x/status"), ("location", "http://x/result")], &json!(null)),
        _ => json_answer(200, &[], &json!({"status": "Inprogress", "properties": {"objectType": "OperationJobExtendedInfo", "jobId": "/j"}})),
    })
    .await;
    let running = client
        .start_backup("/i", &TriggerBackupRequest::default())
        .await
        .unwrap();
    assert_eq!(running.job_id().await.unwrap().as_deref(), Some("/j"));
    assert_eq!(played.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_delete_with_location_alone_ends_when_it_no_longer_answers_202() {
    let (client, played) = server(|call, _| match call {
        0 => json_answer(202, &[("location", "/result")], &json!(null)),
        1 => json_answer(202, &[("location", "/result")], &json!(null)),
        _ => StatusCode::NO_CONTENT.into_response(),
    })
    .await;
    client
        .vaults(&group())
        .delete("v")
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    assert_eq!(played.calls.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_202_with_nothing_to_follow_is_an_error() {
    let (client, _) = server(|_, _| json_answer(202, &[], &json!(null))).await;
    let error = client.vaults(&group()).delete("v").await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_failed_operation_is_its_own_error() {
    for (status, error, expected) in [
        (
            "Failed",
            json!({"code": "UserErrorTrustedAccessMissing", "message": "no binding"}),
            "UserErrorTrustedAccessMissing: no binding",
        ),
        (
            "Canceled",
            Value::Null,
            "OperationCanceled: the operation ended as Canceled without saying why",
        ),
    ] {
        let (client, _) = server(move |call, _| match call {
            0 => json_answer(
                202,
                &[("azure-asyncoperation", "/status"), ("location", "/result")],
                &json!(null),
            ),
            _ => json_answer(200, &[], &json!({"status": status, "error": error})),
        })
        .await;
        let running = client
            .start_backup("/i", &TriggerBackupRequest::default())
            .await
            .unwrap();
        assert_eq!(running.wait().await.unwrap_err().to_string(), expected);
    }
}

#[tokio::test]
async fn the_job_of_a_failed_operation_is_known() {
    let (client, _) = server(|call, _| match call {
        0 => json_answer(202, &[("azure-asyncoperation", "/status"), ("location", "/result")], &json!(null)),
        _ => json_answer(200, &[], &json!({"status": "Failed", "properties": {"objectType": "OperationJobExtendedInfo", "jobId": "/j"}})),
    })
    .await;
    let running = client
        .start_backup("/i", &TriggerBackupRequest::default())
        .await
        .unwrap();
    assert_eq!(running.job_id().await.unwrap().as_deref(), Some("/j"));
}

#[tokio::test]
async fn an_operation_outlives_a_short_outage() {
    let (client, _) = server(|call, _| match call {
        0 => json_answer(
            202,
            &[("azure-asyncoperation", "/status"), ("location", "/result")],
            &json!(null),
        ),
        1..=9 => json_answer(503, &[], &json!({})),
        10 => json_answer(200, &[], &json!({"status": "Succeeded"})),
        _ => json_answer(
            200,
            &[],
            &json!({"objectType": "OperationJobExtendedInfo", "jobId": "/j"}),
        ),
    })
    .await;
    let running = client
        .start_backup("/i", &TriggerBackupRequest::default())
        .await
        .unwrap();
    let mut unreachable = 0;
    running
        .wait_with(|progress| unreachable += u32::from(progress.status == "Unreachable"))
        .await
        .unwrap();
    assert!(unreachable >= 1);
}
