//! Ending a cluster, and removing what outlives its processes: loop devices, cgroups, sockets.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::place::Place;
use super::{cgroups, control, loops, settings, up};
use crate::failure::{Doing, Failure, Result};
use crate::talk;

/// How long a node may take to end in order: its parts have 3 s.
const ORDERLY_LIMIT: Duration = Duration::from_secs(6);
/// How long the kernel may take to end what it was told to kill.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// Ends a cluster; with `wipe` its state goes too. A cluster that does not run is no error.
pub(crate) fn down(name: &str, wipe: bool) -> Result<()> {
    let place = Place::of(name)?;
    super::need_root(&format!("stop cluster {name}"))?;
    let _lock = up::lock(&place)?;
    let ran = settings::keeper(&place).is_some();
    if ran && control::ask(&place, "stop").is_ok() {
        let _ = talk::poll(ORDERLY_LIMIT, Duration::from_millis(50), || {
            Ok::<_, Failure>(settings::keeper(&place).is_none().then_some(()))
        });
    }
    clear_leftovers(&place)?;
    let existed = place.state.exists();
    if wipe && existed {
        let doing = || format!("remove {}", place.state.display());
        fs::remove_dir_all(&place.state).doing(doing)?;
    }
    talk::say(match (ran, wipe && existed) {
        (true, true) => format!("cluster {name} is down, its state removed"),
        (true, false) => format!("cluster {name} is down; its state is kept"),
        (false, true) => format!("cluster {name} was not running; its state is removed"),
        (false, false) => format!("cluster {name} was not running"),
    });
    Ok(())
}

/// Ends what is left of a cluster, however it ended, and removes what outlives its processes.
pub(super) fn clear_leftovers(place: &Place) -> Result<()> {
    if let Some(keeper) = settings::keeper(place) {
        kill(keeper.pid);
    }
    // The kernel lets go of the first process of a namespace only after all others in it: once it is
    // gone, nothing inside runs.
    let ended = talk::poll(KILL_LIMIT, Duration::from_millis(50), || {
        let nodes = node_pids(place);
        nodes.iter().copied().for_each(kill);
        Ok::<_, Failure>(nodes.is_empty().then_some(()))
    })?;
    if ended.is_none() {
        let cause = "the node's first process does not end";
        return Err(Failure::new(format!("stop cluster {}", place.name), cause)
            .way_out("see `ps -ef` for a process that is stuck in the kernel (state D)"));
    }
    loops::detach(&place.volumes())?;
    cgroups::remove(&place.cgroup())?;
    for gone in [
        place.sockets(),
        place.last_words(),
        place.state.join("keeper.json"),
    ] {
        let removed = if gone.is_dir() {
            fs::remove_dir_all(&gone)
        } else {
            fs::remove_file(&gone)
        };
        match removed {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).doing(|| format!("remove {}", gone.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The node's first process, by the command line that only it has: normally one, none when the
/// cluster does not run.
pub(super) fn node_pids(place: &Place) -> Vec<u32> {
    let program = place.program();
    let state = place.state.as_os_str();
    let words = [
        program.as_os_str().as_bytes(),
        b"cluster",
        b"inside",
        b"--state",
        state.as_bytes(),
    ];
    let mut wanted = words.join(&0);
    wanted.push(0);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line == wanted))
        .collect()
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // One that has ended meanwhile is what is wanted.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}
