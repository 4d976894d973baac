//! Many clients at once, each on a connection of its own.
//!
//! Contract: a client asks every [`PERIOD`], whether or not the answer before took long, as far as it can with
//! one request at a time; the time of an answer counts from the moment at which it was to be asked for, so
//! that a server that falls behind does not look better for it. Connections are opened before it begins.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client as Http, Method, RequestBuilder};
use serde_json::{Value, json};

use super::calls::{instance, percentile};
use super::client::{Access, VERSION, answered};
use super::place::{Place, vault};
use super::{Size, processes};
use crate::bench::report::Figures;
use crate::failure::{Doing, Failure, Result};
use crate::talk::{Stopwatch, say};

/// How often each client asks: what `az`, Terraform and a portal do while they wait for something.
const PERIOD: Duration = Duration::from_secs(2);
/// Connections that are opened at the same time, as many as clients find the server again at once.
const OPENED_AT_ONCE: usize = 50;

/// What a client asks for, in turn, with how often among a hundred.
const MIX: [(What, usize); 7] = [
    (What::Instance, 54),
    (What::Policy, 20),
    (What::Points, 6),
    (What::Instances, 4),
    (What::Jobs, 6),
    (What::WritePolicy, 6),
    (What::SuspendOrResume, 4),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Instance,
    Policy,
    Points,
    Instances,
    Jobs,
    WritePolicy,
    SuspendOrResume,
}

impl What {
    /// The one for this number; any hundred numbers in a row have the shares of [`MIX`].
    fn of(number: usize) -> Self {
        // Spread, so that writes do not come together.
        let mut at = number * 37 % 100;
        for (what, share) in MIX {
            if at < share {
                return what;
            }
            at -= share;
        }
        Self::Instance
    }

    fn is_write(self) -> bool {
        matches!(self, Self::WritePolicy | Self::SuspendOrResume)
    }
}

#[derive(Debug, Default)]
struct Seen {
    reads: Vec<f64>,
    writes: Vec<f64>,
    refused: u64,
    failed: u64,
    /// What the first failure was.
    first: Option<String>,
}

struct Shared {
    access: Access,
    policy: Value,
    policy_path: String,
    size: Size,
    seen: Mutex<Seen>,
    begun: Stopwatch,
    behind: AtomicUsize,
}

/// Measures.
pub(super) fn run(place: &Place, size: Size, figures: &mut Figures) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .doing(|| "start the clients".to_owned())?;
    processes::forget_peak(place.pid())?;
    let (seen, seconds, cpu) = runtime.block_on(all(place, size))?;
    let answers = seen.reads.len() + seen.writes.len();
    let millis = [&seen.reads[..], &seen.writes[..]].concat();
    figures.set_count("clients", size.clients as u64);
    figures.set_count("load_requests", answers as u64);
    figures.set("load_requests_per_second", answers as f64 / seconds);
    figures.set_count("load_writes", seen.writes.len() as u64);
    figures.set_count("load_refused", seen.refused);
    figures.set_count("errors_5xx", seen.failed);
    figures.set("load_p50_ms", percentile(&millis, 50));
    figures.set("load_p99_ms", percentile(&millis, 99));
    figures.set("load_write_p99_ms", percentile(&seen.writes, 99));
    figures.set("load_cpu_per_second", cpu.0 / seconds);
    figures.set("load_client_cpu_per_second", cpu.1 / seconds);
    figures.set("load_rss_mib", processes::peak_rss_mib(place.pid()));
    say(format_args!(
        "{:>6.1} ms  99 of 100 answers for {} clients, {:.0} a second; {} failed{}",
        figures.get("load_p99_ms"),
        size.clients,
        figures.get("load_requests_per_second"),
        seen.failed,
        seen.first
            .map(|why| format!(", first: {why}"))
            .unwrap_or_default(),
    ));
    Ok(())
}

/// Lets all clients ask for the whole time: what they saw, how long it took, and CPU seconds of the server
/// and of this process.
async fn all(place: &Place, size: Size) -> Result<(Seen, f64, (f64, f64))> {
    let access = Access::sign_in(place).await?;
    let http = access.open()?;
    let policy_path = format!("{}?{VERSION}", place.policy());
    let asked = answered(access.request(&http, Method::GET, &policy_path)).await;
    let policy = asked.doing(|| "read the policy".to_owned())?.body;
    let policy: Value = serde_json::from_slice(&policy).doing(|| "read the policy".to_owned())?;
    let connections = open(&access, &policy_path, size.clients).await?;
    let cpu = || {
        let own = processes::cpu_seconds(std::process::id());
        (processes::cpu_seconds(place.pid()), own)
    };
    let before = cpu();
    let begun = Stopwatch::start();
    let shared = Arc::new(Shared {
        access,
        policy: json!({"properties": policy["properties"]}),
        policy_path,
        size,
        seen: Mutex::default(),
        begun,
        behind: AtomicUsize::new(0),
    });
    let clients = connections.into_iter().enumerate();
    let clients =
        clients.map(|(number, http)| tokio::spawn(client(Arc::clone(&shared), number, http)));
    futures::future::join_all(clients.collect::<Vec<_>>()).await;
    let (seconds, after) = (begun.elapsed().as_secs_f64(), cpu());
    let behind = shared.behind.load(Ordering::Relaxed);
    if behind > 0 {
        say(format_args!(
            "note: {behind} requests came later than they were due, because the answer before took longer"
        ));
    }
    let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
    Ok((
        std::mem::take(&mut *seen),
        seconds,
        (after.0 - before.0, after.1 - before.1),
    ))
}

/// Opens a connection for each client, with a first request on it.
async fn open(access: &Access, path: &str, clients: usize) -> Result<Vec<Http>> {
    use futures::StreamExt as _;
    let opened = (0..clients).map(|_| async {
        let http = access.open()?;
        let asked = answered(access.request(&http, Method::GET, path)).await;
        let answer = asked.doing(|| "open a connection".to_owned())?;
        match answer.status {
            200 => Ok(http),
            status => Err(Failure::new(
                "open a connection",
                format!("it was answered {status}"),
            )),
        }
    });
    let opened: Vec<Result<Http>> = futures::stream::iter(opened)
        .buffer_unordered(OPENED_AT_ONCE)
        .collect()
        .await;
    opened.into_iter().collect()
}

/// One client, until the time is over.
async fn client(shared: Arc<Shared>, number: usize, http: Http) {
    // Evenly over the period.
    let first = PERIOD.mul_f64(number as f64 / shared.size.clients.max(1) as f64);
    let turns = shared.size.seconds.div_ceil(PERIOD.as_secs()) as usize;
    for turn in 0..turns {
        let due = first + PERIOD * u32::try_from(turn).unwrap_or(u32::MAX);
        let now = shared.begun.elapsed();
        if due > now {
            tokio::time::sleep(due - now).await;
        } else if turn > 0 {
            shared.behind.fetch_add(1, Ordering::Relaxed);
        }
        let what = What::of(number + turn);
        let asked = answered(shared.request(&http, what, number, turn)).await;
        let millis = (shared.begun.elapsed().saturating_sub(due)).as_secs_f64() * 1_000.0;
        let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if what.is_write() {
            seen.writes.push(millis);
        } else {
            seen.reads.push(millis);
        }
        let failure = match asked {
            Ok(answer) if answer.status >= 500 => format!(
                "{what:?}: {} {}",
                answer.status,
                String::from_utf8_lossy(&answer.body)
            ),
            Ok(answer) => {
                seen.refused += u64::from(answer.status >= 400);
                continue;
            }
            Err(error) => format!("{what:?}: {error:?}"),
        };
        seen.failed += 1;
        seen.first.get_or_insert(failure);
    }
}

impl Shared {
    fn request(&self, http: &Http, what: What, number: usize, turn: usize) -> RequestBuilder {
        let own = instance(number % self.size.instances);
        let get = |path: &str| self.access.request(http, Method::GET, path);
        match what {
            What::Instance => {
                let some = (number * 31 + turn * 1_009) % self.size.instances;
                get(&format!("{}?{VERSION}", instance(some)))
            }
            What::Policy => get(&self.policy_path),
            What::Points => get(&format!("{own}/recoveryPoints?{VERSION}")),
            What::Instances => get(&format!("{}/backupInstances?{VERSION}", vault())),
            What::Jobs => get(&format!("{}/backupJobs?{VERSION}", vault())),
            What::WritePolicy => {
                let path = format!("{}/backupPolicies/client-{number}?{VERSION}", vault());
                let mut policy = self.policy.clone();
                // Another one at each turn, so that it is written.
                let rules = policy["properties"]["policyRules"].as_array_mut();
                for rule in rules.into_iter().flatten() {
                    for lifecycle in rule["lifecycles"].as_array_mut().into_iter().flatten() {
                        lifecycle["deleteAfter"]["duration"] = format!("P{}D", turn + 7).into();
                    }
                }
                self.access
                    .request(http, Method::PUT, &path)
                    .header("content-type", "application/json")
                    .body(policy.to_string())
            }
            What::SuspendOrResume => {
                let action = if turn.is_multiple_of(2) {
                    "suspendBackups"
                } else {
                    "resumeBackups"
                };
                let path = format!("{own}/{action}?{VERSION}");
                self.access.request(http, Method::POST, &path)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hundred_requests_have_the_same_shares() {
        assert_eq!(MIX.iter().map(|(_, share)| share).sum::<usize>(), 100);
        for begin in [0, 17, 999] {
            for (what, share) in MIX {
                let numbers = begin..begin + 100;
                let found = numbers.filter(|number| What::of(*number) == what);
                assert_eq!(found.count(), share, "{what:?} from {begin}");
            }
        }
    }
}
