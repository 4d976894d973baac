//! A schedule starts a backup by itself, and retention lets go what is over: each once, whenever the server
//! dies.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Value, json};
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, POLICY, VAULT};

use super::stage_of_tests::{TestStage, status};

/// Where the server dies while it removes a recovery point; `server/src/worker/crash.rs` says what has
/// happened at each.
const REMOVAL: [&str; 3] = ["point_marked", "point_removed", "point_forgotten"];

#[test]
fn a_schedule_backs_up_by_itself_and_what_is_over_goes_while_the_latest_stays() {
    let mut stage = TestStage::protected(&LEDGER);
    let by_hand = stage.back_up().unwrap();
    let old = stage.recovery_points().unwrap().remove(0);
    assert_eq!(stage.schedule()["nextBackupTime"], "2100-01-01T00:00:00Z");

    // The job says what time it is; the policy's first moment is half a minute after it.
    let now: Timestamp = text(&by_hand["properties"]["startTime"]).parse().unwrap();
    let moment = now.round(jiff::Unit::Second).unwrap() + 30.seconds();
    stage
        .restart_server(&[("STRONGROOM_SERVER_CRASH_AT", "scheduled_backup_recorded")])
        .unwrap();
    stage.write_policy(moment);
    let mut told = stage.schedule();
    assert_eq!(told["state"], "Waiting", "{told}");
    stage.dies_at("scheduled_backup_recorded");
    stage.restart_server(&[]).unwrap();

    let new = stage.new_point_beside(&old);
    let jobs = stage.jobs_so_far();
    assert_eq!(jobs.len(), 2, "one for the moment: {jobs:#?}");
    let by_clock = &jobs[0];
    assert_eq!(status(by_clock), "Completed", "{}", stage.told(by_clock));
    assert_eq!(by_clock["properties"]["isUserTriggered"], false);
    assert_eq!(by_hand["properties"]["isUserTriggered"], true);
    told = stage.schedule();
    assert_eq!(told["lastJobId"], by_clock["name"], "{told}");
    let last: Timestamp = text(&told["lastScheduledTime"]).parse().unwrap();
    let next: Timestamp = text(&told["nextBackupTime"]).parse().unwrap();
    assert_eq!((last, next), (moment, moment + 5.minutes()), "{told}");

    let point = &stage.point(&new)["properties"];
    assert_eq!(point["retentionTagName"], "Daily", "{point:#}");
    let created: Timestamp = text(&point["recoveryPointTime"]).parse().unwrap();
    let expiry: Timestamp = text(&point["expiryTime"]).parse().unwrap();
    // The store keeps microseconds.
    let month = created + (30 * 24).hours();
    assert!(
        expiry.duration_since(month).abs() < SignedDuration::from_millis(1),
        "{point:#}"
    );
    let store = &point["recoveryPointDataStoresDetails"][0];
    assert_eq!(store["expiryTime"], point["expiryTime"]);
    assert_eq!(
        stage.point(&old)["properties"]["retentionTagName"],
        "Default"
    );

    // Both are over; the server dies at each step of the removal.
    stage.server().unwrap().kill();
    stage.make_older(&[&old, &new], 40);
    for at in REMOVAL {
        stage
            .restart_server(&[("STRONGROOM_SERVER_CRASH_AT", at)])
            .unwrap();
        stage.dies_at(at);
    }
    stage.restart_server(&[]).unwrap();
    let left = stage.recovery_points().unwrap();
    assert!(!left.contains(&old) && left.contains(&new), "{left:?}");
    assert_eq!(stage.manifests_of(&old), Vec::<PathBuf>::new());
    assert_eq!(stage.manifests_of(&new).len(), 1);

    // The latest is over as well, and can be restored from.
    let before = LEDGER.state(&stage.kubectl).unwrap();
    LEDGER.lose(&stage.kubectl).unwrap();
    let restored = stage.restore(&[]).unwrap();
    assert_eq!(status(&restored), "Completed", "{}", stage.told(&restored));
    let differences = before.differences(&LEDGER.state(&stage.kubectl).unwrap());
    assert_eq!(differences, Vec::<String>::new());
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl TestStage {
    /// The stage's policy, due every five minutes from this moment on: the first successful backup of a day
    /// is kept for 30 days, any other for a day.
    fn write_policy(&self, first: Timestamp) {
        let store = json!({"dataStoreType": "OperationalStore", "objectType": "DataStoreInfoBase"});
        let kept = |name: &str, duration: &str| {
            json!({
                "objectType": "AzureRetentionRule", "name": name, "isDefault": name == "Default",
                "lifecycles": [{
                    "sourceDataStore": store, "targetDataStoreCopySettings": [],
                    "deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": duration},
                }],
            })
        };
        let first_of_day = json!([{
            "objectType": "ScheduleBasedBackupCriteria", "absoluteCriteria": ["FirstOfDay"],
        }]);
        let policy = json!({"properties": {
            "objectType": "BackupPolicy",
            "datasourceTypes": ["Microsoft.ContainerService/managedClusters"],
            "policyRules": [
                {
                    "objectType": "AzureBackupRule", "name": "BackupHourly", "dataStore": store,
                    "backupParameters": {"objectType": "AzureBackupParams", "backupType": "Incremental"},
                    "trigger": {
                        "objectType": "ScheduleBasedTriggerContext",
                        "schedule": {"repeatingTimeIntervals": [format!("R/{first}/PT5M")]},
                        "taggingCriteria": [
                            {"isDefault": false, "taggingPriority": 25, "tagInfo": {"tagName": "Daily"}, "criteria": first_of_day},
                            {"isDefault": true, "taggingPriority": 99, "tagInfo": {"tagName": "Default"}},
                        ],
                    },
                },
                kept("Daily", "P30D"), kept("Default", "P1D"),
            ],
        }});
        let file = self.dir().join("policy.json");
        std::fs::write(&file, policy.to_string()).unwrap();
        let file = file.to_string_lossy();
        let words = [
            "policy", "create", POLICY, "--vault", VAULT, "--file", &file,
        ];
        self.policy_says_what_it_would_do(first, &file);
        self.cli.run(&words).unwrap();
    }

    /// Before it is written: a day of it, and what it would change.
    fn policy_says_what_it_would_do(&self, first: Timestamp, file: &str) {
        let (from, to) = (first - 1.seconds(), first + 24.hours());
        let (from, to) = (from.to_string(), to.to_string());
        let of_policy = |verb| ["policy", verb, POLICY, "--vault", VAULT, "--file", file];
        let span = ["--from", &from, "--to", &to];
        let words = [&of_policy("simulate")[..], &span].concat();
        let told = self.cli.json(&words).unwrap();
        assert_eq!(told["made"], 24 * 12 + 1, "{told:#}");
        assert_eq!(told["recoveryPoints"][0]["tag"], "Daily");
        let preview = self.cli.json(&of_policy("preview")).unwrap();
        assert_eq!(preview["scheduleChanges"], true, "{preview:#}");
        // It keeps by default for a day what was promised a week.
        assert_eq!(
            (&preview["recoveryPoints"], &preview["unchanged"]),
            (&json!(1), &json!(1))
        );
    }

    fn schedule(&self) -> Value {
        let words = ["instance", "show", INSTANCE, "--vault", VAULT];
        self.cli.json(&words).unwrap()["properties"]["scheduleStatus"].clone()
    }

    /// All jobs, the newest first.
    fn jobs_so_far(&self) -> Vec<Value> {
        let listed = self.cli.json(&["job", "list", "--vault", VAULT]).unwrap();
        listed.as_array().unwrap().clone()
    }

    fn point(&self, name: &str) -> Value {
        let words = ["recovery-point", "show", name];
        let words = [&words[..], &["--instance", INSTANCE, "--vault", VAULT]].concat();
        self.cli.json(&words).unwrap()
    }

    /// The recovery point that appears by itself.
    fn new_point_beside(&self, old: &str) -> String {
        let limit = Duration::from_secs(120);
        wait_for("the schedule to make a recovery point", limit, || {
            let points = self.recovery_points().map_err(|error| error.to_string())?;
            let mut new = points.into_iter().filter(|point| point != old);
            new.next()
                .ok_or_else(|| format!("{:#?}", self.jobs_so_far()))
        })
        .unwrap()
    }

    fn dies_at(&mut self, at: &str) {
        let server = self.server().unwrap();
        let limit = Duration::from_secs(120);
        wait_for(&format!("the server to die at {at}"), limit, || {
            let ended = server.ended().map(drop);
            ended.ok_or_else(|| "it still runs".to_owned())
        })
        .unwrap();
    }

    /// Puts back when recovery points were made and when their time ends, as if so many days had passed since.
    /// The server is not running.
    pub(super) fn make_older(&self, points: &[&str], days: i64) {
        let script = "
import sqlite3, sys
file, days, points = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
db = sqlite3.connect(file)
for point in points:
    past = days * 86400 * 1000000
    changed = db.execute(
        'UPDATE recovery_points SET created_at = created_at - ?, expires_at = expires_at - ? WHERE id = ?',
        (past, past, point))
    assert changed.rowcount == 1, point
db.commit()
";
        let database = self.data_dir().join("strongroom.db");
        let done = Command::new("python3")
            .args(["-c", script])
            .arg(&database)
            .arg(days.to_string())
            .args(points)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// Manifests of a recovery point in the server's own storage.
    pub(super) fn manifests_of(&self, point: &str) -> Vec<PathBuf> {
        let ending = format!("/points/{point}/manifest");
        self.stored_files(|path| path.ends_with(&ending))
    }
}
