//! What processes cost: CPU time and memory from `/proc` (proc(5)), and a memory limit by cgroup.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal};

use crate::cluster::Cluster;
use crate::failure::{Doing, Failure, Result};
use crate::tool;

/// The cgroup of the extension, below the root of the memory hierarchy.
const CGROUP: &str = "strongroom-bench-extension";

/// What `/proc` counts CPU time in, on every architecture that Kubernetes runs on: `USER_HZ`, proc(5).
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of the processes that take part, since each started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) api_server: f64,
    pub(crate) etcd: f64,
    pub(crate) extension: f64,
    pub(crate) server: f64,
}

impl Cpu {
    /// What was used since an earlier look.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            api_server: self.api_server - before.api_server,
            etcd: self.etcd - before.etcd,
            extension: self.extension - before.extension,
            server: self.server - before.server,
        }
    }
}

/// The processes of the cluster under test, by pid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) api_server: u32,
    pub(crate) etcd: u32,
    pub(crate) controller_manager: u32,
}

impl Parts {
    /// Finds them by the cluster's own state folder in their command lines.
    pub(crate) fn of(cluster: &Cluster) -> Result<Self> {
        let state = cluster.state();
        let find = |program: &str| {
            pid_of(program, &state.to_string_lossy()).ok_or_else(|| {
                Failure::new(
                    format!("find {program} of cluster {}", cluster.name),
                    "it does not run",
                )
            })
        };
        Ok(Self {
            api_server: find("kube-apiserver")?,
            etcd: find("etcd")?,
            controller_manager: find("kube-controller-manager")?,
        })
    }

    /// Stops the controller manager in its place, so that no controller adds objects or load of its own.
    pub(crate) fn hold_controllers(self) -> Result<()> {
        signal(self.controller_manager, Signal::STOP)
    }
}

fn pid_of(program: &str, state: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.into_iter().find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let name = line.split(' ').next().unwrap_or_default();
        name.ends_with(&format!("/{program}")) && line.contains(state)
    })
}

/// Sends a signal to a process that this command, or its cluster, started.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let doing = || format!("send {signal:?} to process {pid}");
    let known = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let known = known.ok_or_else(|| Failure::new(doing(), "no such process"))?;
    rustix::process::kill_process(known, signal).doing(doing)
}

/// CPU seconds that a process has used, its ended children not counted; 0 when it is gone.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    ticks(&stat) as f64 / TICKS_PER_SECOND
}

/// Whether a process runs: one that has ended and was not asked for its status does not.
pub(crate) fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    state(&stat).is_some_and(|state| !matches!(state, "Z" | "X"))
}

/// Field 3 of a line of `/proc/PID/stat`.
fn state(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().next()
}

/// Fields 14 and 15 of a line of `/proc/PID/stat`, in clock ticks; what counts begins behind the last
/// bracket of the name.
fn ticks(stat: &str) -> u64 {
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let times = fields.split_ascii_whitespace().skip(14 - 3).take(2);
    times.filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// The most memory that a process has had resident since its start or the last [`forget_peak`], in
/// MiB: `VmHWM`.
pub(crate) fn peak_rss_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().nth(1)?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Begins a new measurement of the peak: writing 5 to `/proc/PID/clear_refs`.
pub(crate) fn forget_peak(pid: u32) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
        .doing(|| format!("reset the memory peak of process {pid}"))
}

/// A memory cgroup with a limit and no swap, of version 1 or 2. Removed when it is dropped.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    folder: PathBuf,
    version: u8,
}

impl MemoryLimit {
    /// Makes the cgroup with this limit.
    pub(crate) fn create(mib: u64) -> Result<Self> {
        let mounts = tool::text_of(Path::new("/proc/mounts"));
        let (root, version) = memory_hierarchy(&mounts).ok_or_else(|| {
            Failure::new(
                "limit the extension's memory",
                "no cgroup hierarchy has memory",
            )
        })?;
        let folder = root.join(CGROUP);
        let limit = Self { folder, version };
        let doing = || format!("make the cgroup {}", limit.folder.display());
        fs::create_dir_all(&limit.folder).doing(doing)?;
        let bytes = (mib * 1024 * 1024).to_string();
        let (most, swap, no_swap) = match version {
            1 => ("memory.limit_in_bytes", "memory.swappiness", "0"),
            _ => ("memory.max", "memory.swap.max", "0"),
        };
        fs::write(limit.folder.join(most), bytes).doing(doing)?;
        // A kernel without swap accounting has no such file, and no swap to account.
        let _ = fs::write(limit.folder.join(swap), no_swap);
        Ok(limit)
    }

    /// A command that starts `program` inside of the cgroup from its first instruction on.
    pub(crate) fn command(&self, program: &Path) -> Result<Command> {
        let own = std::env::current_exe().doing(|| "find this command's own path".to_owned())?;
        let mut command = Command::new(own);
        command.args(["bench", "inside", "--cgroup"]);
        command.arg(&self.folder).arg("--").arg(program);
        Ok(command)
    }

    /// The most memory that the cgroup was charged with, page cache included, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        let file = match self.version {
            1 => "memory.max_usage_in_bytes",
            _ => "memory.peak",
        };
        let text = tool::text_of(&self.folder.join(file));
        text.trim().parse::<f64>().unwrap_or_default() / 1024.0 / 1024.0
    }

    /// How often the limit was reached, or a process killed for it.
    pub(crate) fn killed(&self) -> u64 {
        let file = match self.version {
            1 => "memory.oom_control",
            _ => "memory.events",
        };
        let text = tool::text_of(&self.folder.join(file));
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        line.and_then(|count| count.trim().parse().ok())
            .unwrap_or_default()
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // Its process may need a moment to be forgotten; a cgroup that stays is empty and harmless.
        let _ = crate::talk::poll(
            std::time::Duration::from_secs(2),
            std::time::Duration::from_millis(50),
            || Ok::<_, ()>(fs::remove_dir(&self.folder).ok()),
        );
    }
}

/// Moves this process into a cgroup and becomes the program; returns only when that fails.
pub(crate) fn become_inside(cgroup: &Path, program: &[String]) -> Failure {
    let doing = || format!("start {} in {}", program.join(" "), cgroup.display());
    let moved = fs::write(cgroup.join("cgroup.procs"), std::process::id().to_string());
    let Some((program, arguments)) = program.split_first() else {
        return Failure::new(doing(), "no program is named");
    };
    match moved {
        Ok(()) => Failure::new(doing(), Command::new(program).args(arguments).exec()),
        Err(error) => Failure::new(doing(), error),
    }
}

/// Where memory is limited: the version 1 hierarchy of that name, or the version 2 one when it has
/// the controller.
fn memory_hierarchy(mounts: &str) -> Option<(PathBuf, u8)> {
    let mut second = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ');
        let (Some(mount), Some(kind), Some(options)) =
            (fields.nth(1), fields.next(), fields.next())
        else {
            continue;
        };
        if kind == "cgroup" && options.split(',').any(|option| option == "memory") {
            return Some((mount.into(), 1));
        }
        if kind == "cgroup2" {
            second = Some((PathBuf::from(mount), 2));
        }
    }
    second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_a_name_with_brackets() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 250 50 7 8 20 0 1 0 987654 1 2";
        assert_eq!(ticks(stat), 300);
    }

    #[test]
    fn memory_is_limited_where_its_controller_is() {
        let both = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n\
            cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        assert_eq!(
            memory_hierarchy(both),
            Some(("/sys/fs/cgroup/memory".into(), 1))
        );
        let second = "cgroup2 /sys/fs/cgroup cgroup2 rw,relatime 0 0\n";
        assert_eq!(memory_hierarchy(second), Some(("/sys/fs/cgroup".into(), 2)));
        assert_eq!(memory_hierarchy("proc /proc proc rw 0 0"), None);
    }

    #[test]
    fn a_process_that_has_ended_does_not_run() {
        assert!(is_running(std::process::id()));
        let mut child = Command::new("true").spawn().unwrap();
        let ended = crate::talk::poll(
            std::time::Duration::from_secs(20),
            std::time::Duration::from_millis(5),
            || Ok::<_, ()>((!is_running(child.id())).then_some(())),
        );
        assert_eq!(ended, Ok(Some(())), "nobody has asked for its status yet");
        assert!(child.wait().unwrap().success());
        assert!(!is_running(child.id()));
        assert_eq!(state("7 (a) b) S 1 7"), Some("S"));
        assert_eq!(state(""), None);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        assert!(peak_rss_mib(std::process::id()) > 0.5);
        assert!(cpu_seconds(std::process::id()) >= 0.0);
    }
}
