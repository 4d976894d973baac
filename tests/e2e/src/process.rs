//! Running other programs: argument vectors only, output captured, failures told in full.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// What went wrong on the stage: the command or the condition, and all that it printed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A program could not be started at all.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program's path.
        program: String,
        /// Why the operating system refused.
        source: std::io::Error,
    },
    /// A program ended with a failure.
    #[error("`{command}` ended with {status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")]
    Failed {
        /// The command line, without its environment.
        command: String,
        /// The exit status as the operating system tells it.
        status: String,
        /// What it printed on standard output.
        stdout: String,
        /// What it printed on standard error.
        stderr: String,
    },
    /// A condition did not come true in time.
    #[error("waited {seconds} s in vain for {what}; last seen: {last}")]
    Timeout {
        /// The condition in words.
        what: String,
        /// How long it was waited for.
        seconds: u64,
        /// The last observation.
        last: String,
    },
    /// Something that was read does not have the expected shape.
    #[error("{0}")]
    Unexpected(String),
    /// A file could not be read or written.
    #[error("{what}: {source}")]
    File {
        /// What was being done to which file.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

/// Result of everything that happens on the stage.
pub type StageResult<T> = Result<T, StageError>;

/// Runs `program` to its end and returns its standard output; a failure carries all output.
pub fn run<S: AsRef<OsStr>>(
    program: &Path,
    args: &[S],
    env: &[(&str, &OsStr)],
) -> StageResult<String> {
    let output = output(program, args, env)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(StageError::Failed {
        command: words(program, args),
        status: output.status.to_string(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs `program` to its end and returns its exit status and output, whatever the status is.
pub fn output<S: AsRef<OsStr>>(
    program: &Path,
    args: &[S],
    env: &[(&str, &OsStr)],
) -> StageResult<Output> {
    Command::new(program)
        .args(args)
        .envs(env.iter().copied())
        .output()
        .map_err(|source| StageError::Start {
            program: program.display().to_string(),
            source,
        })
}

/// Starts `program` and lets it run beside the test; it is killed when the handle is dropped.
pub fn start<S: AsRef<OsStr>>(
    program: &Path,
    args: &[S],
    env: &[(&str, &OsStr)],
) -> StageResult<Running> {
    let mut command = Command::new(program);
    command.args(args).envs(env.iter().copied());
    command.stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(|source| StageError::Start {
        program: program.display().to_string(),
        source,
    })?;
    Ok(Running(child))
}

/// A program that runs beside the test.
#[derive(Debug)]
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _already_ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Asks `probe` until it says `Ok(value)`; `Err(last)` is the observation told when time runs out.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> Result<T, String>,
) -> StageResult<T> {
    let started = now();
    loop {
        match probe() {
            Ok(value) => return Ok(value),
            Err(last) if started.elapsed() >= limit => {
                return Err(StageError::Timeout {
                    what: what.to_owned(),
                    seconds: limit.as_secs(),
                    last,
                });
            }
            Err(_) => pause(),
        }
    }
}

/// Lets a random time pass before the next kill: the one thing here that must not wait for a condition,
/// because a kill at a moment that something told would not be random.
#[expect(
    clippy::disallowed_methods,
    reason = "a kill at any moment is the point"
)]
pub fn until_a_random_moment(chosen: Duration) {
    std::thread::sleep(chosen);
}

/// The stage's clock: it only measures how long a step took or a wait may last.
#[expect(
    clippy::disallowed_methods,
    reason = "the stage measures real processes"
)]
pub fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the interval between two looks at a condition of another process"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

fn words<S: AsRef<OsStr>>(program: &Path, args: &[S]) -> String {
    let mut line = program.display().to_string();
    for arg in args {
        line.push(' ');
        line.push_str(&arg.as_ref().to_string_lossy());
    }
    line
}
