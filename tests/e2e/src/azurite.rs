//! A real Azure Blob service that is not ours: Azurite, Microsoft's emulator, on 127.0.0.1, with an
//! account and key, killed and started again on the same data.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::{self, StageError, StageResult};
use crate::server;

/// The account that the service knows.
pub const ACCOUNT: &str = "stageaccount";
/// Its key: 64 bytes in base64, as Azure's are.
pub const ACCOUNT_KEY: &str =
    "c3Ryb25ncm9vbS1zdGFnZS1zdHJvbmdyb29tLXN0YWdlLXN0cm9uZ3Jvb20tc3RhZ2Utc3Ryb25ncm9vbS0xMg==";

/// How long the service may take until it answers. It takes about 2 s; this only bounds the wait on
/// a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running Azurite. Dropping it kills the process, as a power cut would.
#[derive(Debug)]
pub struct Azurite {
    program: PathBuf,
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Azurite {
    /// Starts the program that `cargo xtask test` has installed; its data stay in `dir`.
    pub fn from_environment(dir: &Path) -> StageResult<Self> {
        let program = std::env::var("STRONGROOM_E2E_AZURITE").map_err(|_unset| {
            StageError::Unexpected(
                "STRONGROOM_E2E_AZURITE is not set: run the end-to-end tests with `cargo xtask \
                 test --only e2e`"
                    .to_owned(),
            )
        })?;
        Self::start(Path::new(&program), dir)
    }

    /// Starts the service with its data in `dir` and waits until it answers.
    pub fn start(program: &Path, dir: &Path) -> StageResult<Self> {
        let [port] = server::free_ports()?;
        std::fs::create_dir_all(dir).map_err(|source| at("making", dir, source))?;
        let mut service = Self {
            program: program.to_owned(),
            dir: dir.to_owned(),
            port,
            child: None,
        };
        service.run()?;
        Ok(service)
    }

    /// Kills the service with SIGKILL and waits for its end.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _already_gone = child.kill();
            let _reaped = child.wait();
        }
    }

    /// Starts a killed service again, on the same data and port.
    pub fn start_again(&mut self) -> StageResult<()> {
        self.kill();
        self.run()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of its account's blob service on this machine.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    /// Makes a container.
    pub fn create_container(&self, name: &str) -> StageResult<()> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/make_container.mjs");
        let made = Command::new("node")
            .arg(script)
            .args([&self.endpoint(), ACCOUNT, ACCOUNT_KEY, name])
            .output()
            .map_err(|source| StageError::Start {
                program: "node".to_owned(),
                source,
            })?;
        if made.status.success() {
            return Ok(());
        }
        Err(StageError::Unexpected(format!(
            "Azurite did not make the container {name}: {}",
            String::from_utf8_lossy(&made.stderr)
        )))
    }

    fn run(&mut self) -> StageResult<()> {
        let log_path = self.dir.join("azurite.log");
        let log = || {
            File::options()
                .create(true)
                .append(true)
                .open(&log_path)
                .map_err(|source| at("opening", &log_path, source))
        };
        let child = Command::new(&self.program)
            .args(["--blobHost", "127.0.0.1", "--blobPort"])
            .arg(self.port.to_string())
            .arg("--location")
            .arg(self.dir.join("data"))
            // Versions of the protocol that are newer than it are no reason to refuse.
            .args(["--skipApiVersionCheck", "--disableTelemetry"])
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{ACCOUNT_KEY}"))
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .spawn()
            .map_err(|source| StageError::Start {
                program: self.program.display().to_string(),
                source,
            })?;
        self.child = Some(child);
        let port = self.port;
        process::wait_for("Azurite to answer", READY_WITHIN, || {
            TcpStream::connect(("127.0.0.1", port))
                .map(drop)
                .map_err(|error| {
                    let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                    format!("{error}: {log}")
                })
        })
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        self.kill();
    }
}

fn at(doing: &str, path: &Path, source: std::io::Error) -> StageError {
    StageError::File {
        what: format!("{doing} {}", path.display()),
        source,
    }
}
