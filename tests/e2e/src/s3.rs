//! A real S3 service that is not ours: SeaweedFS on 127.0.0.1, with a credential, killed and started
//! again on the same data.
//!
//! Objects are read here through its file interface, past S3, so that what a test finds in a bucket
//! does not depend on any S3 client.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::process::{self, StageError, StageResult};
use crate::server;

/// The access key id that the service knows.
pub const ACCESS_KEY_ID: &str = "STAGE";
/// Its secret access key.
pub const SECRET_ACCESS_KEY: &str = "a-secret-of-the-stage";

/// How long the service may take until it stores objects. It takes about 3 s; this only bounds the
/// wait on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long one answer of its file interface may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Go's `os.ModeDir`, by which the file interface tells folders.
const IS_FOLDER: u64 = 1 << 31;

/// Lines of its log that a failed start tells.
const LOG_TOLD: usize = 20;

/// Entries of a folder that are asked for at once: more than any test keeps in one.
const FOLDER_LIMIT: usize = 100_000;

/// A running SeaweedFS. Dropping it kills the process, as a power cut would.
#[derive(Debug)]
pub struct S3 {
    weed: PathBuf,
    dir: PathBuf,
    ports: Ports,
    child: Option<Child>,
}

/// SeaweedFS is four servers in one process, each with a second port for calls between them.
#[derive(Debug, Clone, Copy)]
struct Ports {
    master: [u16; 2],
    volume: [u16; 2],
    filer: [u16; 2],
    s3: [u16; 2],
}

impl S3 {
    /// Starts the program that `cargo xtask test` has installed; its data stay in `dir`.
    pub fn from_environment(dir: &Path) -> StageResult<Self> {
        let weed = std::env::var("STRONGROOM_E2E_SEAWEEDFS").map_err(|_unset| {
            StageError::Unexpected(
                "STRONGROOM_E2E_SEAWEEDFS is not set: run the end-to-end tests with `cargo xtask \
                 test --only e2e`"
                    .to_owned(),
            )
        })?;
        Self::start(Path::new(&weed), dir)
    }

    /// Starts the service with its data in `dir` and waits until it stores objects.
    pub fn start(weed: &Path, dir: &Path) -> StageResult<Self> {
        let [m, mm, v, vv, f, ff, s, ss] = server::free_ports()?;
        let ports = Ports {
            master: [m, mm],
            volume: [v, vv],
            filer: [f, ff],
            s3: [s, ss],
        };
        std::fs::create_dir_all(dir).map_err(|source| at("making", dir, source))?;
        let identities = json!({"identities": [{
            "name": "stage",
            "credentials": [{"accessKey": ACCESS_KEY_ID, "secretKey": SECRET_ACCESS_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"]
        }]});
        let file = dir.join("identities.json");
        std::fs::write(&file, identities.to_string())
            .map_err(|source| at("writing", &file, source))?;
        let mut service = Self {
            weed: weed.to_owned(),
            dir: dir.to_owned(),
            ports,
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
        let Ports {
            master,
            volume,
            filer,
            s3,
        } = self.ports;
        // Killed processes leave their sockets, and SeaweedFS has no option for where these lie.
        let sockets = [("master", master), ("volume", volume), ("filer", filer)];
        let sockets = sockets
            .map(|(role, [_, port])| format!("{role}-grpc-{port}"))
            .into_iter()
            .chain([
                format!("filer-{}", filer[0]),
                format!("s3-grpc-{}", s3[1]),
                format!("s3-{}", s3[0]),
            ]);
        for socket in sockets {
            let _was_not_there = std::fs::remove_file(format!("/tmp/seaweedfs-{socket}.sock"));
        }
    }

    /// Starts a killed service again, on the same data and ports.
    pub fn start_again(&mut self) -> StageResult<()> {
        self.kill();
        self.run()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.ports.s3[0]
    }

    /// Its URL on this machine.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Makes a bucket with SeaweedFS's own shell.
    pub fn create_bucket(&self, name: &str) -> StageResult<()> {
        let [port, internal] = self.ports.master;
        let mut shell = Command::new(&self.weed)
            .arg("shell")
            .arg(format!("-master=127.0.0.1:{port}.{internal}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| self.cannot_start(source))?;
        if let Some(mut input) = shell.stdin.take() {
            writeln!(input, "s3.bucket.create -name={name}")
                .map_err(|source| at("asking for a bucket of", &self.dir, source))?;
        }
        let said = shell
            .wait_with_output()
            .map_err(|source| at("making a bucket of", &self.dir, source))?;
        let told = String::from_utf8_lossy(&said.stdout);
        if told.contains(&format!("created bucket {name}")) {
            return Ok(());
        }
        Err(StageError::Unexpected(format!(
            "SeaweedFS did not make the bucket {name}: {told}\n{}",
            String::from_utf8_lossy(&said.stderr)
        )))
    }

    /// Every object of a bucket: its key and its bytes.
    pub fn objects(&self, bucket: &str) -> StageResult<Vec<(String, Vec<u8>)>> {
        let root = format!("/buckets/{bucket}");
        let mut folders = vec![root.clone()];
        let mut objects = Vec::new();
        while let Some(folder) = folders.pop() {
            let listed = self.ask("GET", &format!("{folder}/?limit={FOLDER_LIMIT}"), b"")?;
            let listed: Value = serde_json::from_slice(&listed)
                .map_err(|error| StageError::Unexpected(format!("listing {folder}: {error}")))?;
            for entry in listed["Entries"].as_array().into_iter().flatten() {
                let path = entry["FullPath"].as_str().unwrap_or_default().to_owned();
                if entry["Mode"].as_u64().unwrap_or_default() & IS_FOLDER != 0 {
                    folders.push(path);
                } else {
                    let bytes = self.ask("GET", &path, b"")?;
                    let key = path[root.len()..].trim_start_matches('/').to_owned();
                    objects.push((key, bytes));
                }
            }
        }
        Ok(objects)
    }

    fn run(&mut self) -> StageResult<()> {
        let log_path = self.dir.join("seaweedfs.log");
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(|source| at("opening", &log_path, source))?;
        let data = self.dir.join("data");
        std::fs::create_dir_all(&data).map_err(|source| at("making", &data, source))?;
        let child = Command::new(&self.weed)
            .arg("server")
            .args(self.options(&data))
            // The current folder is where it looks for configuration of its own.
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|source| self.cannot_start(source))?;
        self.child = Some(child);
        process::wait_for("SeaweedFS to store objects", READY_WITHIN, || {
            let told = |error: &dyn std::fmt::Display| {
                let log = std::fs::read_to_string(&log_path).unwrap_or_default();
                let lines: Vec<&str> = log.lines().rev().take(LOG_TOLD).collect();
                format!(
                    "{error}; the newest of its log first:\n{}",
                    lines.join("\n")
                )
            };
            TcpStream::connect(("127.0.0.1", self.port())).map_err(|error| told(&error))?;
            let stored = self.ask("PUT", "/stage/ready", b"ready");
            stored.map(drop).map_err(|error| told(&error))
        })
    }

    fn options(&self, data: &Path) -> Vec<String> {
        let mut options = vec![
            format!("-dir={}", data.display()),
            "-ip=127.0.0.1".to_owned(),
            "-ip.bind=127.0.0.1".to_owned(),
            "-s3".to_owned(),
            format!("-s3.config={}", self.dir.join("identities.json").display()),
            // A bucket that nobody made must be missed, not made.
            "-s3.autoCreateBucket=false".to_owned(),
            "-s3.iam=false".to_owned(),
            // Off: catalogue services on fixed ports, and reports to its makers.
            "-s3.port.iceberg=0".to_owned(),
            "-s3.port.lance=0".to_owned(),
            "-master.telemetry=false".to_owned(),
            "-master.volumeSizeLimitMB=64".to_owned(),
            "-volume.max=20".to_owned(),
        ];
        let Ports {
            master,
            volume,
            filer,
            s3,
        } = self.ports;
        for (role, [port, internal]) in [
            ("master", master),
            ("volume", volume),
            ("filer", filer),
            ("s3", s3),
        ] {
            options.push(format!("-{role}.port={port}"));
            options.push(format!("-{role}.port.grpc={internal}"));
        }
        options
    }

    /// One request to the file interface. HTTP/1.0, whose answers end with the connection.
    fn ask(&self, method: &str, path: &str, body: &[u8]) -> StageResult<Vec<u8>> {
        let exchange = || -> std::io::Result<Vec<u8>> {
            let mut connection = TcpStream::connect(("127.0.0.1", self.ports.filer[0]))?;
            connection.set_read_timeout(Some(ANSWER_WITHIN))?;
            write!(
                connection,
                "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\
                 Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            connection.write_all(body)?;
            let mut answer = Vec::new();
            connection.read_to_end(&mut answer)?;
            Ok(answer)
        };
        let answer =
            exchange().map_err(|source| at(&format!("{method} {path} of"), &self.dir, source))?;
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let (head, body) = answer.split_at(end.map_or(answer.len(), |end| end + 4));
        let head = String::from_utf8_lossy(head);
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status.starts_with('2') {
            return Ok(body.to_vec());
        }
        Err(StageError::Unexpected(format!(
            "SeaweedFS answered {method} {path} with {head}{}",
            String::from_utf8_lossy(body)
        )))
    }

    fn cannot_start(&self, source: std::io::Error) -> StageError {
        StageError::Start {
            program: self.weed.display().to_string(),
            source,
        }
    }
}

impl Drop for S3 {
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
