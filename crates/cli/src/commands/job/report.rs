//! `strongroom job report`: one line per object, streamed, so that a job over a million objects
//! needs no more memory here than one over ten. What is wanted is chosen by the server.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::Value;
use strongroom_api::client::{Download, id};
use strongroom_core::report::{ObjectOutcome, Outcome};

use crate::error::CliError;
use crate::output::{self, Format};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Job: id
    job: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// Only what failed
    #[arg(long)]
    failed: bool,
    /// Only this outcome
    #[arg(long, conflicts_with = "failed", ignore_case = true, value_parser = outcomes())]
    outcome: Option<Outcome>,
    /// Only objects of this kind, for example Deployment
    #[arg(long)]
    kind: Option<String>,
    /// Only objects in this namespace
    #[arg(long)]
    namespace: Option<String>,
    /// Write to this file, which appears once all of the report is in it; with -o jsonl
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

fn outcomes() -> impl clap::builder::TypedValueParser<Value = Outcome> {
    PossibleValuesParser::new(Outcome::ALL.map(Outcome::as_str)).map(|name| {
        // The parser lets nothing else through.
        let known = Outcome::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(&name));
        known.unwrap_or(Outcome::Failed)
    })
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let job_id = id::child(&session.vault_id(&self.vault)?, "backupJobs", id::name(&self.job));
        let filter = self.filter();
        let client = session.client()?;
        if session.args.output == Format::Jsonl {
            let download = client.job_report_lines(&job_id, filter.as_deref()).await?;
            return match &self.file {
                Some(path) => save(session, download, path).await,
                None => pass_on(session, download).await,
            };
        }
        if self.file.is_some() {
            return Err(CliError::invalid("--file takes JSON lines", "Give -o jsonl as well."));
        }
        let mut pages = client.job_report(&job_id, filter.as_deref())?;
        let mut writer = LineWriter::new(session.args.output);
        while let Some(page) = pages.next().await? {
            session.terminal.data(&writer.page(&page)?)?;
        }
        session.terminal.data(writer.end())
    }

    /// What is wanted, as the server takes it: a quote inside a value is written twice.
    fn filter(&self) -> Option<String> {
        let outcome = if self.failed { Some(Outcome::Failed) } else { self.outcome };
        let parts: Vec<String> = [
            ("outcome", outcome.map(|outcome| outcome.as_str().to_owned())),
            ("kind", self.kind.clone()),
            ("namespace", self.namespace.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} eq '{}'", value?.replace('\'', "''"))))
        .collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

async fn pass_on(session: &Session<'_>, mut download: Download) -> Result<(), CliError> {
    while let Some(part) = download.next().await? {
        session.terminal.bytes(&part)?;
    }
    Ok(())
}

/// Writes into a file beside the one that is wanted, and renames it at the end: a download that breaks
/// off leaves nothing that looks like a whole report.
pub(super) async fn save(session: &Session<'_>, mut download: Download, path: &Path) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        CliError::file(format!("'{}' cannot be written: {error}", path.display()))
    };
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let mut file = std::fs::File::create(&partial).map_err(failed)?;
    let mut lines = 0;
    while let Some(part) = download.next().await? {
        lines += part.iter().filter(|byte| **byte == b'\n').count();
        file.write_all(&part).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)?;
    session.say(&format!("{lines} lines are in {}", path.display()));
    Ok(())
}

/// Writes a list without having it whole.
struct LineWriter {
    format: Format,
    written: u64,
    /// Width of the column of objects: what the longest seen so far needs, so that columns only ever
    /// widen, and are straight within each page.
    width: usize,
}

/// Beyond this an object's name stands over its column rather than pushing all others out of sight.
const WIDEST: usize = 100;

impl LineWriter {
    fn new(format: Format) -> Self {
        Self { format, written: 0, width: "OBJECT".len() }
    }

    fn page(&mut self, lines: &[Value]) -> Result<String, CliError> {
        if self.format == Format::Table {
            return Ok(self.rows(lines));
        }
        lines.iter().map(|line| self.line(line)).collect()
    }

    fn line(&mut self, line: &Value) -> Result<String, CliError> {
        let first = self.written == 0;
        self.written += 1;
        match self.format {
            Format::Json => Ok(format!("{}{line}", if first { "[\n" } else { ",\n" })),
            Format::Yaml => output::yaml(std::slice::from_ref(line)),
            Format::Table | Format::Jsonl => Ok(format!("{line}\n")),
        }
    }

    fn rows(&mut self, lines: &[Value]) -> String {
        let read: Vec<Result<ObjectOutcome, &Value>> =
            lines.iter().map(|line| serde_json::from_value(line.clone()).map_err(|_| line)).collect();
        let widths = read.iter().flatten().map(|line| line.object.to_string().chars().count());
        self.width = widths.chain([self.width]).max().unwrap_or(0).min(WIDEST);
        let mut text = String::new();
        if self.written == 0 && !lines.is_empty() {
            text.push_str(&self.row(["OUTCOME", "OBJECT", "BYTES", "MS", "REASON"]));
        }
        self.written += lines.len() as u64;
        for line in &read {
            match line {
                Ok(line) => {
                    let code = line.code.as_ref().map(|code| format!("[{code}] ")).unwrap_or_default();
                    let reason = format!("{code}{}", output::cell(&line.reason));
                    text.push_str(&self.row([
                        line.outcome.as_str(),
                        &line.object.to_string(),
                        &line.bytes.to_string(),
                        &line.millis.to_string(),
                        &reason,
                    ]));
                }
                // Of a newer server; this version cannot read it and shows it as it is.
                Err(line) => text.push_str(&format!("{line}\n")),
            }
        }
        text
    }

    fn row(&self, [outcome, object, bytes, millis, reason]: [&str; 5]) -> String {
        let width = self.width;
        let text = format!("{outcome:<10} {object:<width$} {bytes:>9} {millis:>6}  {reason}");
        format!("{}\n", text.trim_end())
    }

    fn end(&self) -> &'static str {
        match (self.format, self.written) {
            (Format::Json, 0) | (Format::Yaml, 0) => "[]\n",
            (Format::Json, _) => "\n]\n",
            (Format::Table, 0) => "nothing fits\n",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(outcome: &str, code: Option<&str>) -> Value {
        let mut value = serde_json::json!({
            "object": {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
            "outcome": outcome, "reason": "because\nso", "bytes": 10, "millis": 1,
        });
        if let Some(code) = code {
            value["code"] = code.into();
        }
        value
    }

    fn written(format: Format, lines: &[Value]) -> String {
        let mut writer = LineWriter::new(format);
        let mut text = writer.page(lines).unwrap();
        text.push_str(writer.end());
        text
    }

    #[test]
    fn a_report_is_a_table_for_people() {
        let lines = [line("Created", None), line("Failed", Some("AdmissionRefused")), serde_json::json!({"new": 1})];
        insta::assert_snapshot!(written(Format::Table, &lines));
    }

    #[test]
    fn a_report_is_one_document_for_programs() {
        for lines in [vec![], vec![line("Created", None)], vec![line("Created", None), line("Failed", None)]] {
            let json: Value = serde_json::from_str(&written(Format::Json, &lines)).unwrap();
            assert_eq!(json, Value::Array(lines.clone()));
            let yaml: Value = serde_norway::from_str(&written(Format::Yaml, &lines)).unwrap();
            assert_eq!(yaml, Value::Array(lines));
        }
    }

    #[test]
    fn columns_stand_straight_whatever_the_names_are() {
        let mut long = line("Created", None);
        long["object"]["name"] = "n".repeat(60).into();
        let text = written(Format::Table, &[line("Created", None), long]);
        let starts: Vec<usize> = text.lines().map(|line| line.find("because").or(line.find("REASON")).unwrap()).collect();
        assert!(starts.iter().all(|start| *start == starts[0]), "{text}");
    }

    #[test]
    fn what_is_wanted_is_said_to_the_server() {
        let args = |outcome: Option<Outcome>, kind: Option<&str>| Args {
            job: "j".into(),
            vault: "v".into(),
            failed: false,
            outcome,
            kind: kind.map(str::to_owned),
            namespace: None,
            file: None,
        };
        assert_eq!(args(None, None).filter(), None);
        assert_eq!(args(Some(Outcome::Skipped), Some("it's")).filter().unwrap(), "outcome eq 'Skipped' and kind eq 'it''s'");
        let failed = Args { failed: true, ..args(None, None) };
        assert_eq!(failed.filter().unwrap(), "outcome eq 'Failed'");
    }
}
