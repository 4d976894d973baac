//! `strongroom job report`: one line per object, streamed, so that a job over a million objects
//! needs no more memory here than one over ten.

use serde_json::Value;
use strongroom_api::client::id;
use strongroom_core::report::ObjectOutcome;

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
    /// Only this outcome: BackedUp, Created, Patched, Unchanged, Skipped, Failed
    #[arg(long, conflicts_with = "failed")]
    outcome: Option<String>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let wanted = if self.failed { Some("Failed") } else { self.outcome.as_deref() };
        let job_id = id::child(&session.vault_id(&self.vault)?, "backupJobs", id::name(&self.job));
        let mut pages = session.client()?.job_report(&job_id)?;
        let mut writer = LineWriter { format: session.args.output, written: 0 };
        while let Some(page) = pages.next().await? {
            let mut text = String::new();
            for line in page.into_iter().filter(|line| fits(line, wanted)) {
                text.push_str(&writer.line(&line)?);
            }
            session.terminal.data(&text)?;
        }
        session.terminal.data(writer.end())
    }
}

fn fits(line: &Value, wanted: Option<&str>) -> bool {
    let outcome = line.get("outcome").and_then(Value::as_str).unwrap_or_default();
    wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(outcome))
}

/// Writes a list without having it whole.
struct LineWriter {
    format: Format,
    written: u64,
}

impl LineWriter {
    fn line(&mut self, line: &Value) -> Result<String, CliError> {
        let first = self.written == 0;
        self.written += 1;
        match self.format {
            Format::Table => Ok(if first { format!("{}{}", HEADING, row(line)) } else { row(line) }),
            Format::Json => Ok(format!("{}{line}", if first { "[\n" } else { ",\n" })),
            Format::Yaml => output::yaml(std::slice::from_ref(line)),
        }
    }

    fn end(&self) -> &'static str {
        match (self.format, self.written) {
            (Format::Json, 0) | (Format::Yaml, 0) => "[]\n",
            (Format::Json, _) => "\n]\n",
            (Format::Table, 0) => HEADING,
            _ => "",
        }
    }
}

const HEADING: &str = "OUTCOME    OBJECT                                                        REASON\n";

/// One row; a line of a newer server that this version cannot read is shown as it is.
fn row(line: &Value) -> String {
    let Ok(line) = serde_json::from_value::<ObjectOutcome>(line.clone()) else {
        return format!("{line}\n");
    };
    let code = line.code.map(|code| format!("[{code}] ")).unwrap_or_default();
    let reason = line.reason.replace(['\n', '\r'], " ");
    let text = format!("{:<10} {:<61} {code}{reason}", line.outcome.as_str(), line.object.to_string());
    format!("{}\n", text.trim_end())
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
        let mut writer = LineWriter { format, written: 0 };
        let mut text: String = lines.iter().map(|line| writer.line(line).unwrap()).collect();
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
    fn lines_can_be_chosen_by_outcome() {
        assert!(fits(&line("Failed", None), Some("failed")));
        assert!(!fits(&line("Created", None), Some("Failed")));
        assert!(fits(&line("Created", None), None));
    }
}
