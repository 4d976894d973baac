//! A real PostgreSQL that is not ours: Debian's, on 127.0.0.1, with an empty database cluster in a folder of
//! its own.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::{self, StageError, StageResult};
use crate::server;

/// Where Debian keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Whom Debian's package lets it run as; it refuses to be root.
const USER: &str = "postgres";

/// How long it may take until it answers. It takes less than a second.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running PostgreSQL. Dropping it kills the process.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    dir: PathBuf,
    port: u16,
    durable: bool,
    child: Option<Child>,
}

/// The folder of the newest version's programs; none when the package `postgresql` is not installed.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?;
    let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
    folders.filter(|bin| bin.join("postgres").is_file()).max()
}

impl Postgres {
    /// Makes an empty database cluster in `dir`, which is not there yet, and starts it.
    pub fn start(dir: &Path) -> StageResult<Self> {
        Self::start_as(dir, false)
    }

    /// The same with writes that survive a power cut, as where people keep what they need.
    pub fn start_durable(dir: &Path) -> StageResult<Self> {
        Self::start_as(dir, true)
    }

    fn start_as(dir: &Path, durable: bool) -> StageResult<Self> {
        let programs = programs().ok_or_else(|| {
            let told = format!("there is no PostgreSQL in {VERSIONS}: apt install postgresql");
            StageError::Unexpected(told)
        })?;
        let [port] = server::free_ports()?;
        let mut service = Self {
            programs,
            dir: dir.to_owned(),
            port,
            durable,
            child: None,
        };
        std::fs::create_dir_all(dir).map_err(|source| service.at("making", source))?;
        if let Some((user, group)) = other_user() {
            let owned = std::os::unix::fs::chown(dir, Some(user), Some(group));
            owned.map_err(|source| service.at("giving away", source))?;
        }
        let made = service
            .program("initdb")
            .args(["--auth=trust", "--username=strongroom", "--no-sync", "-D"])
            .arg(service.data())
            .output()
            .map_err(|source| service.cannot_start(source))?;
        if !made.status.success() {
            let told = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(StageError::Unexpected(format!("initdb failed: {told}")));
        }
        service.run()?;
        Ok(service)
    }

    /// Starts a killed one again, on the same data and port.
    pub fn start_again(&mut self) -> StageResult<()> {
        self.kill();
        self.run()
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _already_gone = child.kill();
            let _reaped = child.wait();
        }
        // Its children end by themselves; the file would only keep the next start from looking.
        let _was_not_there = std::fs::remove_file(self.data().join("postmaster.pid"));
    }

    /// The URL of its first database, whose user may do everything.
    pub fn url(&self) -> String {
        format!("postgres://strongroom@127.0.0.1:{}/postgres", self.port)
    }

    fn run(&mut self) -> StageResult<()> {
        let log = self.dir.join("log");
        let log = File::create(log).map_err(|source| self.at("writing the log in", source))?;
        let port = self.port.to_string();
        let child = self
            .program("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-h", "127.0.0.1", "-p", &port, "-k", ""])
            // What tests write need not survive a power cut; several hundred of them connect.
            .args([
                "-c",
                if self.durable {
                    "fsync=on"
                } else {
                    "fsync=off"
                },
            ])
            .args(["-c", "max_connections=400"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|source| self.cannot_start(source))?;
        self.child = Some(child);
        process::wait_for("PostgreSQL to answer", READY_WITHIN, || {
            let ready = self
                .program("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status();
            match ready {
                Ok(status) if status.success() => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// One of its programs, as somebody else than root.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(&self.dir);
        if let Some((user, group)) = other_user() {
            command.uid(user).gid(group);
        }
        command
    }

    fn at(&self, doing: &str, source: io::Error) -> StageError {
        StageError::File {
            what: format!("{doing} {}", self.dir.display()),
            source,
        }
    }

    fn cannot_start(&self, source: io::Error) -> StageError {
        StageError::Start {
            program: self.programs.display().to_string(),
            source,
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// User and group to run as, when this process is root's.
fn other_user() -> Option<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").ok()?.uid();
    if own != 0 {
        return None;
    }
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let entry = passwd
        .lines()
        .find(|line| line.split(':').next() == Some(USER))?;
    let mut ids = entry.split(':').skip(2);
    Some((ids.next()?.parse().ok()?, ids.next()?.parse().ok()?))
}
