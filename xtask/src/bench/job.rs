//! One measured job of ours: started by the command line, with what it took.

use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::metrics::Counted;
use super::outside::NAMESPACE;
use super::processes::{self, Cpu};
use super::raw::Seen;
use super::setting::Setting;
use crate::failure::{Failure, Result};
use crate::talk::{Stopwatch, say};

/// How often it is looked at whether the extension still runs.
const LOOK: Duration = Duration::from_millis(250);

/// What one job took.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    /// From the start of the command until it has told the end: the client's view.
    pub(crate) wall: Duration,
    /// The extension's own time, from `status.started` to `status.completed`, in seconds.
    pub(crate) work: f64,
    /// The extension's steps and the seconds from the beginning of each to that of the next.
    pub(crate) steps: Vec<(String, f64)>,
    /// When the custom resource was made, taken, done and removed, in seconds of the wall.
    pub(crate) timeline: String,
    /// CPU seconds meanwhile.
    pub(crate) cpu: Cpu,
    /// The extension's `VmHWM` of this job, in MiB.
    pub(crate) peak_rss_mib: f64,
    /// Requests meanwhile.
    pub(crate) counted: Counted,
    /// Objects by outcome, as the job's status told them last.
    pub(crate) counts: Value,
}

impl Measured {
    /// All objects that the job speaks of.
    pub(crate) fn objects(&self) -> u64 {
        let counts = self.counts.as_object().into_iter().flatten();
        counts.filter_map(|(_, count)| count.as_u64()).sum()
    }
}

/// Runs one job through the command line and measures it. `kind` is the plural of its custom resource.
pub(crate) fn measure(
    setting: &Setting,
    what: &str,
    kind: &str,
    words: &[&str],
) -> Result<Measured> {
    let path = format!(
        "/apis/clusterbackup.dataprotection.microsoft.com/v1alpha1/namespaces/{NAMESPACE}/{kind}"
    );
    let before = Counted::now(&setting.raw)?;
    processes::forget_peak(setting.extension_pid())?;
    let cpu = setting.cpu();
    let watch = Stopwatch::start();
    let watching = setting.raw.watch(&path, watch);
    let told = told_by(setting, words);
    let wall = watch.elapsed();
    let cpu = setting.cpu().since(cpu);
    let job = told.map_err(|cause| Failure::new(what, cause))?;
    let peak_rss_mib = processes::peak_rss_mib(setting.extension_pid());
    let counted = Counted::now(&setting.raw)?.since(&before);
    let seen = setting.raw.seen(watching);
    let status = job["properties"]["status"].as_str().unwrap_or_default();
    if !status.starts_with("Completed") {
        return Err(Failure::new(what, format!("the job ended as {status}")));
    }
    let timeline = timeline(&seen);
    let states = seen
        .into_iter()
        .map(|mut seen| seen.object["status"].take());
    let states: Vec<Value> = states.collect();
    let mut ends = states.iter().rev();
    let last = ends.find(|status| !status["completed"].is_null());
    let last = last.cloned().unwrap_or_default();
    let measured = Measured {
        wall,
        work: between(&last["started"], &last["completed"]),
        steps: steps(&states),
        timeline,
        cpu,
        peak_rss_mib,
        counted,
        counts: last["counts"].clone(),
    };
    tell(what, status, &measured);
    Ok(measured)
}

/// What a command tells as JSON. A job whose extension is gone never ends, and nobody starts another:
/// then the command is ended and the cause told.
fn told_by(setting: &Setting, words: &[&str]) -> std::result::Result<Value, String> {
    let cli = &setting.stage.cli;
    let mut command = Command::new(&cli.binary);
    command.args(words).args(["-o", "json"]);
    command.env("STRONGROOM_CLI_CONFIG", &cli.config);
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| error.to_string())?;
    let pid = child.id();
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait_with_output()));
    let output = loop {
        match end.recv_timeout(LOOK) {
            Ok(output) => break output.map_err(|error| error.to_string())?,
            Err(RecvTimeoutError::Timeout) if processes::is_running(setting.extension_pid()) => {}
            Err(_) => {
                // It has ended by itself when that fails.
                let _ended = processes::signal(pid, Signal::KILL);
                let killed = setting.memory.killed();
                return Err(format!(
                    "the extension's process is gone; kills for want of memory: {killed}"
                ));
            }
        }
    };
    serde_json::from_slice(&output.stdout).map_err(|error| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("{} printed no JSON ({error}): {errors}", words.join(" "))
    })
}

fn tell(what: &str, status: &str, job: &Measured) {
    let steps = job
        .steps
        .iter()
        .map(|(step, time)| format!("{step} {time:.2}"));
    say(format_args!(
        "{:>7.2} s  {what}: {status}; {}; extension {:.2} s ({}); CPU s: API server {:.2}, etcd {:.2}, \
         extension {:.2}, server {:.2}; extension's peak {:.1} MiB; {} calls, {} writes, {}",
        job.wall.as_secs_f64(),
        job.timeline,
        job.work,
        steps.collect::<Vec<_>>().join(", "),
        job.cpu.api_server,
        job.cpu.etcd,
        job.cpu.extension,
        job.cpu.server,
        job.peak_rss_mib,
        job.counted.calls,
        job.counted.write_count(),
        job.counts,
    ));
}

/// The life of the custom resource as its watchers saw it.
fn timeline(seen: &[Seen]) -> String {
    let first = |is: &dyn Fn(&Seen) -> bool| seen.iter().find(|seen| is(seen)).map(|seen| seen.at);
    let state = |seen: &Seen, wanted: &str| {
        let state = seen.object["status"]["state"].as_str();
        state.is_some_and(|state| state.starts_with(wanted))
    };
    let moments = [
        ("made", first(&|seen| seen.event == "ADDED")),
        ("taken", first(&|seen| state(seen, "Running"))),
        ("done", first(&|seen| state(seen, "Completed"))),
        ("removed", first(&|seen| seen.event == "DELETED")),
    ];
    let told = moments.iter().map(|(what, at)| match at {
        Some(at) => format!("{what} at {at:.2}"),
        None => format!("{what} later"),
    });
    told.collect::<Vec<_>>().join(", ")
}

/// The steps in the order in which they began; the last ends with the job.
pub(super) fn steps(states: &[Value]) -> Vec<(String, f64)> {
    let mut began: Vec<(String, Value)> = Vec::new();
    let mut end = Value::Null;
    for status in states {
        let step = status["step"].as_str().unwrap_or_default();
        if !step.is_empty() && began.last().is_none_or(|(last, _)| last != step) {
            began.push((step.to_owned(), status["stepStarted"].clone()));
        }
        if !status["completed"].is_null() {
            end = status["completed"].clone();
        }
    }
    let ends = began.iter().skip(1).map(|(_, at)| at.clone()).chain([end]);
    let ends: Vec<Value> = ends.collect();
    let spans = began.into_iter().zip(ends);
    spans
        .map(|((step, from), to)| (step, between(&from, &to)))
        .collect()
}

/// Seconds between two times of one day, or over one midnight, as RFC 3339 writes them in UTC.
pub(super) fn between(from: &Value, to: &Value) -> f64 {
    let seconds = |time: &Value| -> Option<f64> {
        let clock = time.as_str()?.split_once('T')?.1.trim_end_matches('Z');
        let mut parts = clock.split(':').map(|part| part.parse::<f64>().ok());
        Some(parts.next()?? * 3_600.0 + parts.next()?? * 60.0 + parts.next()??)
    };
    match (seconds(from), seconds(to)) {
        (Some(from), Some(to)) => (to - from).rem_euclid(86_400.0),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_last_until_the_next_begins_and_the_last_until_the_end() {
        let status = |step: &str, at: &str, end: Value| json!({"step": step, "stepStarted": at, "completed": end});
        let seen = [
            status("Open", "2026-01-01T23:59:59.5Z", Value::Null),
            status("Apply", "2026-01-02T00:00:00Z", Value::Null),
            status("Apply", "2026-01-02T00:00:00Z", Value::Null),
            status(
                "Apply",
                "2026-01-02T00:00:00Z",
                json!("2026-01-02T00:00:02.25Z"),
            ),
        ];
        assert_eq!(
            steps(&seen),
            [("Open".to_owned(), 0.5), ("Apply".to_owned(), 2.25)]
        );
    }
}
