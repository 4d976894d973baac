//! Waiting for a job: its steps as progress, its end as the command's end.

use std::time::Duration;

use strongroom_api::client::id;
use strongroom_api::client::{Client, LongRunning};
use strongroom_api::job::{Job, JobResource};
use strongroom_api::operation::OperationExtendedInfo;
use tokio::time::Instant;

use crate::commands::job::COLUMNS;
use crate::error::CliError;
use crate::session::{Session, whole};

/// The pauses between looks at a job, each a twentieth of the time that it has been watched, within
/// these two: a small backup ends within a second and is seen to, and a long one is not hurried by
/// looking.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
/// See [`FIRST_PAUSE`].
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// See [`FIRST_PAUSE`].
const PAUSE_SHARE: u32 = 20;
/// How long the server may be out of reach while a job is watched: it restarts within seconds, and
/// jobs survive that.
const OUTAGE_TOLERANCE: Duration = Duration::from_secs(120);

/// What a command that starts a job was told.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// Do not wait: print the job's id and end
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// A started POST: finds its job and, unless told not to, waits for it.
///
/// With `--no-wait` the job's id is the data; otherwise the finished job is.
pub(crate) async fn started(
    session: &Session<'_>,
    vault_id: &str,
    running: LongRunning<Option<OperationExtendedInfo>>,
    wait: WaitArgs,
    title: &str,
) -> Result<(), CliError> {
    match started_or_done(session, vault_id, running, wait, title).await? {
        End::NoJob => Err(CliError::internal(
            "the server started no job and gave no error",
        )),
        End::Waiting | End::Succeeded => Ok(()),
    }
}

/// How far a started POST was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It went well and needed no job.
    NoJob,
    /// Its job runs; nobody waits.
    Waiting,
    /// Its job succeeded.
    Succeeded,
}

/// As [`started`], for an action that may end well without a job.
pub(crate) async fn started_or_done(
    session: &Session<'_>,
    vault_id: &str,
    running: LongRunning<Option<OperationExtendedInfo>>,
    wait: WaitArgs,
    title: &str,
) -> Result<End, CliError> {
    let Some(job) = running.job_id().await? else {
        return Ok(End::NoJob);
    };
    if wait.no_wait {
        print_id(session, &job)?;
        return Ok(End::Waiting);
    }
    session.say(&format!("job {}", id::name(&job)));
    let finished = follow(session, vault_id, id::name(&job), title).await?;
    session.show(COLUMNS, &finished)?;
    verdict(session, id::name(vault_id), finished)?;
    Ok(End::Succeeded)
}

fn print_id(session: &Session<'_>, job: &str) -> Result<(), CliError> {
    let name = id::name(job);
    let value = serde_json::json!({ "jobId": name });
    let text = match session.args.output {
        crate::output::Format::Table => format!("{name}\n"),
        crate::output::Format::Json => crate::output::json(&value)?,
        crate::output::Format::Jsonl => format!("{value}\n"),
        crate::output::Format::Yaml => crate::output::yaml(&value)?,
    };
    session.terminal.data(&text)
}

/// Watches a job until it is final.
pub(crate) async fn follow(
    session: &Session<'_>,
    vault_id: &str,
    job: &str,
    title: &str,
) -> Result<JobResource, CliError> {
    let client = session.client()?;
    let mut progress = session.progress(title);
    // Since when the server is out of reach. The time of the calls themselves counts: each of them
    // tries several times before it gives up.
    let mut out_since: Option<Instant> = None;
    let began = Instant::now();
    loop {
        match look(&client, vault_id, job).await {
            Ok(found) => {
                out_since = None;
                let (state, percent) = describe(&found.properties);
                progress.tell(&state, percent);
                if found.properties.is_final() {
                    return Ok(found);
                }
            }
            Err(CliError::Client(error)) if error.is_transient() => {
                let since = *out_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= OUTAGE_TOLERANCE {
                    return Err(error.into());
                }
                progress.tell("the server is out of reach, trying again", None);
            }
            Err(error) => return Err(error),
        }
        let pause = (began.elapsed() / PAUSE_SHARE).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        tokio::time::sleep(pause).await;
    }
}

async fn look(client: &Client, vault_id: &str, job: &str) -> Result<JobResource, CliError> {
    Ok(client.jobs(vault_id).get(job).await?)
}

/// Says what a job did and what to look at next. A job that did not succeed is the command's error;
/// warnings are remarks, whatever the end.
pub(crate) fn verdict(
    session: &Session<'_>,
    vault: &str,
    job: JobResource,
) -> Result<(), CliError> {
    let name = job.name.unwrap_or_default();
    let job = job.properties;
    let warnings = job
        .extended_info
        .as_ref()
        .and_then(|info| info.warning_details.as_deref())
        .unwrap_or_default();
    for warning in warnings {
        let resource = warning
            .resource_name
            .as_deref()
            .map(|name| format!("{name}: "))
            .unwrap_or_default();
        let code = warning.warning.code.as_deref().unwrap_or("Warning");
        let message = warning.warning.message.as_deref().unwrap_or_default();
        session.say(&format!("warning[{code}]: {resource}{message}"));
    }
    for line in account(&job, &name, vault) {
        session.say(&line);
    }
    if job.is_success() {
        Ok(())
    } else {
        Err(CliError::Job(Box::new(job)))
    }
}

/// What a job did, in plain words, and the commands that lead on from there.
fn account(job: &Job, name: &str, vault: &str) -> Vec<String> {
    let details = job
        .extended_info
        .as_ref()
        .and_then(|info| info.additional_details.clone())
        .unwrap_or_default();
    let count = |outcome: &str| -> u64 {
        let text = details.get(outcome);
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let is_plan = job.operation.starts_with("Validate");
    let done: Vec<String> = WORDS
        .iter()
        .map(|(outcome, word)| (count(outcome), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    let mut lines = Vec::new();
    if let Some(millis) = details.get("snapshotWindowMillis") {
        lines.push(format!("volume snapshots: all cut within {millis} ms"));
    }
    if let Some(millis) = details.get("frozenMillis") {
        lines.push(format!(
            "hooks: the application stood frozen for {millis} ms"
        ));
    }
    if !done.is_empty() {
        let what = if is_plan { "it would be" } else { "done" };
        lines.push(format!("{what}: {}", done.join(", ")));
        let failed = if count("Failed") > 0 { " --failed" } else { "" };
        lines.push(format!(
            "next: object by object: strongroom job report {name} --vault {vault}{failed}"
        ));
    }
    lines
}

/// Outcomes as sentences have them.
const WORDS: [(&str, &str); 6] = [
    ("BackedUp", "backed up"),
    ("Created", "created"),
    ("Patched", "changed"),
    ("Unchanged", "equal already"),
    ("Skipped", "left alone"),
    ("Failed", "failed"),
];

/// The step that runs, and how far it is when the server knows.
fn describe(job: &Job) -> (String, Option<u64>) {
    let tasks = job
        .extended_info
        .as_ref()
        .and_then(|info| info.sub_tasks.as_deref())
        .unwrap_or_default();
    let running = tasks
        .iter()
        .find(|task| task.task_status.eq_ignore_ascii_case("InProgress"));
    match running {
        Some(task) if !job.is_final() => {
            let percent = task
                .task_progress
                .as_deref()
                .and_then(|text| text.trim_end_matches('%').trim().parse::<f64>().ok());
            (
                format!("{}, {}", job.status, task.task_name),
                whole(percent),
            )
        }
        _ => (job.status.clone(), None),
    }
}
