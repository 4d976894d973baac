//! Server and extension are killed at random moments of backups and restores, over and over; every job
//! ends with the truth, and nothing is left over: no custom resource, no pod, no token, no journal, no
//! object in the store that nothing names.
//!
//! `STRONGROOM_E2E_KILLS` sets how often (the bar is 200 over 20 jobs; the suite does a few), and
//! `STRONGROOM_E2E_SEED` repeats a run: the seed is printed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::process::{Running, until_a_random_moment, wait_for};
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{ACCOUNT, CONTAINER, INSTANCE, VAULT};
use strongroom_e2e::state::State;

use super::keys::odd_keys;
use super::stage_of_tests::{TestStage, status};

/// Kills of one job. An extension gives a job up after 30 processes died over it.
const KILLS_A_JOB: u32 = 10;
/// Kills of a run of the suite.
const KILLS_IN_THE_SUITE: u32 = 10;
/// The longest time from one kill to the next: as long as the extension takes to come back and half
/// a small job more, so that kills hit waiting and working processes.
const APART: Duration = Duration::from_millis(2_500);
/// How long the last process may take to end a job: the kubelet and the takeover included.
const ENDED_WITHIN: Duration = Duration::from_secs(120);

#[test]
fn jobs_end_with_the_truth_and_leave_nothing_whatever_is_killed_when() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let kills = number("STRONGROOM_E2E_KILLS").map_or(KILLS_IN_THE_SUITE, |kills| kills as u32);
    let seed = number("STRONGROOM_E2E_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("{kills} kills, STRONGROOM_E2E_SEED={seed}");
    let mut killing = Killing {
        chance: Chance(seed),
        done: 0,
    };
    let mut stage = TestStage::protected(&LEDGER);
    let before = LEDGER.state(&stage.kubectl).unwrap();
    let around = stage.around();
    let first = stage.jobs().len();
    let mut jobs = first;
    while killing.done < kills {
        let most = (killing.done + KILLS_A_JOB).min(kills);
        jobs += 1;
        stage.back_up_under(&mut killing, most, jobs);
        LEDGER.lose(&stage.kubectl).unwrap();
        let most = (killing.done + KILLS_A_JOB).min(kills);
        jobs += 1;
        stage.restore_under(&mut killing, most, jobs, &before);
    }
    eprintln!("{} kills over {} jobs", killing.done, jobs - first);
    stage.nothing_is_left(&around);
}

/// What jobs may leave behind in a cluster, wherever they do: what carries rights, secrets or notes.
const KEEPSAKES: &str = "serviceaccounts,secrets,configmaps,roles,rolebindings,clusterroles,\
    clusterrolebindings,persistentvolumeclaims,namespaces";

/// Who kills, and how often it has.
struct Killing {
    chance: Chance,
    done: u32,
}

/// A small generator of random numbers that a seed repeats (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

impl TestStage {
    fn back_up_under(&mut self, killing: &mut Killing, most: u32, jobs: usize) {
        let taken = self.recovery_points().unwrap().len();
        let words = ["backup", "start", INSTANCE, "--vault", VAULT];
        let job = self.job_under(&words, killing, most, jobs);
        assert_eq!(status(&job), "Completed", "{}", self.told(&job));
        let points = self.recovery_points().unwrap();
        assert_eq!(points.len(), taken + 1, "{}", self.told(&job));
        let words = ["recovery-point", "verify", &points[0]];
        let place = ["--instance", INSTANCE, "--vault", VAULT];
        self.cli.run(&[&words[..], &place].concat()).unwrap();
    }

    fn restore_under(&mut self, killing: &mut Killing, most: u32, jobs: usize, before: &State) {
        let words = ["restore", "start", INSTANCE, "--vault", VAULT];
        let words = [&words[..], &["--recovery-point", "latest"]].concat();
        let job = self.job_under(&words, killing, most, jobs);
        assert_eq!(status(&job), "Completed", "{}", self.told(&job));
        let after = LEDGER.state(&self.kubectl).unwrap();
        let differences = before.differences(&after);
        assert_eq!(differences, Vec::<String>::new(), "{}", self.told(&job));
    }

    /// Starts a job and kills what works on it until it ends or enough is killed; the job's end.
    fn job_under(
        &mut self,
        words: &[&str],
        killing: &mut Killing,
        most: u32,
        jobs: usize,
    ) -> Value {
        let mut command = self.accepted(words, jobs);
        while killing.done < most && !self.has_ended(jobs) {
            let apart = u64::try_from(APART.as_millis()).unwrap();
            until_a_random_moment(Duration::from_millis(killing.chance.below(apart)));
            let killed = match killing.chance.below(10) {
                0..3 => self.kill_server(),
                _ => self.kill_extension(),
            };
            killing.done += u32::from(killed);
        }
        let ended = wait_for("the job to end", ENDED_WITHIN, || {
            let all = self.jobs();
            if all.len() > jobs {
                return Err(format!("{} jobs for {jobs} requests", all.len()));
            }
            match all.first() {
                Some(job) if all.len() == jobs && status(job) != "InProgress" => Ok(job.clone()),
                other => Err(format!("{other:#?}")),
            }
        });
        drop(command.take());
        ended.unwrap()
    }

    /// Asks for the job until the server has written it down. It is not killed meanwhile, so that one
    /// request is one job.
    fn accepted(&self, words: &[&str], jobs: usize) -> Option<Running> {
        let command = self.cli.start(words).unwrap();
        wait_for("the job to be accepted", ENDED_WITHIN, || {
            match self.jobs().len() {
                known if known >= jobs => Ok(()),
                known => Err(format!("{known} jobs")),
            }
        })
        .unwrap();
        Some(command)
    }

    fn jobs(&self) -> Vec<Value> {
        let listed = self.cli.json(&["job", "list", "--vault", VAULT]).unwrap();
        listed.as_array().cloned().unwrap_or_default()
    }

    fn has_ended(&self, jobs: usize) -> bool {
        let all = self.jobs();
        all.len() == jobs && all.first().is_some_and(|job| status(job) != "InProgress")
    }

    fn kill_server(&mut self) -> bool {
        self.restart_server(&[]).unwrap();
        true
    }

    /// Kills the extension's pod without grace; false when none is running at this moment.
    fn kill_extension(&self) -> bool {
        let of_extension = ["-n", "dataprotection-microsoft", "get", "pods"];
        let pods = self.kubectl.json(&of_extension).unwrap();
        let running = pods["items"].as_array().into_iter().flatten().find(|pod| {
            pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
        });
        let Some(name) = running.and_then(|pod| pod["metadata"]["name"].as_str()) else {
            return false;
        };
        let delete = ["-n", "dataprotection-microsoft", "delete", "pod", name];
        let at_once = ["--grace-period=0", "--force", "--wait=false"];
        self.kubectl
            .succeeds(&[&delete[..], &at_once].concat())
            .unwrap()
    }

    /// The names of all that jobs could leave behind, in the whole cluster.
    fn around(&self) -> BTreeSet<String> {
        let listed = ["get", KEEPSAKES, "--all-namespaces"];
        let listed = self.kubectl.json(&listed).unwrap();
        let items = listed["items"].as_array().into_iter().flatten();
        items
            .map(|item| {
                let metadata = &item["metadata"];
                let namespace = metadata["namespace"].as_str().unwrap_or_default();
                let name = metadata["name"].as_str().unwrap_or_default();
                let kind = item["kind"].as_str().unwrap_or_default();
                format!("{kind} {namespace}/{name}")
            })
            .collect()
    }

    /// No custom resource, no pod but the extension's one, nothing in the cluster that was not there
    /// `before`, and in the store, once it has been pruned, nothing but recovery points with their packs
    /// and one report for each job.
    fn nothing_is_left(&mut self, before: &BTreeSet<String>) {
        wait_for("the custom resources to be gone", ENDED_WITHIN, || {
            let left = self.leftover_jobs().map_err(|error| error.to_string())?;
            left.is_empty().then_some(()).ok_or(left.join(", "))
        })
        .unwrap();
        wait_for("one pod of the extension", ENDED_WITHIN, || {
            let of_extension = ["-n", "dataprotection-microsoft", "get", "pods"];
            let pods = self.kubectl.json(&of_extension);
            let pods = pods.map_err(|error| error.to_string())?;
            match pods["items"].as_array().map(Vec::len) {
                Some(1) => Ok(()),
                other => Err(format!("{other:?} pods")),
            }
        })
        .unwrap();
        assert_eq!(&self.around(), before);
        self.prune_now();
        let points: BTreeSet<String> = self.recovery_points().unwrap().into_iter().collect();
        wait_for(
            "the store to hold recovery points only",
            ENDED_WITHIN,
            || {
                let odd = odd_keys(&self.keys(), &points, &self.job_ids());
                odd.is_empty().then_some(()).ok_or(odd.join("\n"))
            },
        )
        .unwrap();
        for point in &points {
            let words = ["recovery-point", "verify", point];
            let place = ["--instance", INSTANCE, "--vault", VAULT];
            self.cli.run(&[&words[..], &place].concat()).unwrap();
        }
    }

    /// Starts the server anew as one that prunes each second, without a minimum age.
    pub(super) fn prune_now(&mut self) {
        let path = self.dir().join("prune.toml");
        std::fs::write(
            &path,
            "[jobs]\nprune_every_seconds = 1\nprune_min_age_seconds = 0\n",
        )
        .unwrap();
        self.server().unwrap().options.config = Some(path);
        self.restart_server(&[]).unwrap();
    }

    /// The ids of all jobs.
    pub(super) fn job_ids(&self) -> BTreeSet<String> {
        let jobs = self.jobs();
        let names = jobs.iter().filter_map(|job| job["name"].as_str());
        names.map(str::to_owned).collect()
    }

    /// Every key below the prefix of the one repository in the embedded storage.
    fn keys(&self) -> Vec<String> {
        let container = self.data_dir().join("blobs").join(ACCOUNT).join(CONTAINER);
        let repositories: Vec<PathBuf> = entries(&container.join("instances"));
        assert_eq!(repositories.len(), 1, "{repositories:?}");
        assert_eq!(entries(&container).len(), 1, "keys beside the repository");
        let mut keys = Vec::new();
        let mut folders = repositories.clone();
        while let Some(folder) = folders.pop() {
            for entry in entries(&folder) {
                if entry.is_dir() {
                    folders.push(entry);
                } else {
                    let key = entry.strip_prefix(&repositories[0]).unwrap();
                    keys.push(key.to_string_lossy().into_owned());
                }
            }
        }
        keys.sort();
        keys
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).into_iter().flatten();
    found.map(|entry| entry.unwrap().path()).collect()
}
