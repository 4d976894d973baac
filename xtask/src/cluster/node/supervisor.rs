//! Keeps the node's parts running: starts them, writes their logs, starts again what ended, and
//! takes in the dead of the whole namespace, whose first process this is.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::failure::{Doing, Result};
use crate::talk::{self, Stopwatch};
use crate::tool;

/// The pause before a part that ended is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// A part that ends this often during the start will not come up.
const HOPELESS_STARTS: u32 = 5;
/// How long the parts may take to end in order before they are killed with the namespace.
const END_LIMIT: Duration = Duration::from_secs(3);

/// One part of the node: a program and its arguments.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
}

struct Watched {
    part: Part,
    pid: Option<Pid>,
    starts: u32,
    since: Stopwatch,
}

/// All parts. Only the thread that owns it may start processes: it collects every process that ends.
pub(super) struct Supervisor {
    logs: PathBuf,
    watched: Vec<Watched>,
}

impl Supervisor {
    /// Parts log into files of the folder, one each.
    pub(super) fn new(logs: PathBuf) -> Self {
        Self {
            logs,
            watched: Vec::new(),
        }
    }

    /// Starts a part, which is looked after from then on.
    pub(super) fn start(&mut self, part: Part) -> Result<()> {
        let pid = spawn(&self.logs, &part)?;
        self.watched.push(Watched {
            part,
            pid: Some(pid),
            starts: 1,
            since: Stopwatch::start(),
        });
        Ok(())
    }

    /// Collects what ended, and starts parts among it again after a pause.
    pub(super) fn look_after(&mut self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if let Some(watched) = self
                .watched
                .iter_mut()
                .find(|watched| watched.pid == Some(pid))
            {
                talk::say(format_args!("{} ended: {status:?}", watched.part.name));
                watched.pid = None;
                watched.since = Stopwatch::start();
            }
        }
        for watched in &mut self.watched {
            if watched.pid.is_none() && watched.since.elapsed() >= RESTART_PAUSE {
                watched.starts += 1;
                watched.since = Stopwatch::start();
                match spawn(&self.logs, &watched.part) {
                    Ok(pid) => watched.pid = Some(pid),
                    Err(failure) => talk::say(failure),
                }
            }
        }
    }

    /// The part that ended too often, with its last words.
    pub(super) fn hopeless(&self) -> Option<String> {
        let watched = self
            .watched
            .iter()
            .find(|watched| watched.starts >= HOPELESS_STARTS)?;
        let log = self.logs.join(format!("{}.log", watched.part.name));
        let words = tool::last_lines(&tool::text_of(&log), 8);
        Some(format!(
            "{} ended {} times: {words}",
            watched.part.name,
            watched.starts - 1
        ))
    }

    /// Ends all parts, the last started first.
    pub(super) fn end_all(&mut self) {
        for pid in self.watched.iter().rev().filter_map(|watched| watched.pid) {
            let _ = rustix::process::kill_process(pid, Signal::TERM);
        }
        let _ = talk::poll(END_LIMIT, Duration::from_millis(50), || {
            while let Ok(Some((pid, _))) = rustix::process::wait(WaitOptions::NOHANG) {
                self.watched.retain(|watched| watched.pid != Some(pid));
            }
            let running = self.watched.iter().any(|watched| watched.pid.is_some());
            Ok::<_, ()>((!running).then_some(()))
        });
    }
}

fn spawn(logs: &std::path::Path, part: &Part) -> Result<Pid> {
    let doing = || format!("start {} ({})", part.name, part.program.display());
    let log = logs.join(format!("{}.log", part.name));
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .doing(doing)?;
    let child = Command::new(&part.program)
        .args(&part.arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().doing(doing)?)
        .stderr(log)
        .spawn()
        .doing(doing)?;
    Ok(Pid::from_child(&child))
}
