//! Running a command in a container of a pod, over the WebSocket protocol (`v5.channel.k8s.io`, or v4).
//!
//! Contract: the command runs as it stands, no shell between. It ends within its time, whatever it does:
//! of each of its two streams the first [`EXEC_OUTPUT_BYTES`] are kept, and the rest is read, counted and
//! dropped, so that a command that prints without end neither hangs nor fills memory. What did not end
//! well is an [`ExecError`] that says what became of it, with what it had printed until then.
//!
//! A command whose time is over is let go: the API server closes its streams, and what the container
//! runtime does to the process then is the runtime's own matter.

mod pods;

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, join, select};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::{Api, AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncReadExt as _};

pub use self::pods::{pod, pods};
use crate::cluster::{Cluster, ClusterError, Failure};
use crate::limits::{ERROR_CHARS, EXEC_BUFFER_BYTES, EXEC_OUTPUT_BYTES};

/// A command to run.
#[derive(Debug, Clone, Copy)]
pub struct Exec<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The pod.
    pub pod: &'a str,
    /// The container in it.
    pub container: &'a str,
    /// The program and its arguments.
    pub command: &'a [String],
    /// How long it may take, the way to it included.
    pub timeout: Duration,
}

/// What a command printed on one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Printed {
    /// The first bytes, [`EXEC_OUTPUT_BYTES`] at most.
    kept: Vec<u8>,
    /// All bytes that came.
    total: u64,
}

impl Printed {
    /// What was kept, as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.kept).into_owned()
    }

    /// Bytes that came and were not kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.total - self.kept.len() as u64
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = EXEC_OUTPUT_BYTES - self.kept.len();
        let kept = bytes.get(..room).unwrap_or(bytes);
        self.kept.extend_from_slice(kept);
        self.total += bytes.len() as u64;
    }
}

/// What a command printed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// On its standard output.
    pub stdout: Printed,
    /// On its standard error.
    pub stderr: Printed,
}

/// A command that did not end well: what was being done, what became of it, and what it printed.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing}: {failure}")]
pub struct ExecError {
    /// As in "run /sbin/fsfreeze in container db of pod shop/db-0".
    pub doing: String,
    /// What became of it.
    #[source]
    pub failure: ExecFailure,
    /// What it had printed.
    pub output: Box<Output>,
}

/// What became of a command that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ExecFailure {
    /// There is no such pod.
    #[error("the pod is gone")]
    PodGone,
    /// The pod has no container of that name.
    #[error("the pod has no such container")]
    ContainerAbsent,
    /// The container is there and does not run.
    #[error("the container does not run: {message}")]
    NotRunning {
        /// The kubelet's words.
        message: String,
    },
    /// The container has no such program.
    #[error("the container has no such program: {message}")]
    CommandAbsent {
        /// The container runtime's words.
        message: String,
    },
    /// It could not be started for another reason.
    #[error("it could not be started: {message}")]
    NotStarted {
        /// The words of whoever refused it.
        message: String,
    },
    /// It ran and ended with something else than 0.
    #[error("it ended with exit code {code}")]
    ExitCode {
        /// The exit code.
        code: i32,
    },
    /// It did not end in time.
    #[error("it did not end within {limit:?}")]
    TimedOut {
        /// The time that it had.
        limit: Duration,
    },
    /// The connection was lost before its end was known.
    #[error("the connection to it was lost: {cause}")]
    Interrupted {
        /// What is known of it.
        cause: String,
    },
    /// The API server did not let us, or did not answer.
    #[error(transparent)]
    Cluster(Failure),
}

impl ExecFailure {
    /// Whether the command may have run, or may run still: then nobody knows what it has done.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        matches!(
            self,
            Self::ExitCode { .. } | Self::TimedOut { .. } | Self::Interrupted { .. }
        )
    }
}

impl fmt::Display for Exec<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.command.first().map_or("", String::as_str);
        let Self {
            namespace,
            pod,
            container,
            ..
        } = self;
        write!(
            f,
            "run {program} in container {container} of pod {namespace}/{pod}"
        )
    }
}

/// Runs a command until it ends. Returns what it printed when its exit code is 0.
///
/// # Errors
/// See [`ExecFailure`].
pub async fn exec(cluster: &Cluster, command: &Exec<'_>) -> Result<Output, ExecError> {
    let mut output = Output::default();
    let running = run(cluster, command, &mut output);
    let ended = tokio::time::timeout(command.timeout, running).await;
    let failure = match ended {
        Ok(Ok(())) => return Ok(output),
        Ok(Err(failure)) => failure,
        Err(_elapsed) => ExecFailure::TimedOut {
            limit: command.timeout,
        },
    };
    Err(ExecError {
        doing: command.to_string(),
        failure,
        output: Box::new(output),
    })
}

async fn run(
    cluster: &Cluster,
    command: &Exec<'_>,
    output: &mut Output,
) -> Result<(), ExecFailure> {
    let api: Api<Pod> = Api::namespaced(cluster.client_apart(), command.namespace);
    let parameters = AttachParams::default()
        .stdin(false)
        .stdout(true)
        .stderr(true)
        .container(command.container)
        .max_stdout_buf_size(EXEC_BUFFER_BYTES)
        .max_stderr_buf_size(EXEC_BUFFER_BYTES);
    let mut process = api
        .exec(command.pod, command.command, &parameters)
        .await
        .map_err(|error| of_refusal(&error, command, cluster.server()))?;
    let told = watch(&mut process, output).await;
    match told {
        Some(status) => of_status(&status),
        None => {
            let cause = process.join().await.err().map_or_else(
                || "it was closed without an exit code".to_owned(),
                |error| error.to_string(),
            );
            Err(ExecFailure::Interrupted { cause })
        }
    }
}

/// Reads both streams to their end, and the exit status; none when the connection ends without one.
async fn watch(process: &mut AttachedProcess, output: &mut Output) -> Option<Status> {
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let status = process.take_status()?;
    let reading = pin!(join(
        read(stdout, &mut output.stdout),
        read(stderr, &mut output.stderr)
    ));
    match select(pin!(status), reading).await {
        // A connection that broke leaves its streams open for ever; one that ended well closes them.
        Either::Left((told, reading)) => {
            if told.is_some() {
                reading.await;
            }
            told
        }
        Either::Right((_, status)) => status.await,
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>, printed: &mut Printed) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; EXEC_BUFFER_BYTES];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        printed.take(buffer.get(..count).unwrap_or_default());
    }
}

/// What it means that the API server did not open the connection.
fn of_refusal(error: &kube::Error, command: &Exec<'_>, server: &str) -> ExecFailure {
    let error = ClusterError::from_kube(error, command.to_string(), server);
    match &error.failure {
        Failure::NotFound { .. } => ExecFailure::PodGone,
        // `container %s is not valid for pod %s`, `kubernetes/pkg/registry/core/pod/strategy.go`.
        Failure::Invalid { message, .. } if message.contains("is not valid for pod") => {
            ExecFailure::ContainerAbsent
        }
        Failure::Invalid { message, .. } => ExecFailure::NotStarted {
            message: message.clone(),
        },
        // The kubelet's words, which the API server passes on as an error of its own.
        Failure::ServerError { message, .. } if is_not_running(message) => {
            ExecFailure::NotRunning {
                message: message.clone(),
            }
        }
        _ => ExecFailure::Cluster(error.failure),
    }
}

/// The kubelet's words for a container that is not there any more, or not yet, and the container runtime's.
fn is_not_running(message: &str) -> bool {
    let words = [
        "container not found",
        "is not created or running",
        "not in a running state",
    ];
    words.iter().any(|word| message.contains(word))
}

/// The meaning of the status with which a command ends.
/// Source: `k8s.io/kubelet/pkg/cri/streaming/remotecommand/exec.go`, whose only reason besides an internal
/// error is `NonZeroExitCode`, with the code as a cause.
fn of_status(status: &Status) -> Result<(), ExecFailure> {
    if status.status.as_deref() == Some("Success") {
        return Ok(());
    }
    let causes = status
        .details
        .iter()
        .flat_map(|details| details.causes.iter().flatten());
    let code = causes
        .filter(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .find_map(|cause| cause.message.as_deref()?.parse().ok());
    if let Some(code) = code {
        return Err(ExecFailure::ExitCode { code });
    }
    let message = status.message.clone().unwrap_or_default();
    let message: String = message.chars().take(ERROR_CHARS).collect();
    Err(of_words(message))
}

/// What the kubelet and the container runtime mean; they have words for it and no codes. Those for a
/// program that is not there are of Go's `exec` package and of the kernel, as runc and crun pass them on.
fn of_words(message: String) -> ExecFailure {
    let absent = ["executable file not found", "no such file or directory"];
    if is_not_running(&message) {
        ExecFailure::NotRunning { message }
    } else if absent.iter().any(|word| message.contains(word)) {
        ExecFailure::CommandAbsent { message }
    } else {
        ExecFailure::NotStarted { message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_printed_the_beginning_is_kept_and_the_rest_counted() {
        let mut printed = Printed::default();
        printed.take(b"first ");
        printed.take(&vec![b'x'; EXEC_OUTPUT_BYTES]);
        printed.take(b"more");
        assert_eq!(printed.kept.len(), EXEC_OUTPUT_BYTES);
        assert!(printed.text().starts_with("first x"));
        assert_eq!(printed.dropped(), 10);
    }

    #[test]
    fn the_exit_code_is_taken_from_the_status_and_other_ends_from_its_words() {
        let status = |value: serde_json::Value| serde_json::from_value::<Status>(value).unwrap();
        let done = status(serde_json::json!({"status": "Success"}));
        assert!(of_status(&done).is_ok());
        let failed = status(serde_json::json!({
            "status": "Failure", "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
        }));
        assert!(matches!(
            of_status(&failed),
            Err(ExecFailure::ExitCode { code: 3 })
        ));
        let said = |message: &str| {
            let value = serde_json::json!({"status": "Failure", "reason": "InternalError", "message": message});
            of_status(&status(value)).unwrap_err()
        };
        let absent = "error executing command in container: failed to exec in container: exec: \
                      \"x\": executable file not found in $PATH: unknown";
        assert!(matches!(said(absent), ExecFailure::CommandAbsent { .. }));
        assert!(matches!(
            said("container not found (\"db\")"),
            ExecFailure::NotRunning { .. }
        ));
        assert!(matches!(
            said("permission denied"),
            ExecFailure::NotStarted { .. }
        ));
    }
}
