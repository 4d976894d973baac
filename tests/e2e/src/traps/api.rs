//! The API server, spoken to directly through `kubectl proxy`: a kubectl for each of thousands of
//! requests would take minutes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::unexpected;
use crate::kubectl::Kubectl;
use crate::process::{StageError, StageResult, wait_for};

/// How long an API server may take to serve a type again whose definition has changed.
const SERVED_WITHIN: Duration = Duration::from_secs(20);

/// A running proxy; it ends when this is dropped.
#[derive(Debug)]
pub struct Api {
    proxy: Child,
    address: String,
}

impl Api {
    /// Starts a proxy with the rights of this kubeconfig.
    pub fn open(kubectl: &Kubectl) -> StageResult<Self> {
        let mut proxy = Command::new(&kubectl.program)
            .args(["proxy", "--port=0", "--reject-methods=^$"])
            .env("KUBECONFIG", &kubectl.kubeconfig)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| StageError::Start {
                program: kubectl.program.display().to_string(),
                source,
            })?;
        let mut line = String::new();
        if let Some(stdout) = proxy.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(broken)?;
        }
        // "Starting to serve on 127.0.0.1:43265"
        let address = line
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        Ok(Self { proxy, address })
    }

    /// Reads a path; a type whose definition has just changed is asked for again.
    pub fn get(&self, path: &str) -> StageResult<Value> {
        wait_for(path, SERVED_WITHIN, || {
            match self.call("GET", path, "application/json", "") {
                Err(error) if error.to_string().contains("answered 429") => Err(error.to_string()),
                other => Ok(other),
            }
        })?
    }

    /// Creates an object.
    pub fn post(&self, path: &str, object: &Value) -> StageResult<Value> {
        self.call("POST", path, "application/json", &object.to_string())
    }

    /// Replaces an object.
    pub fn put(&self, path: &str, object: &Value) -> StageResult<Value> {
        self.call("PUT", path, "application/json", &object.to_string())
    }

    /// Changes an object by a merge patch.
    pub fn merge(&self, path: &str, changes: &Value) -> StageResult<Value> {
        self.call(
            "PATCH",
            path,
            "application/merge-patch+json",
            &changes.to_string(),
        )
    }

    /// Applies an object in this manager's name.
    pub fn apply(&self, path: &str, manager: &str, object: &Value) -> StageResult<Value> {
        let path = format!("{path}?fieldManager={manager}");
        self.call(
            "PATCH",
            &path,
            "application/apply-patch+yaml",
            &object.to_string(),
        )
    }

    /// Deletes an object or a collection; what is not there is deleted already.
    pub fn delete(&self, path: &str) -> StageResult<()> {
        match self.call("DELETE", path, "application/json", "") {
            Err(StageError::Unexpected(told)) if told.contains("answered 404") => Ok(()),
            other => other.map(drop),
        }
    }

    /// HTTP/1.0, so that an answer is one piece and ends with its connection.
    fn call(&self, method: &str, path: &str, kind: &str, body: &str) -> StageResult<Value> {
        let mut stream = TcpStream::connect(&self.address).map_err(broken)?;
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nAccept: application/json\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).map_err(broken)?;
        stream.write_all(body.as_bytes()).map_err(broken)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(broken)?;
        let end = answer
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .ok_or_else(|| unexpected(format!("{method} {path}: no answer")))?;
        let (head, body) = answer.split_at(end + 4);
        let status: String = String::from_utf8_lossy(head)
            .chars()
            .skip(9)
            .take(3)
            .collect();
        if !status.starts_with('2') {
            let told = String::from_utf8_lossy(body);
            return Err(unexpected(format!(
                "{method} {path} answered {status}: {told}"
            )));
        }
        serde_json::from_slice(body)
            .map_err(|error| unexpected(format!("{method} {path}: {error}")))
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}

fn broken(source: std::io::Error) -> StageError {
    StageError::File {
        what: "speaking to the API server through kubectl's proxy".to_owned(),
        source,
    }
}
