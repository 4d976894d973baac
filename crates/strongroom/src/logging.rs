//! The log of the long-running parts: lines on standard error, for people or as JSON.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

/// What is logged when nobody says otherwise: our own informational lines and others' warnings.
const DEFAULT_FILTER: &str =
    "info,hyper=warn,h2=warn,rustls=warn,sqlx=warn,tower=warn,kube=warn,s3s=warn,object_store=warn";

#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// Level (error, warn, info, debug, trace) or filter as of RUST_LOG, which also works
    #[arg(
        long,
        env = "STRONGROOM_LOG",
        hide_env_values = true,
        value_name = "LEVEL"
    )]
    log_level: Option<String>,
    /// Form of the log
    #[arg(
        long,
        env = "STRONGROOM_LOG_FORMAT",
        hide_env_values = true,
        value_enum,
        default_value_t
    )]
    log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl LogArgs {
    /// Starts to log. Flag before `STRONGROOM_LOG` before `RUST_LOG`.
    ///
    /// # Errors
    /// A filter that does not parse, by name.
    pub(crate) fn start(&self) -> Result<(), String> {
        let given = self
            .log_level
            .clone()
            .or_else(|| std::env::var("RUST_LOG").ok());
        let filter = filter(given.as_deref())?;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr);
        let outcome = match self.log_format {
            LogFormat::Text => builder
                .with_ansi(std::io::stderr().is_terminal())
                .try_init(),
            LogFormat::Json => builder.json().flatten_event(true).try_init(),
        };
        outcome.map_err(|error| format!("logging cannot be started: {error}"))
    }
}

fn filter(given: Option<&str>) -> Result<EnvFilter, String> {
    let text = match given.map(str::trim).filter(|text| !text.is_empty()) {
        None => DEFAULT_FILTER.to_owned(),
        // A level alone is about us; the noise of libraries stays where it was.
        Some(level) if level.parse::<tracing::Level>().is_ok() => {
            DEFAULT_FILTER.replacen("info", &level.to_ascii_lowercase(), 1)
        }
        Some(filter) => filter.to_owned(),
    };
    EnvFilter::try_new(&text).map_err(|error| format!("'{text}' is not a log filter: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_filter_is_taken_and_nonsense_is_told() {
        assert!(filter(None).unwrap().to_string().contains("sqlx=warn"));
        let debug = filter(Some("DEBUG")).unwrap().to_string();
        assert!(
            debug.contains("debug") && debug.contains("sqlx=warn"),
            "{debug}"
        );
        assert_eq!(
            filter(Some("strongroom_server=trace")).unwrap().to_string(),
            "strongroom_server=trace"
        );
        assert!(filter(Some("strongroom=loud")).is_err());
    }
}
