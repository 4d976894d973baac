//! `cargo xtask bench volumes`: what a backup adds to the driver's own snapshots, and what is left when
//! everything is killed all the time.
//!
//! Contract: what a driver took is read from the driver's own record of its calls; what is left behind,
//! from its own state and from the pods' file systems, never from what we wrote down ourselves.

mod application;
mod driver;
mod place;
mod soak;

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use strongroom_e2e::stage::{CLUSTER, VAULT};

use self::application::{MANY, SHOP, SHOP_VOLUMES};
use self::driver::{Call, Driver};
pub(crate) use self::place::{Place, clear};
use super::job::{between, steps};
use super::outside::NAMESPACE;
use super::report::{Bar, Figures, Limit, Sheet};
use super::resources::median;
use crate::failure::{Doing, Failure, Result};
use crate::talk::{self, Stopwatch, say};

/// The bars of issue 5, and what is behind them.
pub(crate) const SHEET: Sheet = Sheet {
    command: "cargo xtask bench volumes",
    bars: &BARS,
    behind: &BEHIND,
};

const BARS: [Bar; 5] = [
    Bar {
        name: "freeze_over_slowest_snapshot",
        what: "how long an application of 8 volumes stands frozen, over the driver's slowest single snapshot call",
        limit: Limit::Most(1.2),
    },
    Bar {
        name: "snapshot_overhead",
        what: "what the snapshot step of a backup of 50 claims adds to the driver's own time for 50 at once",
        limit: Limit::Most(0.2),
    },
    Bar {
        name: "orphans",
        what: "snapshots, contents and ledgers that no recovery point accounts for, after all kills",
        limit: Limit::Most(0.0),
    },
    Bar {
        name: "missed_thaws",
        what: "volumes of the application that were found frozen when nothing was at work",
        limit: Limit::Most(0.0),
    },
    Bar {
        name: "unfinished_jobs",
        what: "jobs without an end",
        limit: Limit::Most(0.0),
    },
];

const BEHIND: [(&str, &str); 23] = [
    (
        "8 volumes: frozen, first pre-hook to last post-hook, s",
        "frozen_seconds",
    ),
    ("… the driver's slowest call, s", "slowest_snapshot_seconds"),
    ("… frozen beyond it, s", "frozen_beyond_snapshot_seconds"),
    (
        "… the driver at work, first call to last, s",
        "driver_of_freeze_seconds",
    ),
    ("50 claims: the snapshot step, s", "snapshot_step_seconds"),
    (
        "… from the first request to the last cut, s",
        "snapshot_window_seconds",
    ),
    (
        "… before the driver's first call, s",
        "before_first_call_seconds",
    ),
    ("… behind its last, s", "behind_last_call_seconds"),
    (
        "… the driver, asked for 50 VolumeSnapshots by a client that does nothing else, first call to last, s",
        "driver_parallel_seconds",
    ),
    (
        "… the step beyond that, s",
        "snapshot_step_beyond_driver_seconds",
    ),
    ("kills: of the extension", "kills_of_extension"),
    ("… of the server", "kills_of_server"),
    ("jobs", "jobs"),
    ("… Completed", "jobs_completed"),
    ("… CompletedWithWarnings", "jobs_with_warnings"),
    ("… Failed", "jobs_failed"),
    ("backups that were cancelled", "cancelled"),
    (
        "instances that were deleted with their recovery points",
        "forgotten",
    ),
    ("restores", "restores"),
    ("recovery points at the end", "points_at_the_end"),
    ("volume snapshots of them that are gone", "missing"),
    ("looks for frozen volumes", "looks_for_frozen"),
    ("minutes", "soak_minutes"),
];

/// Rounds of each ratio; the median counts.
const ROUNDS: usize = 3;
/// How long the driver's call takes before it cuts, in ms: block storage of clouds takes seconds. Stated
/// beside the figures, and so is what we add, which does not depend on it.
const CUT_MILLIS: u32 = 3_000;
/// Requests of the plain client at once: the extension's `limits::SNAPSHOT_CALLS_AT_ONCE`.
const IN_FLIGHT: usize = 16;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(50);

/// How much of it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The ratios and the soak
    All,
    /// What a backup adds to the driver
    Ratios,
    /// The kills
    Soak,
}

/// Measures.
pub(crate) fn run(place: &mut Place, part: Part, kills: u32) -> Result<Figures> {
    let mut figures = Figures::of_one_run();
    if part != Part::Soak {
        place.snapshots_take(CUT_MILLIS, 0)?;
        freeze(place, &mut figures)?;
        overhead(place, &mut figures)?;
    }
    if part != Part::Ratios {
        place.snapshots_take(300, 500)?;
        soak::run(place, kills, &mut figures)?;
    }
    Ok(figures)
}

/// The words above the table.
pub(crate) fn about(machine: &str) -> String {
    format!(
        "{machine} The driver is the test cluster's own (sparse files); its calls were told to take \
         {CUT_MILLIS} ms before they cut. Of ratios the median of {ROUNDS} rounds."
    )
}

fn freeze(place: &mut Place, figures: &mut Figures) -> Result<()> {
    place.deploy(SHOP, &application::shop())?;
    place.protect(SHOP, true)?;
    let driver = Driver::of(&place.cluster);
    let (mut ratios, mut frozen) = (Vec::new(), Vec::new());
    let (mut slowest, mut spans) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let before = driver.calls()?.len();
        let job = back_up(place, SHOP)?;
        let calls = taken(&driver.calls()?[before..]);
        if calls.len() != SHOP_VOLUMES {
            let cause = format!("{} snapshots of {SHOP_VOLUMES} volumes", calls.len());
            return Err(Failure::new("back up the application", cause));
        }
        let call = calls.iter().map(Call::seconds).fold(0.0, f64::max);
        let span = driver::span(&calls);
        let stood = detail_seconds(&job, "frozenMillis");
        say(format_args!(
            "{stood:>7.2} s  an application of {SHOP_VOLUMES} volumes stood frozen; the driver's slowest call took {call:.2} s, all of them {span:.2} s"
        ));
        ratios.push(stood / call);
        frozen.push(stood);
        slowest.push(call);
        spans.push(span);
        place.nothing_is_frozen()?;
    }
    let beyond = frozen.iter().zip(&slowest).map(|(all, call)| all - call);
    figures.set("frozen_beyond_snapshot_seconds", median(beyond));
    figures.set("freeze_over_slowest_snapshot", median(ratios.into_iter()));
    figures.set("driver_of_freeze_seconds", median(spans.into_iter()));
    figures.set("frozen_seconds", median(frozen.into_iter()));
    figures.set("slowest_snapshot_seconds", median(slowest.into_iter()));
    Ok(())
}

fn overhead(place: &mut Place, figures: &mut Figures) -> Result<()> {
    place.deploy(MANY, &application::many())?;
    place.protect(MANY, false)?;
    let driver = Driver::of(&place.cluster);
    let (mut steps, mut windows, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ahead_of, mut behind) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let before = driver.calls()?.len();
        let names = application::plain_snapshots(round);
        let asked: Result<Vec<()>> = in_flight(&names, |snapshot| place.ask_for(snapshot));
        asked?;
        let calls = talk::poll(PATIENCE, PAUSE, || {
            let calls = taken(&driver.calls()?[before..]);
            Ok::<_, Failure>((calls.len() >= names.len()).then_some(calls))
        })?;
        let calls = calls.ok_or_else(|| Failure::new("snapshot 50 claims", "it takes too long"))?;
        let span = driver::span(&calls);
        place.remove_plain_snapshots()?;
        let before = driver.calls()?.len();
        let taking = snapshot_step(place)?;
        let calls = taken(&driver.calls()?[before..]);
        let first = calls.iter().map(|call| call.begin.as_str()).min();
        let ahead = seconds(&taking.began, first.unwrap_or_default());
        let after = taking.step - ahead - driver::span(&calls);
        say(format_args!(
            "{:>7.2} s  the snapshot step of a backup of {} claims, {:.2} s of it until all were cut, {ahead:.2} s \
             before the driver's first call and {after:.2} s behind its last; the driver alone took {span:.2} s",
            taking.step,
            names.len(),
            taking.window,
        ));
        steps.push(taking.step);
        windows.push(taking.window);
        ahead_of.push(ahead);
        behind.push(after);
        plain.push(span);
    }
    figures.set("before_first_call_seconds", median(ahead_of.into_iter()));
    figures.set("behind_last_call_seconds", median(behind.into_iter()));
    let (step, span) = (median(steps.into_iter()), median(plain.into_iter()));
    figures.set("snapshot_step_seconds", step);
    figures.set("driver_parallel_seconds", span);
    figures.set("snapshot_step_beyond_driver_seconds", step - span);
    figures.set("snapshot_window_seconds", median(windows.into_iter()));
    figures.set("snapshot_overhead", step / span - 1.0);
    Ok(())
}

/// The snapshot step of a backup.
struct Taking {
    /// When it began, by the extension's clock.
    began: String,
    /// Its seconds.
    step: f64,
    /// From the first request to the last cut, in seconds.
    window: f64,
}

/// A backup of the many claims.
fn snapshot_step(place: &mut Place) -> Result<Taking> {
    let path = format!(
        "/apis/clusterbackup.dataprotection.microsoft.com/v1alpha1/namespaces/{NAMESPACE}/backups"
    );
    let watching = place.raw.watch(&path, Stopwatch::start());
    let job = back_up(place, MANY)?;
    let seen = place.raw.seen(watching);
    let states: Vec<Value> = seen
        .into_iter()
        .map(|seen| seen.object["status"].clone())
        .collect();
    let mut of_step = states.iter().filter(|status| status["step"] == "snapshot");
    let began = of_step
        .next()
        .and_then(|status| status["stepStarted"].as_str());
    let step = steps(&states)
        .into_iter()
        .find(|(step, _)| step == "snapshot");
    let (Some(began), Some((_, step))) = (began, step) else {
        return Err(Failure::new("measure a backup", "it took no snapshots"));
    };
    Ok(Taking {
        began: began.to_owned(),
        step,
        window: detail_seconds(&job, "snapshotWindowMillis"),
    })
}

fn back_up(place: &Place, instance: &str) -> Result<Value> {
    let words = ["backup", "start", instance, "--vault", VAULT];
    let doing = || format!("back up {instance}");
    let job = place.stage.cli.json(&words).doing(doing)?;
    match job["properties"]["status"].as_str() {
        Some("Completed") => Ok(job),
        status => Err(Failure::new(doing(), format!("{status:?}: {job:#}"))),
    }
}

fn detail_seconds(job: &Value, name: &str) -> f64 {
    let told = &job["properties"]["extendedInfo"]["additionalDetails"][name];
    let millis = told.as_str().and_then(|text| text.parse::<f64>().ok());
    millis.map_or(f64::NAN, |millis| millis / 1_000.0)
}

/// The calls that made a snapshot: the first that succeeded for each.
fn taken(calls: &[Call]) -> Vec<Call> {
    let mut first: Vec<Call> = Vec::new();
    for call in calls.iter().filter(|call| call.made_a_snapshot()) {
        if !first.iter().any(|known| known.snapshot == call.snapshot) {
            first.push(call.clone());
        }
    }
    first
}

/// Does something for each, several at a time.
fn in_flight<T: Sync>(all: &[T], each: impl Fn(&T) -> Result<()> + Sync) -> Result<Vec<()>> {
    let parts = all.chunks(all.len().div_ceil(IN_FLIGHT).max(1));
    std::thread::scope(|scope| {
        let each = &each;
        let parts = parts.map(|part| scope.spawn(move || part.iter().try_for_each(each)));
        let parts: Vec<_> = parts.collect();
        let joined = parts.into_iter().map(|part| {
            let ended = part.join();
            ended.unwrap_or_else(|_panic| {
                Err(Failure::new("ask for snapshots", "a thread panicked"))
            })
        });
        joined.collect()
    })
}

impl Place {
    /// Asks for a VolumeSnapshot as any client would.
    fn ask_for(&self, snapshot: &Value) -> Result<()> {
        let path = format!("/apis/snapshot.storage.k8s.io/v1/namespaces/{MANY}/volumesnapshots");
        self.raw.ask(Method::POST, &path, Some(snapshot)).map(drop)
    }

    fn remove_plain_snapshots(&self) -> Result<()> {
        let doing = || "remove plain snapshots".to_owned();
        let words = [
            "-n",
            MANY,
            "delete",
            "volumesnapshots",
            "--all",
            "--wait=true",
        ];
        self.stage.kubectl.run(&words).map(drop).doing(doing)
    }

    /// Protects a namespace by an instance of its name, with its hook or without.
    fn protect(&self, name: &str, hook: bool) -> Result<()> {
        let doing = || format!("protect {name}");
        let words = [
            "policy",
            "create",
            name,
            "--vault",
            VAULT,
            "--interval",
            "PT4H",
        ];
        // In another century: no backup comes by itself.
        let times = ["--retention", "P7D", "--start", "2100-01-01T00:00:00+00:00"];
        self.stage
            .cli
            .run(&[&words[..], &times].concat())
            .doing(doing)?;
        self.create_instance(name, hook)
    }

    fn create_instance(&self, name: &str, hook: bool) -> Result<()> {
        let words = [
            "instance", "create", name, "--vault", VAULT, "--policy", name,
        ];
        let what = ["--cluster", CLUSTER, "--include-namespaces", name];
        let reference = format!("{name}/freeze");
        let hooks = ["--backup-hook", &reference];
        let mut all = [&words[..], &what].concat();
        all.extend(hooks.iter().take(if hook { 2 } else { 0 }));
        let made = self.stage.cli.run(&all);
        made.map(drop).doing(|| format!("protect {name}"))
    }
}

/// The seconds from one time to another, as JSON has them.
fn seconds(from: &str, to: &str) -> f64 {
    between(&json!(from), &json!(to))
}
