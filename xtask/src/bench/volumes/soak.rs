//! Server and extension are killed at random moments of backups, cancelled backups, restores and
//! deletions, over and over; then it is looked at what is left.
//!
//! Contract: an orphan is what the driver or the cluster has and no recovery point accounts for; a missed
//! thaw is a file system that is frozen when nothing is at work; an unfinished job is one without an end
//! in time, or a custom resource that stays. What takes its time to go is waited for.

mod chance;
mod left;

use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::process::{Running, until_a_random_moment};
use strongroom_e2e::stage::VAULT;

use self::chance::Chance;
use super::Place;
use super::application::shop;
use super::application::{SHOP, SHOP_VOLUMES};
use crate::bench::outside::NAMESPACE;
use crate::bench::report::Figures;
use crate::failure::{Doing, Failure, Result};
use crate::talk::{self, Stopwatch, say};

/// Kills of one job. An extension gives a job up after 30 processes died over it.
const KILLS_A_JOB: u32 = 8;
/// The longest time from one kill to the next: about as long as a small job takes, so that kills hit
/// working and waiting processes.
const APART_MILLIS: u64 = 2_500;
/// How long a job may take once nothing is killed any more.
const ENDED_WITHIN: Duration = Duration::from_secs(240);
const PAUSE: Duration = Duration::from_millis(250);
/// The namespace into which is restored.
const RESTORED: &str = "bench-restored";

/// What happens in one turn.
#[derive(Clone, Copy, Debug)]
enum Turn {
    BackUp,
    Cancel,
    Restore,
    Forget,
}

/// The turns, over and over.
const TURNS: [Turn; 8] = [
    Turn::BackUp,
    Turn::Cancel,
    Turn::BackUp,
    Turn::Restore,
    Turn::Cancel,
    Turn::BackUp,
    Turn::Cancel,
    Turn::Forget,
];

/// Kills this often, and sets what came of it.
pub(super) fn run(place: &mut Place, kills: u32, figures: &mut Figures) -> Result<()> {
    if !place.is_protected()? {
        place.deploy(SHOP, &shop())?;
        place.protect(SHOP, true)?;
    }
    let seed = std::env::var("STRONGROOM_BENCH_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    say(format_args!("{kills} kills, STRONGROOM_BENCH_SEED={seed}"));
    let watch = Stopwatch::start();
    let mut soak = Soak {
        place,
        chance: Chance(seed),
        wanted: kills,
        of_extension: 0,
        of_server: 0,
        tally: Tally::default(),
    };
    for turn in TURNS.iter().cycle() {
        if soak.kills() >= kills {
            break;
        }
        soak.take(*turn)?;
        say(format_args!(
            "{:>8}  {turn:?}: {} kills, {} points; {:?}",
            watch.words(),
            soak.kills(),
            soak.place.points()?.len(),
            soak.tally
        ));
    }
    soak.tell(figures)?;
    figures.set("soak_minutes", watch.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

/// What was counted on the way.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    cancelled: u64,
    restores: u64,
    forgotten: u64,
    looks: u64,
    missed_thaws: u64,
    unfinished: u64,
}

struct Soak<'a> {
    place: &'a mut Place,
    chance: Chance,
    wanted: u32,
    of_extension: u32,
    of_server: u32,
    tally: Tally,
}

impl Soak<'_> {
    fn kills(&self) -> u32 {
        self.of_extension + self.of_server
    }

    fn take(&mut self, turn: Turn) -> Result<()> {
        match turn {
            Turn::BackUp => self.job(&["backup", "start", SHOP, "--vault", VAULT], false)?,
            Turn::Cancel => {
                self.tally.cancelled += 1;
                self.job(&["backup", "start", SHOP, "--vault", VAULT], true)?;
            }
            Turn::Restore => self.restore()?,
            Turn::Forget => self.forget()?,
        }
        self.look_for_frozen()
    }

    /// A restore beside the application, which is lost again.
    fn restore(&mut self) -> Result<()> {
        if self.place.points()?.is_empty() {
            return Ok(());
        }
        self.tally.restores += 1;
        let mapping = format!("{SHOP}={RESTORED}");
        let words = ["restore", "start", SHOP, "--vault", VAULT];
        let what = [
            "--recovery-point",
            "latest",
            "--namespace-mapping",
            &mapping,
        ];
        self.job(&[&words[..], &what].concat(), false)?;
        let gone = self.place.stage.kubectl.delete_namespaces(&[RESTORED]);
        gone.doing(|| "lose what was restored".to_owned())
    }

    /// The instance is deleted with all that it has, and made anew.
    fn forget(&mut self) -> Result<()> {
        self.tally.forgotten += 1;
        let words = ["instance", "delete", SHOP, "--vault", VAULT];
        let deleted = self.place.stage.cli.run(&words);
        deleted.doing(|| "delete the instance".to_owned())?;
        self.kill_until(|soak| soak.place.open_jobs().map(|open| open == 0))?;
        self.until_ended()?;
        self.place.create_instance(SHOP, true)
    }

    /// Starts a job and kills whoever works on it, until it ends or it is enough; a cancelled one loses its
    /// custom resource at some moment.
    fn job(&mut self, words: &[&str], cancelled: bool) -> Result<()> {
        let jobs = self.place.jobs()?.len() + 1;
        let command = self.place.accepted(words, jobs)?;
        if cancelled {
            until_a_random_moment(Duration::from_millis(self.chance.below(APART_MILLIS)));
            if self.chance.below(2) == 0 {
                self.kill()?;
            }
            self.place.cancel()?;
        }
        self.kill_until(|soak| soak.place.open_jobs().map(|open| open == 0))?;
        let ended = self.until_ended();
        drop(command);
        ended
    }

    fn kill_until(&mut self, is_over: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let most = (self.kills() + KILLS_A_JOB).min(self.wanted);
        while self.kills() < most && !is_over(self)? {
            until_a_random_moment(Duration::from_millis(self.chance.below(APART_MILLIS)));
            self.kill()?;
        }
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        if self.chance.below(10) < 3 {
            self.of_server += 1;
            let restarted = self.place.stage.restart_server(&[]);
            restarted.doing(|| "restart the server".to_owned())
        } else {
            self.of_extension += 1;
            self.place.start_extension()
        }
    }

    fn until_ended(&mut self) -> Result<()> {
        let ended = talk::poll(ENDED_WITHIN, PAUSE, || {
            Ok::<_, Failure>((self.place.open_jobs()? == 0).then_some(()))
        })?;
        if ended.is_none() {
            self.tally.unfinished += 1;
            let jobs = self.place.jobs()?;
            return Err(Failure::new(
                "wait for the end of a job",
                format!("{:#}", jobs.first().cloned().unwrap_or_default()),
            ));
        }
        Ok(())
    }

    /// Looks at the application's file systems once no thaw is due any more.
    fn look_for_frozen(&mut self) -> Result<()> {
        let place = &*self.place;
        let settled = talk::poll(ENDED_WITHIN, PAUSE, || {
            Ok::<_, Failure>(place.records("frozen-by-")?.is_empty().then_some(()))
        })?;
        if settled.is_none() {
            say("a journal of a freeze stays");
        }
        let frozen = self.place.frozen()?;
        self.tally.looks += 1;
        self.tally.missed_thaws += frozen.len() as u64;
        if !frozen.is_empty() {
            say(format_args!("FROZEN: {}", frozen.join(", ")));
        }
        Ok(())
    }

    fn tell(mut self, figures: &mut Figures) -> Result<()> {
        self.look_for_frozen()?;
        let left = left::settled(self.place, ENDED_WITHIN)?;
        for orphan in left.orphans.iter().chain(&left.missing) {
            say(format_args!("left: {orphan}"));
        }
        let jobs = self.place.jobs()?;
        let count = |wanted: &str| {
            let mut states = jobs.iter().map(|job| job["properties"]["status"].as_str());
            states
                .by_ref()
                .filter(|state| *state == Some(wanted))
                .count() as u64
        };
        let unfinished = self.tally.unfinished + count("InProgress") + left.resources.len() as u64;
        for (name, value) in [
            ("orphans", left.orphans.len() as u64),
            ("missing", left.missing.len() as u64),
            ("missed_thaws", self.tally.missed_thaws),
            ("unfinished_jobs", unfinished),
            ("kills_of_extension", u64::from(self.of_extension)),
            ("kills_of_server", u64::from(self.of_server)),
            ("jobs", jobs.len() as u64),
            ("jobs_completed", count("Completed")),
            ("jobs_with_warnings", count("CompletedWithWarnings")),
            ("jobs_failed", count("Failed")),
            ("cancelled", self.tally.cancelled),
            ("forgotten", self.tally.forgotten),
            ("restores", self.tally.restores),
            ("points_at_the_end", self.place.points()?.len() as u64),
            ("looks_for_frozen", self.tally.looks),
        ] {
            figures.set_count(name, value);
        }
        Ok(())
    }
}

impl Place {
    fn is_protected(&self) -> Result<bool> {
        let listed = self.stage.cli.json(&["instance", "list", "--vault", VAULT]);
        let listed = listed.doing(|| "list instances".to_owned())?;
        let names = listed.as_array().into_iter().flatten();
        Ok(names.into_iter().any(|instance| instance["name"] == SHOP))
    }

    fn jobs(&self) -> Result<Vec<Value>> {
        let listed = self.stage.cli.json(&["job", "list", "--vault", VAULT]);
        let listed = listed.doing(|| "list jobs".to_owned())?;
        Ok(listed.as_array().cloned().unwrap_or_default())
    }

    fn open_jobs(&self) -> Result<usize> {
        let jobs = self.jobs()?;
        let open = |job: &&Value| job["properties"]["status"] == "InProgress";
        Ok(jobs.iter().filter(open).count())
    }

    /// Asks for a job until the server has written it down. Nothing is killed meanwhile, so that one
    /// request is one job.
    fn accepted(&self, words: &[&str], jobs: usize) -> Result<Running> {
        let doing = || format!("start {}", words.join(" "));
        let command = self.stage.cli.start(words).doing(doing)?;
        let accepted = talk::poll(ENDED_WITHIN, PAUSE, || {
            Ok::<_, Failure>((self.jobs()?.len() >= jobs).then_some(()))
        })?;
        accepted.ok_or_else(|| Failure::new(doing(), "it is not accepted"))?;
        Ok(command)
    }

    /// Takes the custom resource of the running backup away, as a user might.
    fn cancel(&self) -> Result<()> {
        let kind = "backups.clusterbackup.dataprotection.microsoft.com";
        let words = ["-n", NAMESPACE, "delete", kind, "--all", "--wait=false"];
        let deleted = self.stage.kubectl.run(&words);
        deleted.map(drop).doing(|| "cancel a backup".to_owned())
    }

    /// The recovery points of all instances.
    fn points(&self) -> Result<Vec<String>> {
        let mut all = Vec::new();
        let listed = self.stage.cli.json(&["instance", "list", "--vault", VAULT]);
        let listed = listed.doing(|| "list instances".to_owned())?;
        for instance in listed.as_array().into_iter().flatten() {
            all.extend(self.points_of(instance["name"].as_str().unwrap_or_default())?);
        }
        Ok(all)
    }

    /// The recovery points of an instance.
    fn points_of(&self, instance: &str) -> Result<Vec<String>> {
        let words = [
            "recovery-point",
            "list",
            "--instance",
            instance,
            "--vault",
            VAULT,
        ];
        let points = self.stage.cli.json(&words);
        let points = points.doing(|| format!("list recovery points of {instance}"))?;
        let points = points.as_array().into_iter().flatten();
        let names = points.filter_map(|point| point["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// ConfigMaps of the extension whose names begin so.
    fn records(&self, beginning: &str) -> Result<Vec<String>> {
        let maps = self
            .stage
            .kubectl
            .json(&["-n", NAMESPACE, "get", "configmaps"]);
        let maps = maps.doing(|| "list the extension's records".to_owned())?;
        let maps = maps["items"].as_array().into_iter().flatten();
        let names = maps.filter_map(|map| map["metadata"]["name"].as_str());
        let names = names.filter(|name| name.starts_with(beginning));
        Ok(names.map(str::to_owned).collect())
    }
}
