//! What a simulation says is what the server does: random policies are followed by the code that starts
//! scheduled backups, gives recovery points their tags and times, and lets them go, over a real store.
//!
//! `STRONGROOM_SIMULATED_POLICIES` sets how many (the bar is 10,000; the suite does a few).

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use strongroom_core::policy::{BackupPolicy, Verdict};
use uuid::Uuid;

use super::*;
use crate::app::jobs::{Request, Step};
use crate::app::retention::looks;
use crate::app::schedules::{self, Started};
use crate::store::{JobRow, RecoveryPointRow, ResourceRow, ScheduleRow};
use crate::testing::protection::Protected;

/// Policies that the suite follows.
const POLICIES_IN_THE_SUITE: u32 = 12;
/// Backups of each.
const BACKUPS: usize = 14;

#[test]
fn random_policies_are_followed_as_their_simulation_says() {
    let number = std::env::var("STRONGROOM_SIMULATED_POLICIES").ok();
    let cases = number
        .and_then(|text| text.parse().ok())
        .unwrap_or(POLICIES_IN_THE_SUITE);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let it = runtime.block_on(Protected::new());
    let config = Config {
        cases,
        ..Config::default()
    };
    let followed = TestRunner::new(config).run(&any_policy(), |document| {
        runtime.block_on(is_followed_as_simulated(&it, &document))
    });
    followed.unwrap();
}

/// A policy with any schedule and zone, and any of the usual tags.
fn any_policy() -> impl Strategy<Value = Value> {
    let interval = prop_oneof![
        (5..600_u32).prop_map(|minutes| format!("PT{minutes}M")),
        (1..72_u32).prop_map(|hours| format!("PT{hours}H")),
        (1..20_u32).prop_map(|days| format!("P{days}D")),
        (1..4_u32).prop_map(|weeks| format!("P{weeks}W")),
        (1..4_u32).prop_map(|months| format!("P{months}M")),
    ];
    let start = prop_oneof![
        Just("2024-02-29T01:30:00+00:00"),
        Just("2025-10-26T02:30:00"),
        Just("2025-12-31T23:59:59-05:00"),
    ];
    let zone = prop_oneof![
        Just("UTC"),
        Just("Europe/Berlin"),
        Just("America/St_Johns"),
        Just("Pacific/Apia"),
    ];
    let kept = prop_oneof![
        (1..40_u32).prop_map(|days| format!("P{days}D")),
        (1..9_u32).prop_map(|weeks| format!("P{weeks}W")),
        (1..14_u32).prop_map(|months| format!("P{months}M")),
        (1..3_u32).prop_map(|years| format!("P{years}Y")),
    ];
    let tags = proptest::collection::vec(any::<bool>(), TAGS.len());
    let rules = proptest::collection::vec(kept, TAGS.len() + 1);
    (interval, start, zone, tags, rules)
        .prop_map(|(interval, start, zone, tags, rules)| {
            let chosen: Vec<usize> = (0..TAGS.len()).filter(|tag| tags[*tag]).collect();
            document(&format!("R/{start}/{interval}"), zone, &chosen, &rules)
        })
        .prop_filter("it is valid", |document| meaning(document).is_ok())
}

/// Tags with the criteria that give them, in the order of their priorities.
const TAGS: [(&str, &str, &str); 6] = [
    ("Yearly", "absoluteCriteria", "FirstOfYear"),
    ("Monthly", "absoluteCriteria", "FirstOfMonth"),
    ("Weekly", "absoluteCriteria", "FirstOfWeek"),
    ("Sundays", "daysOfTheWeek", "Sunday"),
    ("Summer", "monthsOfYear", "July"),
    ("Daily", "absoluteCriteria", "FirstOfDay"),
];

fn document(interval: &str, zone: &str, tags: &[usize], kept: &[String]) -> Value {
    let criteria = |tag: &usize| {
        let (name, field, value) = TAGS[*tag];
        let mut criterion = json!({"objectType": "ScheduleBasedBackupCriteria"});
        criterion[field] = json!([value]);
        json!({"isDefault": false, "taggingPriority": tag + 10, "tagInfo": {"tagName": name},
            "criteria": [criterion]})
    };
    let default =
        json!({"isDefault": true, "taggingPriority": 99, "tagInfo": {"tagName": "Default"}});
    let tagging: Vec<Value> = tags.iter().map(criteria).chain([default]).collect();
    let rule = |name: &str, kept: &String| {
        json!({"objectType": "AzureRetentionRule", "name": name, "isDefault": name == "Default",
            "lifecycles": [{"deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": kept},
                "sourceDataStore": {"dataStoreType": "OperationalStore", "objectType": "DataStoreInfoBase"},
                "targetDataStoreCopySettings": []}]})
    };
    let mut rules = vec![json!({
        "objectType": "AzureBackupRule", "name": "BackupHourly",
        "backupParameters": {"objectType": "AzureBackupParams", "backupType": "Incremental"},
        "dataStore": {"dataStoreType": "OperationalStore", "objectType": "DataStoreInfoBase"},
        "trigger": {"objectType": "ScheduleBasedTriggerContext", "taggingCriteria": tagging,
            "schedule": {"repeatingTimeIntervals": [interval], "timeZone": zone}},
    })];
    rules.push(rule("Default", &kept[TAGS.len()]));
    rules.extend(tags.iter().map(|tag| rule(TAGS[*tag].0, &kept[*tag])));
    json!({"properties": {"objectType": "BackupPolicy", "policyRules": rules,
        "datasourceTypes": ["Microsoft.ContainerService/managedClusters"]}})
}

fn meaning(document: &Value) -> Result<BackupPolicy> {
    let PolicyProperties::BackupPolicy(document) =
        serde_json::from_value(document["properties"].clone()).unwrap();
    Ok(policies::meaning(&document)?)
}

async fn is_followed_as_simulated(
    it: &Protected,
    document: &Value,
) -> std::result::Result<(), TestCaseError> {
    let written = it.harness.put(&it.policy, document.clone()).await;
    prop_assert_eq!(written.status, 200, "{}", written.text);
    let policy = meaning(document).unwrap();
    let from = it.harness.app.now();
    let moments = moments(&policy, from);
    // A while behind the last moment, so that some points go without a successor's moment.
    let to = moments[moments.len() - 1] + Duration::from_secs(20 * 24 * 3600);
    let to = policy
        .next_due(moments[moments.len() - 1])
        .map_or(to, |next| to.min(next - Duration::from_secs(1)));
    let simulated = core_policy::simulate(&policy, from, to, BACKUPS).unwrap();
    let made: Vec<Timestamp> = simulated.points.iter().map(|point| point.made).collect();
    prop_assert_eq!(&made, &moments);

    let follower = Follower::new(it, &policy).await;
    for (moment, next) in moments.iter().zip(moments.iter().skip(1).chain([&to])) {
        let point = follower.backs_up_at(*moment).await;
        let foreseen = simulated
            .points
            .iter()
            .find(|foreseen| foreseen.made == *moment);
        let foreseen = foreseen.unwrap();
        prop_assert_eq!(retention::tag_of(&point), foreseen.tag.as_str());
        prop_assert_eq!(point.expires_at, foreseen.expires);
        for time in [*moment, *next] {
            let there = follower.there_at(time).await;
            let expected: Vec<Timestamp> = simulated
                .points
                .iter()
                .filter(|foreseen| foreseen.made <= *moment && is_there(foreseen, *moment, time))
                .map(|foreseen| foreseen.made)
                .collect();
            prop_assert_eq!(there, expected, "at {} behind {}", time, moment);
        }
    }
    follower.forgets_everything().await;
    Ok(())
}

/// Whether a simulated point is there at `time`, when the newest one was made at `newest`.
fn is_there(foreseen: &Foreseen, newest: Timestamp, time: Timestamp) -> bool {
    match &foreseen.end {
        // Until its successor is made it is the newest.
        Verdict::Expire { since } => *since > time || foreseen.made == newest,
        Verdict::Keep(_) => true,
    }
}

/// The first moments of a schedule.
fn moments(policy: &BackupPolicy, from: Timestamp) -> Vec<Timestamp> {
    let first = policy.next_due(from);
    std::iter::successors(first, |last| policy.next_due(*last))
        .take(BACKUPS)
        .collect()
}

/// The server's own code, with the clock and what a cluster would do in the test's hand.
struct Follower<'a> {
    it: &'a Protected,
    instance: ResourceRow,
}

impl<'a> Follower<'a> {
    /// The schedule counts from now on, and nothing was backed up before.
    async fn new(it: &'a Protected, policy: &BackupPolicy) -> Self {
        let mut session = it.harness.app.store.begin().await.unwrap();
        let key = it.instance.to_lowercase();
        let instance = session.resource(&key).await.unwrap().unwrap();
        let anew = ScheduleRow {
            instance_key: key,
            schedule: policy.schedule_text(),
            since: it.harness.app.now(),
            handled: None,
            job_id: None,
            last_success: None,
        };
        session.put_schedule(&anew).await.unwrap();
        session.commit().await.unwrap();
        Self { it, instance }
    }

    fn clock_shows(&self, time: Timestamp) {
        let clock = &self.it.harness.clock;
        let ahead = time.duration_since(self.it.harness.app.now());
        clock.advance(Duration::try_from(ahead).unwrap());
    }

    /// A scheduled backup begins and succeeds at its moment, and not a second earlier.
    async fn backs_up_at(&self, moment: Timestamp) -> RecoveryPointRow {
        let app = &self.it.harness.app;
        let before = moment - Duration::from_secs(1);
        if before > app.now() {
            self.clock_shows(before);
            let early = schedules::follow(app, &self.instance).await.unwrap();
            assert_eq!(early, Started::Nothing, "at {before}");
        }
        self.clock_shows(moment);
        let started = schedules::follow(app, &self.instance).await.unwrap();
        let Started::Job(job) = started else {
            panic!("{started:?} at {moment}")
        };
        self.succeeds(job).await
    }

    async fn succeeds(&self, job: Uuid) -> RecoveryPointRow {
        let app = &self.it.harness.app;
        let mut session = app.store.begin().await.unwrap();
        let job = session.job(job).await.unwrap().unwrap();
        let request = Request::of(&job).unwrap();
        let Request::Backup {
            recovery_point_id, ..
        } = &request
        else {
            panic!("no backup: {request:?}")
        };
        let mut point = RecoveryPointRow {
            id: *recovery_point_id,
            instance_key: job.instance_key.clone(),
            vault_key: job.vault_key.clone(),
            job_id: job.id,
            created_at: app.now(),
            expires_at: None,
            body: json!({"properties": {}}),
            expiring_since: None,
        };
        retention::settle(&mut *session, &job, &request, &mut point)
            .await
            .unwrap();
        session.insert_recovery_point(&point).await.unwrap();
        let ended = JobRow {
            status: "Completed".to_owned(),
            step: Step::Done.as_str().to_owned(),
            ended_at: Some(app.now()),
            next_poll_at: None,
            ..job
        };
        assert!(session.update_job(&ended).await.unwrap());
        session.commit().await.unwrap();
        point
    }

    /// When the points were made that a look of retention at `time` leaves, the oldest first.
    async fn there_at(&self, time: Timestamp) -> Vec<Timestamp> {
        let app = &self.it.harness.app;
        self.clock_shows(time);
        let mut looks = looks::due(app, None, None).await.unwrap().looks;
        for look in &mut looks {
            for (point, ended) in std::mem::take(&mut look.over) {
                let verdict = retention::decide(app, point, None).await.unwrap();
                look.decided(ended, verdict.as_ref());
                if matches!(verdict, Some(Verdict::Expire { .. })) {
                    assert!(retention::forget(app, point).await.unwrap());
                }
            }
        }
        looks::note(app, &looks).await.unwrap();
        let points = self.points().await;
        points.iter().rev().map(|point| point.created_at).collect()
    }

    async fn points(&self) -> Vec<RecoveryPointRow> {
        let mut session = self.it.harness.app.store.read().await.unwrap();
        let key = &self.instance.key;
        let found = session.recovery_points(key, (None, None), None, PAGE).await;
        found.unwrap().rows
    }

    async fn forgets_everything(&self) {
        for point in self.points().await {
            let app = &self.it.harness.app;
            assert!(retention::forget(app, point.id).await.unwrap());
        }
    }
}
