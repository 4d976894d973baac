//! A server process of its own: started, killed, started again on the same data.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::process::{self, StageError, StageResult};

/// How long a server may take until it says that it is ready. The product's own bar is 0.3 s; this
/// only bounds the wait on a machine that does other work at the same time.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How a server is to be started; the same for each start on the same data.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The `strongroom` binary.
    pub binary: PathBuf,
    /// The server's data directory.
    pub data_dir: PathBuf,
    /// The address that it listens on; commands on this machine always use 127.0.0.1.
    pub listen: String,
    /// The port that it listens on.
    pub port: u16,
    /// The URL under which pods of the cluster reach it.
    pub advertise_url: String,
    /// The configuration file, if the test brings one.
    pub config: Option<PathBuf>,
    /// Further environment, for example a crash point.
    pub env: Vec<(String, String)>,
}

/// A running server. Dropping it kills the process, as a power cut would.
#[derive(Debug)]
pub struct Server {
    /// How it was started.
    pub options: ServerOptions,
    /// From the start of the process until it was ready.
    pub ready_after: Duration,
    child: Child,
}

impl Server {
    /// Starts the server and waits until it has written `server.json`, which it does when it serves.
    pub fn start(options: ServerOptions) -> StageResult<Self> {
        let log_path = options.data_dir.with_extension("log");
        let at = |what: &str, path: &Path| format!("{what} {}", path.display());
        std::fs::create_dir_all(&options.data_dir).map_err(|source| StageError::File {
            what: at("making", &options.data_dir),
            source,
        })?;
        let ready_file = options.data_dir.join("server.json");
        if let Err(source) = std::fs::remove_file(&ready_file)
            && source.kind() != std::io::ErrorKind::NotFound
        {
            return Err(StageError::File {
                what: at("removing", &ready_file),
                source,
            });
        }
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(|source| StageError::File {
                what: at("opening", &log_path),
                source,
            })?;
        let started = process::now();
        let mut command = Command::new(&options.binary);
        command
            .arg("server")
            .arg("--data-dir")
            .arg(&options.data_dir);
        command
            .arg("--listen")
            .arg(format!("{}:{}", options.listen, options.port))
            .arg("--advertise-url")
            .arg(&options.advertise_url);
        if let Some(config) = &options.config {
            command.arg("--config").arg(config);
        }
        command.envs(options.env.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = command.spawn().map_err(|source| StageError::Start {
            program: options.binary.display().to_string(),
            source,
        })?;
        let mut server = Self {
            options,
            ready_after: Duration::ZERO,
            child,
        };
        server.ready_after = server.wait_ready(&ready_file, &log_path, started)?;
        Ok(server)
    }

    /// Kills the process with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        let _already_gone = self.child.kill();
        let _reaped = self.child.wait();
    }

    /// Kills the process and starts it again on the same data.
    pub fn restart(mut self) -> StageResult<Self> {
        self.kill();
        Self::start(self.options.clone())
    }

    /// The exit status, when the process has ended by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The URL for clients on this machine.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.options.port)
    }

    fn wait_ready(
        &mut self,
        ready_file: &Path,
        log: &Path,
        started: Instant,
    ) -> StageResult<Duration> {
        let told = || std::fs::read_to_string(log).unwrap_or_default();
        // A finer grain than `wait_for`: this wait is itself a measured figure.
        while started.elapsed() < READY_WITHIN {
            if ready_file.exists() {
                return Ok(started.elapsed());
            }
            if let Some(status) = self.ended() {
                return Err(StageError::Unexpected(format!(
                    "the server ended with {status} before it was ready:\n{}",
                    told()
                )));
            }
            std::thread::yield_now();
        }
        Err(StageError::Timeout {
            what: "the server to be ready".to_owned(),
            seconds: READY_WITHIN.as_secs(),
            last: told(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of 127.0.0.1 that nobody listens on at this moment.
pub fn free_port() -> StageResult<u16> {
    free_ports().map(|[port]| port)
}

/// Ports of 127.0.0.1 that nobody listens on at this moment, no two the same.
pub fn free_ports<const COUNT: usize>() -> StageResult<[u16; COUNT]> {
    let mut ports = [0; COUNT];
    let mut held = Vec::with_capacity(COUNT);
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|source| StageError::File {
            what: "looking for a free port".to_owned(),
            source,
        })?;
        let address = listener.local_addr().map_err(|source| StageError::File {
            what: "reading the free port".to_owned(),
            source,
        })?;
        *port = address.port();
        held.push(listener);
    }
    Ok(ports)
}
