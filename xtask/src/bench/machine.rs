//! Where a run took place, in words that are worth keeping: no names and no paths of the machine.

use std::path::Path;

use reqwest::Method;

use super::raw::Raw;
use crate::tool;

/// What the figures were measured on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cores: usize,
    memory_gib: u64,
    /// The load average of the last minute when the run began: what else went on.
    load: String,
    kubernetes: String,
    without_lto: bool,
    /// Whether the binary that is measured is a debug build.
    debug: bool,
}

impl Machine {
    /// Looks at this machine before anything is started. Called early, so that the load is others'.
    pub(crate) fn look(without_lto: bool) -> Self {
        let load = tool::text_of(Path::new("/proc/loadavg"));
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_gib(&tool::text_of(Path::new("/proc/meminfo"))),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
            kubernetes: String::new(),
            without_lto,
            debug: false,
        }
    }

    /// Looks at the binary that is measured: where cargo puts debug builds, there is one.
    pub(crate) fn measuring(self, binary: &Path) -> Self {
        let debug = binary.components().any(|part| part.as_os_str() == "debug");
        Self { debug, ..self }
    }

    /// Asks the cluster for its version.
    pub(crate) fn ask(&mut self, raw: &Raw) {
        let version = raw.ask(Method::GET, "/version", None).unwrap_or_default();
        let version = version["gitVersion"].as_str().unwrap_or_default();
        version.clone_into(&mut self.kubernetes);
    }

    /// The sentence above the figures.
    pub(crate) fn sentence(&self, command: &str) -> String {
        format!(
            "`{command}`, {}, {} cores, {} GiB, Kubernetes {}, etcd without fsync. Load average \
             when it began: {} (what else ran on the machine takes from both sides of a ratio).",
            self.profile(),
            self.cores,
            self.memory_gib,
            self.kubernetes,
            self.load
        )
    }

    /// The same where no cluster takes part.
    pub(crate) fn sentence_without_cluster(&self, command: &str) -> String {
        format!(
            "`{command}`, {}, {} cores, {} GiB. Load average when it began: {}.",
            self.profile(),
            self.cores,
            self.memory_gib,
            self.load
        )
    }

    fn profile(&self) -> &'static str {
        if self.debug {
            "debug build"
        } else if self.without_lto {
            "release profile without link-time optimisation"
        } else {
            "release profile"
        }
    }
}

fn memory_gib(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default().div_ceil(1024 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_whole_gibibytes() {
        assert_eq!(
            memory_gib("MemTotal:       24659860 kB\nMemFree: 1 kB\n"),
            24
        );
    }
}
