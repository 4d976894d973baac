//! What a command ends in when it does not end well, and how that is told:
//! `error[Code]: what happened`, then target, parts, cause and the way out.
//!
//! This is the one place that translates the catalogue to the terminal.

use std::fmt::{self, Display, Formatter, Write};

use strongroom_api::client::{ApiError, ClientError};
use strongroom_api::error::{ErrorBody, UserFacingError};
use strongroom_api::job::Job;
use strongroom_core::error::Code;

use crate::exit_code;

/// How deep the parts of an error are shown: the server nests two levels at most.
const DEEPEST_DETAIL: usize = 4;

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// A call to the server.
    Client(#[from] ClientError),
    /// No server is known.
    NotLoggedIn,
    /// Something on this machine: a file, a setting, an argument.
    Local {
        code: &'static str,
        message: String,
        way_out: &'static str,
        exit_code: u8,
    },
    /// The job ran and did not succeed.
    Job(Box<Job>),
    /// A recovery point is not what was written; each problem is told already.
    Damaged { point: String, problems: u64 },
    /// The audit log, or a copy of it, is not what was written.
    Tampered(String),
    /// `doctor` found this many problems; they are told already.
    Unhealthy(usize),
    /// Whoever read our output has gone; nobody is left to tell.
    OutputClosed,
}

impl CliError {
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Local {
            code: "InternalError",
            message: message.into(),
            way_out: "This is a defect: please report it with the command that you gave.",
            exit_code: exit_code::INTERNAL,
        }
    }

    /// An argument or a setting that makes no sense.
    pub(crate) fn invalid(message: impl Into<String>, way_out: &'static str) -> Self {
        Self::Local {
            code: "InvalidArgument",
            message: message.into(),
            way_out,
            exit_code: exit_code::USAGE,
        }
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(message: impl Into<String>) -> Self {
        Self::Local {
            code: "FileNotUsable",
            message: message.into(),
            way_out: "Check that the path is right and that you may use it.",
            exit_code: exit_code::USAGE,
        }
    }

    /// What was named does not exist; told without the server's help.
    pub(crate) fn not_found(message: impl Into<String>, way_out: &'static str) -> Self {
        Self::Local {
            code: "NotFound",
            message: message.into(),
            way_out,
            exit_code: exit_code::NOT_FOUND,
        }
    }

    /// The audit log is broken here.
    pub(crate) fn tampered(what: impl Into<String>) -> Self {
        Self::Tampered(what.into())
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Client(error) => exit_code::of_client_error(error),
            Self::NotLoggedIn => exit_code::DENIED,
            Self::Local { exit_code, .. } => *exit_code,
            Self::Job(job) if job.status.eq_ignore_ascii_case("Cancelled") => {
                exit_code::JOB_CANCELLED
            }
            Self::Job(_) => exit_code::JOB_FAILED,
            Self::Damaged { .. } | Self::Tampered(_) => exit_code::CORRUPT,
            Self::Unhealthy(_) => exit_code::UNHEALTHY,
            Self::OutputClosed => exit_code::SUCCESS,
        }
    }
}

impl Display for CliError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        match self {
            Self::Client(ClientError::Api(api)) => api_error(&mut text, api)?,
            Self::Client(error) => client_error(&mut text, error)?,
            Self::NotLoggedIn => {
                headline(&mut text, "NotLoggedIn", "no server is known")?;
                way_out(
                    &mut text,
                    "strongroom login --server URL --ca-file DIR/tls/ca.crt --token-file DIR/admin.token",
                )?;
            }
            Self::Local {
                code,
                message,
                way_out: out,
                ..
            } => {
                headline(&mut text, code, message)?;
                way_out(&mut text, out)?;
            }
            Self::Job(job) => job_error(&mut text, job)?,
            Self::Damaged { point, problems } => {
                let code = Code::RecoveryPointCorrupt.as_str();
                let what = format!("the recovery point {point} is damaged, problems: {problems}");
                headline(&mut text, code, &what)?;
                page(&mut text, code)?;
            }
            Self::Tampered(what) => {
                let code = Code::AuditLogBroken.as_str();
                headline(&mut text, code, what)?;
                page(&mut text, code)?;
            }
            Self::Unhealthy(count) => {
                let problems = if *count == 1 {
                    "1 problem".to_owned()
                } else {
                    format!("{count} problems")
                };
                headline(
                    &mut text,
                    "Unhealthy",
                    &format!("{problems} found, see above"),
                )?;
            }
            Self::OutputClosed => {}
        }
        f.write_str(text.trim_end())
    }
}

fn api_error(text: &mut String, api: &ApiError) -> fmt::Result {
    headline(text, &api.code, &api.message)?;
    if let Some(target) = api
        .target
        .as_deref()
        .filter(|target| !api.message.contains(*target))
    {
        labelled(text, "at", target)?;
    }
    // One part that says what the headline says already is left out.
    let repeats = |part: &ErrorBody| part.details.is_empty() && api.message.contains(&part.message);
    if !matches!(api.details.as_slice(), [only] if repeats(only)) {
        details(text, &api.details, 1)?;
    }
    page(text, &api.code)?;
    let request = match &api.request_id {
        Some(id) => format!("{} ({}, request id {id})", api.what, api.status),
        None => format!("{} ({})", api.what, api.status),
    };
    labelled(text, "request", &request)
}

fn client_error(text: &mut String, error: &ClientError) -> fmt::Result {
    let (code, out) = match error {
        ClientError::Settings { .. } => (
            "InvalidArgument",
            "Correct the argument or setting that the message names; `strongroom context list` shows what is stored.",
        ),
        ClientError::Unreachable { .. } => (
            "ServerUnreachable",
            "Check that the server runs and that its address and port are right; `strongroom doctor` looks at each step.",
        ),
        ClientError::CertificateNotTrusted { .. } => (
            "ServerCertificateNotTrusted",
            "Log in again with the server's own CA: strongroom login --server URL --ca-file DIR/tls/ca.crt --token-file FILE. If the server is the same as before and its CA should be too, somebody may be in between.",
        ),
        ClientError::Timeout { .. } => (
            "ServerTimeout",
            "Try again; if it stays so, look at the server's log.",
        ),
        ClientError::Protocol { .. } | ClientError::Api(_) => (
            "ServerAnswerNotUnderstood",
            "Check that the address is that of a Strongroom server of this version (`strongroom version`), with no proxy in between.",
        ),
    };
    headline(text, code, &error.to_string())?;
    way_out(text, out)
}

fn job_error(text: &mut String, job: &Job) -> fmt::Result {
    let errors = job.error_details.as_deref().unwrap_or_default();
    let first = errors.first();
    let code = first
        .and_then(|error| error.code.as_deref())
        .unwrap_or("JobFailed");
    let why = first
        .and_then(|error| error.message.as_deref())
        .unwrap_or("the server does not say why");
    headline(
        text,
        code,
        &format!(
            "{} of '{}' ended as {}: {why}",
            job.operation, job.backup_instance_friendly_name, job.status
        ),
    )?;
    if let Some(target) = first.and_then(|error| error.target.as_deref()) {
        labelled(text, "at", target)?;
    }
    for error in errors.iter().skip(1) {
        user_facing(text, error, 1)?;
    }
    for error in first
        .and_then(|error| error.details.as_deref())
        .unwrap_or_default()
    {
        user_facing(text, error, 1)?;
    }
    let actions = first
        .and_then(|error| error.recommended_action.clone())
        .unwrap_or_default();
    if actions.is_empty() || code.parse::<Code>().is_ok() {
        page(text, code)
    } else {
        way_out(text, &actions.join("\n"))
    }
}

fn user_facing(text: &mut String, error: &UserFacingError, depth: usize) -> fmt::Result {
    let code = error.code.as_deref().unwrap_or("Error");
    let message = error.message.as_deref().unwrap_or_default();
    let target = error
        .target
        .as_deref()
        .map(|target| format!(" (at {target})"))
        .unwrap_or_default();
    writeln!(text, "{}- [{code}] {message}{target}", "  ".repeat(depth))
}

fn details(text: &mut String, list: &[ErrorBody], depth: usize) -> fmt::Result {
    for error in list {
        let target = error
            .target
            .as_deref()
            .map(|target| format!(" (at {target})"))
            .unwrap_or_default();
        writeln!(
            text,
            "{}- [{}] {}{target}",
            "  ".repeat(depth),
            error.code,
            error.message
        )?;
        if depth < DEEPEST_DETAIL {
            details(text, &error.details, depth + 1)?;
        }
    }
    Ok(())
}

fn headline(text: &mut String, code: &str, message: &str) -> fmt::Result {
    writeln!(text, "error[{code}]: {message}")
}

/// What the catalogue says of a code, when it is ours.
fn page(text: &mut String, code: &str) -> fmt::Result {
    let Ok(code) = code.parse::<Code>() else {
        return Ok(());
    };
    let page = code.page();
    labelled(text, "cause", page.cause)?;
    way_out(text, page.what_to_do)
}

fn way_out(text: &mut String, what_to_do: &str) -> fmt::Result {
    labelled(text, "what to do", what_to_do)
}

/// A label and a text whose further lines are indented to stand under the first.
fn labelled(text: &mut String, label: &str, content: &str) -> fmt::Result {
    if content.trim().is_empty() {
        return Ok(());
    }
    let indent = " ".repeat(label.len() + 4);
    for (number, line) in content.trim().lines().enumerate() {
        match number {
            0 => writeln!(text, "  {label}: {line}")?,
            _ if line.is_empty() => writeln!(text)?,
            _ => writeln!(text, "{indent}{line}")?,
        }
    }
    Ok(())
}
