//! Schedules start backups: once for each moment, through downtimes, wrong clocks and other jobs.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use strongroom_api::instance::CurrentProtectionState;
use strongroom_kubernetes::crd::JobState;

use super::*;
use crate::app::jobs::{FAILED, Request};
use crate::store::{JobFilter, JobRow};
use crate::testing::protection::{Protected, adhoc, restore_of};

const HOUR: Duration = Duration::from_secs(3600);

/// A first look has noted the schedule: every four hours, the next time at 04:00, and it is 03:04:05.
async fn scheduled() -> Protected {
    let it = Protected::new().await;
    assert_eq!(look(&it).await, Looked::default());
    it
}

async fn look(it: &Protected) -> Looked {
    start_due_backups(&it.harness.app).await.unwrap()
}

fn started(count: usize) -> Looked {
    Looked {
        started: count,
        ..Looked::default()
    }
}

/// Jobs of the vault, the newest first.
async fn jobs(it: &Protected) -> Vec<JobRow> {
    let filter = JobFilter {
        vault_key: it.vault.to_lowercase(),
        ..JobFilter::default()
    };
    let mut session = it.harness.app.store.read().await.unwrap();
    session.jobs(&filter, None, 100).await.unwrap().rows
}

async fn status(it: &Protected) -> Value {
    it.harness.get(&it.instance).await.json()["properties"]["scheduleStatus"].clone()
}

fn moment_of(job: &JobRow) -> Timestamp {
    match Request::of(job).unwrap() {
        Request::Backup { scheduled_for, .. } => scheduled_for.unwrap(),
        Request::NotStarted { scheduled_for, .. } => scheduled_for,
        other => panic!("{other:?}"),
    }
}

async fn suspend(it: &Protected, state: CurrentProtectionState) {
    let mut session = it.harness.app.store.begin().await.unwrap();
    let key = it.instance.to_lowercase();
    let mut row = session.resource(&key).await.unwrap().unwrap();
    row.body["properties"]["currentProtectionState"] = serde_json::to_value(state).unwrap();
    session.put_resource(&row).await.unwrap();
    session.commit().await.unwrap();
}

async fn edit_policy(it: &Protected, edit: impl FnOnce(&mut Value)) {
    let mut policy = it.harness.get(&it.policy).await.json();
    edit(&mut policy["properties"]["policyRules"]);
    let body = json!({"properties": policy["properties"]});
    let answer = it.harness.put(&it.policy, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_moment_of_the_schedule_starts_one_backup_that_says_so() {
    let it = scheduled().await;
    assert_eq!(
        status(&it).await,
        json!({"state": "Waiting", "nextBackupTime": "2026-01-02T04:00:00Z"})
    );
    it.harness.clock.advance(HOUR);
    assert_eq!(status(&it).await["state"], "Due");
    assert_eq!(look(&it).await, started(1));
    it.extension_backs_up().await;
    assert_eq!(look(&it).await, Looked::default());

    let job = it.only_job().await;
    let path = format!("{}/backupJobs/{}", it.vault, job.id);
    let told = it.harness.get(&path).await.json();
    let told = &told["properties"];
    assert_eq!(told["isUserTriggered"], false);
    assert_eq!(told["status"], "CompletedWithWarnings");
    let details = &told["extendedInfo"]["additionalDetails"];
    assert_eq!(details["scheduledFor"], "2026-01-02T04:00:00Z");
    let points = format!("{}/recoveryPoints", it.instance);
    let point = &it.harness.get(&points).await.json()["value"][0]["properties"];
    assert_eq!(point["retentionTagName"], "Default");
    let created: Timestamp = point["recoveryPointTime"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let week = created + Duration::from_secs(7 * 24 * 3600);
    assert_eq!(point["expiryTime"], week.to_string());
    let store = &point["recoveryPointDataStoresDetails"][0];
    assert_eq!(
        (&store["expiryTime"], &store["state"]),
        (&point["expiryTime"], &json!("COMMITTED"))
    );
    let told = status(&it).await;
    assert_eq!(told["lastScheduledTime"], "2026-01-02T04:00:00Z");
    assert_eq!(told["lastJobId"], job.id.to_string());
    assert_eq!(told["nextBackupTime"], "2026-01-02T08:00:00Z");
    let counted = it.harness.app.metrics.encode();
    assert!(
        counted.contains(r#"strongroom_scheduled_backups_total{result="Started"} 1"#),
        "{counted}"
    );
}

#[tokio::test]
async fn after_a_downtime_there_is_one_backup_and_no_storm() {
    let it = scheduled().await;
    it.harness.clock.advance(HOUR * 24 * 3);
    let told = status(&it).await;
    assert_eq!(told["state"], "Due");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("since 2026-01-02T04:00:00Z"),
        "{told}"
    );
    assert_eq!(look(&it).await, started(1));
    assert_eq!(
        moment_of(&it.only_job().await).to_string(),
        "2026-01-05T00:00:00Z"
    );
    it.extension_backs_up().await;
    assert_eq!(look(&it).await, Looked::default());
}

#[tokio::test]
async fn runs_of_an_instance_never_overlap_and_the_moment_that_waited_comes_after() {
    let it = scheduled().await;
    it.post("backup", adhoc()).await;
    it.harness.clock.advance(HOUR);
    assert_eq!(
        look(&it).await,
        Looked::default(),
        "it is passed by, so that others have its turn"
    );
    assert_eq!(jobs(&it).await.len(), 1);
    it.extension_backs_up().await;
    // Two more moments pass meanwhile; there is one backup for all of them.
    it.harness.clock.advance(HOUR * 8);
    assert_eq!(look(&it).await, started(1));
    assert_eq!(
        moment_of(&it.open_job().await).to_string(),
        "2026-01-02T12:00:00Z"
    );
    it.extension_backs_up().await;

    let point = it
        .harness
        .get(&format!("{}/recoveryPoints", it.instance))
        .await
        .json();
    let point = point["value"][0]["name"].as_str().unwrap().to_owned();
    let restore = json!({"restoreRequestObject": restore_of(&point, &it.cluster)});
    let answer = it.post("validateRestore", restore).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    it.harness.clock.advance(HOUR * 4);
    assert_eq!(look(&it).await, Looked::default());
    it.extension_validates().await;
    assert_eq!(look(&it).await, started(1));
}

#[tokio::test]
async fn a_job_that_began_after_the_look_postpones_the_moment() {
    let it = scheduled().await;
    it.harness.clock.advance(HOUR);
    let mut session = it.harness.app.store.read().await.unwrap();
    let instance = session
        .resource(&it.instance.to_lowercase())
        .await
        .unwrap()
        .unwrap();
    drop(session);
    it.post("backup", adhoc()).await;
    let followed = schedules::follow(&it.harness.app, &instance).await.unwrap();
    assert_eq!(followed, Started::Postponed(it.only_job().await.id));
    it.extension_backs_up().await;
    assert_eq!(look(&it).await, started(1));
}

#[tokio::test]
async fn a_moment_that_cannot_be_seen_to_is_a_failed_job_with_the_reason() {
    let it = scheduled().await;
    it.forget_extension().await;
    it.harness.clock.advance(HOUR);
    let refused = Looked {
        refused: 1,
        ..Looked::default()
    };
    assert_eq!(look(&it).await, refused);
    let job = it.only_job().await;
    assert_eq!(
        (job.status.as_str(), moment_of(&job).to_string().as_str()),
        (FAILED, "2026-01-02T04:00:00Z")
    );
    let path = format!("{}/backupJobs/{}", it.vault, job.id);
    let told = it.harness.get(&path).await.json();
    assert_eq!(
        told["properties"]["errorDetails"][0]["code"],
        "UserErrorKubernetesBackupExtensionNotFoundError"
    );
    assert_eq!(told["properties"]["isUserTriggered"], false);
    // Not tried again before the next moment.
    assert_eq!(look(&it).await, Looked::default());
    it.look_until_idle().await;
    it.harness.clock.advance(HOUR * 4);
    assert_eq!(look(&it).await, refused);
    assert_eq!(jobs(&it).await.len(), 2);
}

#[tokio::test]
async fn a_suspended_instance_is_left_alone_and_caught_up_with_once() {
    let it = scheduled().await;
    for state in [
        CurrentProtectionState::BackupSchedulesSuspended,
        CurrentProtectionState::ProtectionStopped,
        CurrentProtectionState::SoftDeleted,
    ] {
        suspend(&it, state).await;
        it.harness.clock.advance(HOUR * 5);
        assert_eq!(look(&it).await, Looked::default(), "{state:?}");
        let told = status(&it).await;
        assert_eq!(told["state"], "Suspended");
        assert_eq!(
            told["message"],
            format!("The protection state is {state:?}.")
        );
    }
    suspend(&it, CurrentProtectionState::ProtectionConfigured).await;
    assert_eq!(look(&it).await, started(1));
    assert_eq!(look(&it).await, Looked::default());
}

#[tokio::test]
async fn another_schedule_counts_from_its_own_beginning() {
    let it = scheduled().await;
    it.harness.clock.advance(Duration::from_secs(50 * 60));
    edit_policy(&it, |rules| {
        rules[0]["trigger"]["schedule"]["repeatingTimeIntervals"] =
            json!(["R/2026-01-01T00:00:00+00:00/PT5M"]);
    })
    .await;
    // 03:54: three moments of the new schedule lie between its instance's birth and now.
    assert_eq!(status(&it).await["nextBackupTime"], "2026-01-02T03:55:00Z");
    assert_eq!(look(&it).await, Looked::default());
    it.harness.clock.advance(Duration::from_secs(60));
    assert_eq!(look(&it).await, started(1));
    assert_eq!(
        moment_of(&it.only_job().await).to_string(),
        "2026-01-02T03:55:00Z"
    );
}

#[tokio::test]
async fn a_clock_that_was_years_ahead_does_not_leave_an_instance_unprotected() {
    let it = scheduled().await;
    let mut session = it.harness.app.store.begin().await.unwrap();
    let key = it.instance.to_lowercase();
    let mut row = session.schedule(&key).await.unwrap().unwrap();
    row.handled = Some("2036-01-01T00:00:00Z".parse().unwrap());
    session.put_schedule(&row).await.unwrap();
    session.commit().await.unwrap();
    assert_eq!(look(&it).await, Looked::default());
    it.harness.clock.advance(HOUR);
    assert_eq!(look(&it).await, started(1));
}

#[tokio::test]
async fn the_first_successful_backup_of_a_day_gets_its_tag_and_one_on_demand_does_not_take_it() {
    let it = scheduled().await;
    edit_policy(&it, |rules| {
        let criterion = json!({
            "isDefault": false, "taggingPriority": 25, "tagInfo": {"tagName": "Daily"},
            "criteria": [{"objectType": "ScheduleBasedBackupCriteria", "absoluteCriteria": ["FirstOfDay"]}],
        });
        rules[0]["trigger"]["taggingCriteria"].as_array_mut().unwrap().push(criterion);
        let mut daily = rules[1].clone();
        daily["name"] = "Daily".into();
        daily["isDefault"] = false.into();
        daily["lifecycles"][0]["deleteAfter"]["duration"] = "P30D".into();
        rules.as_array_mut().unwrap().push(daily);
    })
    .await;
    it.recovery_point().await;
    // 04:00 fails, so that the one of 08:00 is the first successful one.
    it.harness.clock.advance(HOUR);
    assert_eq!(look(&it).await, started(1));
    it.look_until_created().await;
    it.harness
        .clusters
        .update_status(|status| status.state = JobState::Failed);
    it.look_until_idle().await;
    for _ in 0..2 {
        it.harness.clock.advance(HOUR * 4);
        assert_eq!(look(&it).await, started(1));
        it.extension_backs_up().await;
    }
    let listed = it
        .harness
        .get(&format!("{}/recoveryPoints", it.instance))
        .await
        .json();
    let tags: Vec<&str> = listed["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["properties"]["retentionTagName"].as_str().unwrap())
        .collect();
    assert_eq!(tags, ["Default", "Daily", "Default"]);
}

#[tokio::test]
async fn more_than_a_look_may_start_come_with_the_next_ones_and_the_longest_due_first() {
    let it = scheduled().await;
    let more = STARTS_PER_LOOK + 3;
    let mut session = it.harness.app.store.begin().await.unwrap();
    let key = it.instance.to_lowercase();
    let row = session.resource(&key).await.unwrap().unwrap();
    let schedule = session.schedule(&key).await.unwrap().unwrap();
    for number in 0..more {
        let id = format!("{}-{number:02}", it.instance);
        let copy = ResourceRow {
            key: id.to_lowercase(),
            id: id.clone(),
            name: format!("{}-{number:02}", row.name),
            ..row.clone()
        };
        session.put_resource(&copy).await.unwrap();
        let copy = crate::store::ScheduleRow {
            instance_key: id.to_lowercase(),
            ..schedule.clone()
        };
        session.put_schedule(&copy).await.unwrap();
    }
    session.commit().await.unwrap();
    it.harness.clock.advance(HOUR);
    assert_eq!(look(&it).await, started(STARTS_PER_LOOK));
    assert_eq!(look(&it).await, started(4));
    assert_eq!(look(&it).await, Looked::default());
    assert_eq!(jobs(&it).await.len(), more + 1);
}

#[tokio::test]
async fn a_clients_word_on_the_schedule_is_not_kept() {
    let it = scheduled().await;
    let mut document = it.instance_document();
    document["scheduleStatus"] = json!({"state": "Ended"});
    let answer = it
        .harness
        .put(&it.instance, json!({"properties": document}))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(!answer.text.contains("scheduleStatus"), "{}", answer.text);
    it.ended(answer.header("azure-asyncoperation")).await;
    assert_eq!(status(&it).await["state"], "Waiting");
}
