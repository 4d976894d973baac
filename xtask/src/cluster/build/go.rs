//! Calling the Go tool: its presence, a build with progress, the folder of a module.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::failure::{Doing, Failure, Result};
use crate::{talk, tool};

/// The version that the modules ask for (the `go` lines of both go.mod files).
const WANTED: &str = "1.26.8";
/// How often a running build tells how far it is.
const REPORT_EVERY: Duration = Duration::from_secs(15);

/// How often a running build is asked whether it has ended.
const ASK_PAUSE: Duration = Duration::from_millis(100);

/// How far a build has come, as its stderr tells.
#[derive(Default)]
struct Progress {
    downloaded: AtomicUsize,
    compiled: AtomicUsize,
    last_lines: Mutex<Vec<String>>,
}

/// Checks that there is a Go to build with.
pub(super) fn check() -> Result<()> {
    if tool::find("go").is_some() {
        return Ok(());
    }
    let failure = Failure::new("build the cluster's programs", "there is no `go` in PATH");
    Err(failure.way_out(format!(
        "install Go {WANTED} or newer (https://go.dev/dl/) and put it into PATH"
    )))
}

/// Builds main packages of a module into a file, or several of them into a folder. The flags are part
/// of the key of Go's own build cache: changing one compiles everything again.
pub(super) fn build(module: &Path, packages: &[&str], to: &Path, linker_flags: &str) -> Result<()> {
    let watch = talk::Stopwatch::start();
    let known = tool::output(go(module).args(["list", "-deps"]).args(packages))?;
    let total = known.lines().count();
    let mut command = go(module);
    command
        .args(["build", "-v", "-trimpath"])
        .arg(format!("-ldflags=-s -w{linker_flags}"))
        .arg("-o")
        .arg(to)
        .args(packages)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let doing = || format!("build {} in {}", packages.join(", "), module.display());
    let mut child = command.spawn().doing(doing)?;
    let progress = Arc::new(Progress::default());
    let reader = child
        .stderr
        .take()
        .map(|stderr| read(stderr, Arc::clone(&progress)));
    let mut reports = 0;
    let ended = talk::poll(Duration::MAX, ASK_PAUSE, || {
        let due = watch.elapsed().as_secs() / REPORT_EVERY.as_secs();
        if due > reports {
            reports = due;
            progress.tell(total, watch);
        }
        child.try_wait().doing(doing)
    })?;
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    let Some(status) = ended.filter(|status| !status.success()) else {
        return Ok(());
    };
    let said = progress
        .last_lines
        .lock()
        .map(|lines| lines.join("\n"))
        .unwrap_or_default();
    Err(Failure::new(doing(), format!("{status}\n{said}")).way_out(format!(
        "it needs Go {WANTED} or newer, a reachable module proxy (`go env GOPROXY`) and about 4 GB of disk; what is downloaded and compiled already is kept"
    )))
}

/// The folder of a module's sources, which is downloaded if need be.
pub(super) fn module_folder(module: &Path, path: &str) -> Result<PathBuf> {
    tool::output(go(module).args(["mod", "download", path]))?;
    let folder = tool::output(go(module).args(["list", "-m", "-f", "{{.Dir}}", path]))?;
    Ok(folder.trim().into())
}

fn go(module: &Path) -> Command {
    let mut command = Command::new("go");
    command.current_dir(module).env("CGO_ENABLED", "0");
    command
}

fn read(stderr: ChildStderr, progress: Arc<Progress>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stderr)
            .lines()
            .map_while(std::result::Result::ok)
        {
            progress.take(line);
        }
    })
}

impl Progress {
    /// `go build -v` names each package that it compiles, and each module that it downloads.
    fn take(&self, line: String) {
        if line.starts_with("go: downloading ") {
            self.downloaded.fetch_add(1, Ordering::Relaxed);
        } else if !line.contains(char::is_whitespace) {
            self.compiled.fetch_add(1, Ordering::Relaxed);
        } else if let Ok(mut lines) = self.last_lines.lock() {
            lines.push(line);
            let surplus = lines.len().saturating_sub(20);
            lines.drain(..surplus);
        }
    }

    fn tell(&self, total: usize, watch: talk::Stopwatch) {
        let compiled = self.compiled.load(Ordering::Relaxed);
        talk::say(format_args!(
            "  {}: compiled {compiled} packages (at most {total}, what is cached is not counted)",
            watch.words()
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_tells_packages_from_downloads_and_from_errors() {
        let progress = Progress::default();
        for line in [
            "go: downloading k8s.io/api v0.36.3",
            "k8s.io/api/core/v1",
            "./main.go:1:2: undefined: x",
        ] {
            progress.take(line.to_owned());
        }
        assert_eq!(progress.downloaded.into_inner(), 1);
        assert_eq!(progress.compiled.into_inner(), 1);
        assert_eq!(
            progress.last_lines.into_inner().unwrap(),
            ["./main.go:1:2: undefined: x"]
        );
    }
}
