//! `cargo xtask bench control-plane`: what the server does with a large catalogue, and with many clients.
//!
//! Contract: what is measured is one server process as users run it, over HTTPS and with an access token of a
//! service principal. CPU and memory are the kernel's figures of that process. The catalogue is made by SQL in
//! the server's own schema, of rows that a test of the server holds against those that it writes
//! (`crates/server/src/testing/rows.rs`); what the server notes for itself it notes itself. Whether retention
//! has looked at everything is read from the database.

mod calls;
mod catalogue;
mod client;
mod load;
mod place;
mod sql;

use std::path::Path;
use std::time::Duration;

use self::client::Client;
pub(crate) use self::place::{Place, Store, clear};
use super::processes;
use super::report::{Bar, Figures, Limit, Sheet};
use crate::failure::{Failure, Result};
use crate::talk::{self, Stopwatch, say};

/// The bars of issue 6, and what is behind them.
pub(crate) const SHEET: Sheet = Sheet {
    command: "cargo xtask bench control-plane",
    bars: &BARS,
    behind: &BEHIND,
};

const BARS: [Bar; 7] = [
    Bar {
        name: "list_p99_ms",
        what: "a page of 100 instances or recovery points, 99th percentile, in ms",
        limit: Limit::Most(50.0),
    },
    Bar {
        name: "get_p99_ms",
        what: "an instance, a recovery point or a policy, 99th percentile, in ms",
        limit: Limit::Most(10.0),
    },
    Bar {
        name: "tick_cpu_s",
        what: "the most CPU that the server used in 10 s without a client: a look at all schedules and one of retention, in s",
        limit: Limit::Most(1.0),
    },
    Bar {
        name: "rss_mib",
        what: "the server's peak memory until there, in MiB",
        limit: Limit::Most(300.0),
    },
    Bar {
        name: "retention_full_s",
        what: "from the edit of the policy of all instances to the last recovery point that was looked at, in s",
        limit: Limit::Most(30.0),
    },
    Bar {
        name: "errors_5xx",
        what: "answers 5xx, and requests without an answer, of all clients at once",
        limit: Limit::Most(0.0),
    },
    Bar {
        name: "load_p99_ms",
        what: "an answer then, 99th percentile, in ms",
        limit: Limit::Most(250.0),
    },
];

const BEHIND: [(&str, &str); 27] = [
    ("instances", "instances"),
    ("recovery points", "recovery_points"),
    ("bytes of the database, MiB", "database_mib"),
    ("filled in, s", "fill_seconds"),
    ("server ready after, s", "ready_seconds"),
    (
        "first look of retention at everything, s",
        "retention_first_s",
    ),
    ("… CPU of it, s", "retention_first_cpu_s"),
    ("list of instances: median, ms", "list_instances_p50_ms"),
    ("… 99th percentile, ms", "list_instances_p99_ms"),
    ("list of recovery points: median, ms", "list_points_p50_ms"),
    ("… 99th percentile, ms", "list_points_p99_ms"),
    (
        "get of an instance: 99th percentile, ms",
        "get_instance_p99_ms",
    ),
    (
        "get of a recovery point: 99th percentile, ms",
        "get_point_p99_ms",
    ),
    ("get of a policy: 99th percentile, ms", "get_policy_p99_ms"),
    (
        "CPU without a client, s in a minute",
        "idle_cpu_s_per_minute",
    ),
    (
        "look of retention after the edit: CPU, s",
        "retention_full_cpu_s",
    ),
    ("… the most CPU in 10 s after it", "tick_after_cpu_s"),
    ("clients at once", "clients"),
    ("requests", "load_requests"),
    ("… a second", "load_requests_per_second"),
    ("… of them writes", "load_writes"),
    ("… refused (4xx)", "load_refused"),
    ("median answer, ms", "load_p50_ms"),
    ("99th percentile of writes, ms", "load_write_p99_ms"),
    ("CPU of the server, s a second", "load_cpu_per_second"),
    (
        "CPU of the clients, s a second",
        "load_client_cpu_per_second",
    ),
    ("peak memory with all clients, MiB", "load_rss_mib"),
];

/// How long the first look of retention, or the one after an edit, may take before the run is given up.
const RETENTION_LIMIT: Duration = Duration::from_secs(30 * 60);
/// How long the scheduler may take until it has seen every instance for the first time: each is a commit.
const SCHEDULES_LIMIT: Duration = Duration::from_secs(30 * 60);
/// Between two questions to the database: each costs it some of the time that is measured.
const PAUSE: Duration = Duration::from_millis(500);
/// Seconds that the idle server is watched: `EXPIRE_EVERY` of the server and one tick of its scheduler on
/// either side, so that one look of retention is within.
const WATCHED: usize = 80;
/// Seconds between two looks of the scheduler: `SCHEDULES_EVERY` of the server.
const TICK: usize = 10;

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) instances: usize,
    pub(crate) points: usize,
    /// Of each kind that is timed; a thousand, so that ten lie beyond the 99th percentile.
    pub(crate) calls: usize,
    pub(crate) clients: usize,
    pub(crate) seconds: u64,
}

/// Measures on one database.
pub(crate) fn run(binary: &Path, store: Store, size: Size) -> Result<Figures> {
    say(format_args!("== {}", store.name()));
    let mut figures = Figures::of_column(store.name(), store.key(), store as usize);
    let mut place = Place::open(binary, store)?;
    let watch = Stopwatch::start();
    place.fill(size)?;
    figures.set("fill_seconds", watch.elapsed().as_secs_f64());
    figures.set_count("instances", size.instances as u64);
    figures.set_count("recovery_points", size.points as u64);
    figures.set("database_mib", place.database_mib()?);
    say(format_args!("{:>8}  the catalogue is there", watch.words()));
    settle(&mut place, size, &mut figures)?;
    let client = Client::of(&place)?;
    calls::measure(&client, &place, size, &mut figures)?;
    let (worst, all) = watch_idle(place.pid());
    figures.set("tick_cpu_s", worst);
    figures.set("idle_cpu_s_per_minute", all * 60.0 / WATCHED as f64);
    figures.set("rss_mib", processes::peak_rss_mib(place.pid()));
    say(format_args!(
        "{worst:>6.2} s  of CPU in the worst {TICK} s without a client; {:.0} MiB",
        figures.get("rss_mib")
    ));
    edit(&client, &place, &mut figures)?;
    load::run(&place, size, &mut figures)?;
    place.close();
    Ok(figures)
}

/// Starts the server, and waits until it has noted of every instance what it notes at its first looks.
fn settle(place: &mut Place, size: Size, figures: &mut Figures) -> Result<()> {
    let watch = Stopwatch::start();
    let ready = place.start()?;
    figures.set("ready_seconds", ready.as_secs_f64());
    let pid = place.pid();
    wait(
        place,
        RETENTION_LIMIT,
        "SELECT COUNT(*) FROM retention",
        size.instances,
    )?;
    figures.set("retention_first_s", watch.elapsed().as_secs_f64());
    figures.set("retention_first_cpu_s", processes::cpu_seconds(pid));
    wait(
        place,
        SCHEDULES_LIMIT,
        "SELECT COUNT(*) FROM schedules",
        size.instances,
    )?;
    say(format_args!(
        "{:>8}  the server has seen every instance",
        watch.words()
    ));
    Ok(())
}

/// Waits until a query counts so many.
fn wait(place: &Place, limit: Duration, query: &str, wanted: usize) -> Result<()> {
    let found = talk::poll(limit, PAUSE, || {
        let count = place.sql().number(query)?;
        Ok::<_, Failure>((count >= wanted as f64).then_some(()))
    })?;
    found.ok_or_else(|| {
        Failure::new(
            "wait for the server",
            format!("{query} stays below {wanted}"),
        )
    })
}

/// The most CPU seconds that a process used in [`TICK`] seconds, and those of the whole watch.
fn watch_idle(pid: u32) -> (f64, f64) {
    let mut used = vec![processes::cpu_seconds(pid)];
    let watch = Stopwatch::start();
    // Every second one sample, until there are enough.
    let _never_fails = talk::poll::<(), Failure>(
        Duration::from_secs(WATCHED as u64 * 2),
        Duration::from_millis(50),
        || {
            if watch.elapsed().as_secs() >= used.len() as u64 {
                used.push(processes::cpu_seconds(pid));
            }
            Ok((used.len() > WATCHED).then_some(()))
        },
    );
    (
        most_within(&used, TICK),
        used.last().unwrap_or(&0.0) - used[0],
    )
}

/// The largest difference between two samples that are `apart`.
fn most_within(samples: &[f64], apart: usize) -> f64 {
    let pairs = samples.iter().zip(samples.iter().skip(apart));
    pairs
        .map(|(before, after)| after - before)
        .fold(0.0, f64::max)
}

/// Edits the policy that all instances follow, and waits until retention has looked at all of them.
fn edit(client: &Client, place: &Place, figures: &mut Figures) -> Result<()> {
    let before = processes::cpu_seconds(place.pid());
    let watch = Stopwatch::start();
    client.edit_policy(place, "P200D")?;
    let stale = format!(
        "SELECT COUNT(*) FROM retention t JOIN resources p ON p.key = t.policy_key WHERE t.policy <> p.etag \
         AND p.key = '{}'",
        place.policy().to_lowercase()
    );
    let done = talk::poll(RETENTION_LIMIT, PAUSE, || {
        Ok::<_, Failure>((place.sql().number(&stale)? == 0.0).then_some(()))
    })?;
    done.ok_or_else(|| Failure::new("wait for retention", "it does not come to its end"))?;
    figures.set("retention_full_s", watch.elapsed().as_secs_f64());
    figures.set(
        "retention_full_cpu_s",
        processes::cpu_seconds(place.pid()) - before,
    );
    say(format_args!(
        "{:>8}  retention has looked at everything after an edit of the policy",
        watch.words()
    ));
    let (worst, _) = watch_idle(place.pid());
    figures.set("tick_after_cpu_s", worst);
    Ok(())
}

/// The words above the table.
pub(crate) fn about(machine: &str) -> String {
    format!(
        "{machine} Server, database, and the clients with their TLS share the cores. On top of the JSON file is \
         the worse of the databases."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_stretch_is_found_wherever_it_lies() {
        let used = [0.0, 0.1, 0.2, 1.2, 1.3, 1.4];
        assert!((most_within(&used, 2) - 1.1).abs() < 1e-9);
        assert!((most_within(&used, 9) - 0.0).abs() < 1e-9);
    }
}
