//! The command line as a user runs it: the binary with a configuration directory of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::process::{self, Running, StageError, StageResult};
use crate::stage::{GROUP, LOCATION, SUBSCRIPTION};

/// The `strongroom` command with its own contexts, apart from those of the user's account.
#[derive(Debug, Clone)]
pub struct Cli {
    /// The `strongroom` binary.
    pub binary: PathBuf,
    /// The file that holds the contexts.
    pub config: PathBuf,
}

impl Cli {
    /// Runs a command and returns what it prints on standard output.
    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> StageResult<String> {
        process::run(&self.binary, args, &self.env())
    }

    /// Logs in with the token that a server's first start wrote into its data directory; the context gets
    /// this name.
    pub fn log_in(&self, url: &str, data_dir: &Path, name: &str) -> StageResult<()> {
        let (ca, token) = (data_dir.join("tls/ca.crt"), data_dir.join("admin.token"));
        let words: [&OsStr; 15] = [
            "login".as_ref(),
            "--server".as_ref(),
            url.as_ref(),
            "--ca-file".as_ref(),
            ca.as_ref(),
            "--token-file".as_ref(),
            token.as_ref(),
            "--subscription".as_ref(),
            SUBSCRIPTION.as_ref(),
            "--resource-group".as_ref(),
            GROUP.as_ref(),
            "--location".as_ref(),
            LOCATION.as_ref(),
            "--name".as_ref(),
            name.as_ref(),
        ];
        self.run(&words).map(drop)
    }

    /// Runs a command with `-o json` and parses what it prints.
    pub fn json(&self, args: &[&str]) -> StageResult<Value> {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        let text = self.run(&all)?;
        serde_json::from_str(&text).map_err(|error| {
            StageError::Unexpected(format!(
                "`strongroom {}` printed no JSON ({error}): {text}",
                all.join(" ")
            ))
        })
    }

    /// Runs a command and returns its exit status and output, whatever the status is.
    pub fn output<S: AsRef<OsStr>>(&self, args: &[S]) -> StageResult<Output> {
        process::output(&self.binary, args, &self.env())
    }

    /// Runs a command that starts a job which fails, and returns that job from standard output.
    pub fn json_of_failed_job(&self, args: &[&str]) -> StageResult<Value> {
        let mut all = args.to_vec();
        all.extend(["-o", "json"]);
        let output = self.output(&all)?;
        let told = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&told).map_err(|error| {
            let errors = String::from_utf8_lossy(&output.stderr);
            StageError::Unexpected(format!(
                "`strongroom {}` ({}) printed no JSON ({error}): {told}\n{errors}",
                all.join(" "),
                output.status
            ))
        })
    }

    /// Runs a command that must fail, and returns its exit code and what it says on standard error.
    pub fn fails<S: AsRef<OsStr>>(&self, args: &[S]) -> StageResult<(i32, String)> {
        let output = self.output(args)?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(code) if code != 0 => Ok((code, told)),
            _ => Err(StageError::Unexpected(format!(
                "expected a failure, got {}:\n{}",
                output.status,
                String::from_utf8_lossy(&output.stdout)
            ))),
        }
    }

    /// Starts a command and lets it run beside the test; it is killed when the handle is dropped.
    pub fn start<S: AsRef<OsStr>>(&self, args: &[S]) -> StageResult<Running> {
        process::start(&self.binary, args, &self.env())
    }

    fn env(&self) -> [(&str, &OsStr); 1] {
        [("STRONGROOM_CLI_CONFIG", self.config.as_os_str())]
    }
}
