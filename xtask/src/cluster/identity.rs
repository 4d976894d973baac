//! Which process a remembered pid means: a pid alone is used again, by another process, sooner or
//! later; with the time of its start and the boot that it belongs to it means one process for ever.

use serde::{Deserialize, Serialize};

use crate::tool;

/// One process, for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessIdentity {
    /// Its id in this process's pid namespace.
    pub pid: u32,
    /// When it started, in clock ticks since the boot: field 22 of `/proc/PID/stat`, see proc(5).
    pub start_ticks: u64,
    /// The boot that it belongs to: `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
}

impl ProcessIdentity {
    /// The process that has this pid now; `None` when there is none, or only its remains.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let start_ticks = start_of_living(&stat)?;
        let boot = tool::text_of("/proc/sys/kernel/random/boot_id".as_ref());
        Some(Self {
            pid,
            start_ticks,
            boot: boot.trim().to_owned(),
        })
    }

    /// Whether the very same process still lives.
    pub(crate) fn lives(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }
}

/// The start time in a line of `/proc/PID/stat`, unless the process is dead. The command's name, the
/// second field, may hold spaces and brackets: what counts begins after the last bracket.
fn start_of_living(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    // The state is field 3, the start time field 22.
    fields.nth(22 - 4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "4242 (a ) name) S 1 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2";

    #[test]
    fn the_start_time_is_found_behind_a_name_with_brackets() {
        assert_eq!(start_of_living(STAT), Some(987_654));
    }

    #[test]
    fn a_zombie_does_not_live() {
        assert_eq!(start_of_living(&STAT.replace(" S ", " Z ")), None);
    }

    #[test]
    fn this_process_lives_and_one_of_another_start_does_not() {
        let me = ProcessIdentity::of(std::process::id()).unwrap();
        assert!(me.lives());
        let another = ProcessIdentity {
            start_ticks: me.start_ticks + 1,
            ..me.clone()
        };
        assert!(!another.lives());
        let before_the_reboot = ProcessIdentity {
            boot: "another".to_owned(),
            ..me
        };
        assert!(!before_the_reboot.lives());
    }
}
