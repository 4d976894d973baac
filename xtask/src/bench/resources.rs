//! `cargo xtask bench resources`: the run itself, for one number of objects.

use std::time::Duration;

use clap::ValueEnum;
use strongroom_e2e::stage::VAULT;

use super::job::{Measured, measure};
use super::mix;
use super::processes;
use super::raw::PAGE;
use super::report::Figures;
use super::setting::Setting;
use super::velero::Velero;
use crate::failure::{Failure, Result};
use crate::talk::{Stopwatch, say};

/// Requests in flight while raw objects are created: the extension's `limits::APPLIES_IN_FLIGHT`.
const IN_FLIGHT: usize = 32;
/// Lists at once: the extension's `limits::TYPES_AT_ONCE`.
const LISTS_AT_ONCE: usize = 4;
/// Full backups, each of an instance of its own, with raw lists between.
const ROUNDS: usize = 3;
/// Raw lists before each full backup and after the last. Several, because an API server's garbage
/// collector takes as long as a list does, and runs in some of them only.
const LISTS_EACH: usize = 3;

/// How much of it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Backups and restores
    All,
    /// Backups only, for a look at their speed
    Backups,
}

/// Measures one number of objects from an empty cluster on, and leaves it restored.
pub(crate) fn run(
    setting: &mut Setting,
    objects: usize,
    part: Part,
    mut peer: Option<&mut Velero>,
) -> Result<Figures> {
    say(format_args!("== {objects} objects"));
    let mut figures = Figures::of(objects);
    setting.make_places()?;
    let create = load(setting, objects)?;
    figures.set("raw_create_seconds", create.as_secs_f64());
    fixed_cost(setting, &mut figures)?;
    let instance = full_backups(setting, objects, &mut figures)?;
    increment(setting, objects, &instance, &mut figures)?;
    if part == Part::Backups {
        return Ok(figures);
    }
    equal_restores(setting, objects, &instance, &mut figures)?;
    if let Some(peer) = peer.as_deref_mut() {
        peer.back_up(setting, &mut figures)?;
    }
    fresh_restore(setting, objects, &instance, create, &mut figures)?;
    figures.set("extension_cgroup_peak_mib", setting.memory.peak_mib());
    figures.set_count("extension_out_of_memory_kills", setting.memory.killed());
    if let Some(peer) = peer {
        setting.empty_again()?;
        peer.restore(setting, &mut figures)?;
    }
    Ok(figures)
}

fn load(setting: &Setting, objects: usize) -> Result<Duration> {
    let time = setting.raw.create(objects, IN_FLIGHT)?;
    say(format_args!(
        "{:>7.2} s  raw: {objects} objects created, {:.0} a second, {IN_FLIGHT} in flight",
        time.as_secs_f64(),
        objects as f64 / time.as_secs_f64()
    ));
    Ok(time)
}

/// A backup of a namespace without any object of the mix.
fn fixed_cost(setting: &Setting, figures: &mut Figures) -> Result<()> {
    let instance = figures.instance("empty");
    setting.protect(&instance, &["bench-empty".to_owned()])?;
    let words = ["backup", "start", &instance, "--vault", VAULT];
    let job = measure(setting, "back up an empty namespace", "backups", &words)?;
    figures.set("empty_backup_seconds", job.wall.as_secs_f64());
    figures.set("empty_backup_extension_seconds", job.work);
    Ok(())
}

/// Full backups with raw lists between them; the first one's instance.
fn full_backups(setting: &Setting, objects: usize, figures: &mut Figures) -> Result<String> {
    let (mut lists, mut backups) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        for _ in 0..LISTS_EACH {
            lists.push(raw_list(setting, objects)?);
        }
        let instance = figures.instance(&format!("full-{round}"));
        setting.protect(&instance, &mix::namespaces())?;
        let before = setting.stored();
        let words = ["backup", "start", &instance, "--vault", VAULT];
        backups.push(measure(setting, "back up all of it", "backups", &words)?);
        let after = setting.stored();
        if round == 0 {
            figures.set_count("full_stored_bytes", after.0 - before.0);
            figures.set_count("full_report_bytes", after.1 - before.1);
        }
    }
    for _ in 0..LISTS_EACH {
        lists.push(raw_list(setting, objects)?);
    }
    let times = || lists.iter().map(|list| list.time.as_secs_f64());
    let list = median(times());
    let wall = median(backups.iter().map(|job| job.wall.as_secs_f64()));
    let work = median(backups.iter().map(|job| job.work));
    figures.set("raw_list_seconds", list);
    figures.set("raw_list_best_seconds", times().fold(f64::NAN, f64::min));
    figures.set(
        "raw_list_cpu_seconds_api_server",
        median(lists.iter().map(|list| list.api_server_cpu)),
    );
    figures.set(
        "raw_list_cpu_seconds_client",
        median(lists.iter().map(|list| list.client_cpu)),
    );
    figures.set("backup_seconds", wall);
    figures.set("backup_extension_seconds", work);
    figures.set("backup_over_raw_list", wall / list);
    figures.set("backup_extension_over_raw_list", work / list);
    figures.peak(peak(&backups));
    if let Some(job) = backups.last() {
        figures.set_count("backup_objects", job.objects());
        figures.cpu("backup", job.cpu);
    }
    Ok(figures.instance("full-0"))
}

/// What a raw list took.
#[derive(Clone, Copy, Debug)]
struct RawList {
    time: Duration,
    /// CPU seconds of the API server meanwhile.
    api_server_cpu: f64,
    /// CPU seconds of this process, which reads the bytes.
    client_cpu: f64,
}

fn raw_list(setting: &Setting, objects: usize) -> Result<RawList> {
    let paths: Vec<String> = mix::Kind::ALL.iter().map(|kind| kind.list_path()).collect();
    let client = || processes::cpu_seconds(std::process::id());
    let (server_before, client_before) = (setting.cpu(), client());
    let listed = setting.raw.list(&paths, LISTS_AT_ONCE)?;
    if (listed.pages as usize) < objects.div_ceil(PAGE) {
        let cause = format!("{} pages cannot hold {objects} objects", listed.pages);
        return Err(Failure::new("list all objects of the mix", cause));
    }
    let raw = RawList {
        time: listed.time,
        api_server_cpu: setting.cpu().since(server_before).api_server,
        client_cpu: client() - client_before,
    };
    say(format_args!(
        "{:>7.2} s  raw: {objects} objects listed, {} pages, {:.1} MiB, {LISTS_AT_ONCE} kinds at once; \
         CPU s: API server {:.2}, client {:.2}",
        raw.time.as_secs_f64(),
        listed.pages,
        listed.bytes as f64 / 1024.0 / 1024.0,
        raw.api_server_cpu,
        raw.client_cpu,
    ));
    Ok(raw)
}

/// 1 % of the objects are changed, and the next backup is taken.
fn increment(
    setting: &Setting,
    objects: usize,
    instance: &str,
    figures: &mut Figures,
) -> Result<()> {
    setting.raw.change(mix::changed(objects), 1, IN_FLIGHT)?;
    let before = setting.stored();
    let words = ["backup", "start", instance, "--vault", VAULT];
    let job = measure(setting, "back up after a change of 1 %", "backups", &words)?;
    let after = setting.stored();
    let full = figures.get("full_stored_bytes") + figures.get("full_report_bytes");
    let points = (after.0 - before.0) as f64;
    let reports = (after.1 - before.1) as f64;
    figures.set("increment_stored_bytes", points);
    figures.set("increment_report_bytes", reports);
    figures.set(
        "increment_bytes_over_full",
        points / figures.get("full_stored_bytes"),
    );
    figures.set("increment_and_report_over_full", (points + reports) / full);
    figures.set("increment_seconds", job.wall.as_secs_f64());
    figures.set(
        "increment_over_raw_list",
        job.wall.as_secs_f64() / figures.get("raw_list_seconds"),
    );
    figures.cpu("increment", job.cpu);
    figures.peak(job.peak_rss_mib);
    Ok(())
}

/// Restores onto the cluster that is equal, by both policies.
fn equal_restores(
    setting: &Setting,
    objects: usize,
    instance: &str,
    figures: &mut Figures,
) -> Result<()> {
    let mut writes = 0;
    for policy in ["patch", "skip"] {
        let words = [
            "restore",
            "start",
            instance,
            "--vault",
            VAULT,
            "--recovery-point",
            "latest",
            "--conflict-policy",
            policy,
        ];
        let what = format!("restore onto what is equal ({policy})");
        let job = measure(setting, &what, "restores", &words)?;
        if job.counted.write_count() > 0 {
            say(format_args!("           writes: {:?}", job.counted.writes));
        }
        writes += job.counted.write_count();
        figures.set(
            &format!("equal_restore_{policy}_seconds"),
            job.wall.as_secs_f64(),
        );
        let per_object = job.counted.calls as f64 / objects as f64;
        figures.set(
            &format!("equal_restore_{policy}_calls_per_object"),
            per_object,
        );
        figures.cpu(&format!("equal_restore_{policy}"), job.cpu);
        figures.peak(job.peak_rss_mib);
    }
    figures.set_count("equal_restore_writes", writes);
    Ok(())
}

/// Restores all of it into the cluster as it was before any of it was there.
fn fresh_restore(
    setting: &mut Setting,
    objects: usize,
    instance: &str,
    raw_create: Duration,
    figures: &mut Figures,
) -> Result<()> {
    let watch = Stopwatch::start();
    setting.empty_again()?;
    say(format_args!(
        "{:>8}  the cluster is empty again",
        watch.words()
    ));
    let words = [
        "restore",
        "start",
        instance,
        "--vault",
        VAULT,
        "--recovery-point",
        "latest",
    ];
    let job = measure(setting, "restore all of it", "restores", &words)?;
    check_restored(setting, objects)?;
    let wall = job.wall.as_secs_f64();
    figures.set("restore_seconds", wall);
    figures.set("restore_extension_seconds", job.work);
    figures.set("restore_over_raw_create", wall / raw_create.as_secs_f64());
    figures.set(
        "calls_per_object",
        job.counted.calls as f64 / objects as f64,
    );
    figures.set_count("restore_rejected_calls", job.counted.rejected);
    figures.cpu("restore", job.cpu);
    figures.peak(job.peak_rss_mib);
    let equal = figures
        .get("equal_restore_patch_seconds")
        .max(figures.get("equal_restore_skip_seconds"));
    figures.set("equal_restore_rate_over_fresh", wall / equal);
    Ok(())
}

/// Every object of the mix is there again.
fn check_restored(setting: &Setting, objects: usize) -> Result<()> {
    let mut found = 0;
    for kind in mix::Kind::ALL {
        let path = format!("{}?limit=1", kind.list_path());
        let page = setting.raw.ask(reqwest::Method::GET, &path, None)?;
        let rest = page["metadata"]["remainingItemCount"]
            .as_u64()
            .unwrap_or_default();
        found += rest
            + page["items"]
                .as_array()
                .map_or(0, |items| items.len() as u64);
    }
    if found < objects as u64 {
        let cause = format!("{found} of {objects} objects are there");
        return Err(Failure::new("restore all of it", cause));
    }
    say(format_args!("           {found} objects are there"));
    Ok(())
}

fn peak(jobs: &[Measured]) -> f64 {
    jobs.iter().map(|job| job.peak_rss_mib).fold(0.0, f64::max)
}

/// The middle one; of an even number the mean of the two in the middle.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.as_slice() {
        [] => f64::NAN,
        all if all.len() % 2 == 1 => all[half],
        all => f64::midpoint(all[half - 1], all[half]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < f64::EPSILON);
    }
}
