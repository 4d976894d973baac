//! A preview that has secrets tries the store that they lead to, and says what is wrong with it.

use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use strongroom_kubernetes::crd::{BackupMode, BackupSpec, PreviewFinding, STORAGE_LOCATION};
use strongroom_kubernetes::jobs;
use strongroom_simulation::object_store::{Operation, Verdict};

use super::stage::Stage;

/// What a probe of its own finds about the store.
async fn found(stage: &Stage, spec: &BackupSpec) -> Vec<PreviewFinding> {
    let process = stage.start();
    stage.submit_backup(spec).await;
    let status = stage.ended(&jobs::preview_name(spec.job_id)).await;
    drop(process);
    assert_eq!(status.attempt, 1, "{status:#?}");
    let preview = status.preview.unwrap();
    assert!(!preview.types.is_empty(), "it counts in any case");
    let of_store = |finding: &PreviewFinding| finding.object == STORAGE_LOCATION;
    preview.findings.into_iter().filter(of_store).collect()
}

fn probe(stage: &Stage) -> BackupSpec {
    let mut spec = stage.backup_spec();
    spec.mode = BackupMode::Preview;
    spec.sealed = stage.seal(&jobs::preview_name(spec.job_id));
    spec
}

#[tokio::test]
async fn a_store_that_takes_gives_and_lists_has_no_finding_and_an_object_of_the_jobs_name() {
    let stage = Stage::new().await;
    let spec = probe(&stage);
    assert_eq!(found(&stage, &spec).await, []);
    let object = Path::from(format!("instances/a/{}", spec.job_id));
    let content = stage.store.get(&object).await.unwrap();
    assert_eq!(content.bytes().await.unwrap().as_ref(), b"probe");
}

#[tokio::test]
async fn what_the_store_refuses_is_told_at_once_with_its_code() {
    let not_ready = "UserErrorBackupStorageLocationNotReady";
    let denied = "UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation";
    for (operation, verdict, code) in [
        (Operation::Put, Verdict::Unreachable, not_ready),
        (Operation::Put, Verdict::Denied, denied),
        (Operation::Put, Verdict::Full, "BackupStorageLocationFull"),
        (Operation::Get, Verdict::Denied, denied),
        (Operation::List, Verdict::Denied, denied),
    ] {
        let stage = Stage::new().await;
        let rule = move |_, asked, _: &Path| {
            if asked == operation {
                verdict
            } else {
                Verdict::Pass
            }
        };
        stage.store.decide(rule);
        let findings = found(&stage, &probe(&stage)).await;
        let codes: Vec<&str> = findings.iter().map(|one| one.code.as_str()).collect();
        assert_eq!(codes, [code], "{operation:?} {verdict:?}: {findings:?}");
    }
}

#[tokio::test]
async fn secrets_that_are_another_jobs_are_not_used() {
    let stage = Stage::new().await;
    let mut spec = probe(&stage);
    spec.sealed = stage.seal(&jobs::preview_name(uuid::Uuid::from_u128(7)));
    let findings = found(&stage, &spec).await;
    assert_eq!(findings[0].code, "JobSecretsUnreadable");
    assert_eq!(stage.store.calls(), 0);
}
