//! `strongroom policy simulate`.

use std::path::PathBuf;

use jiff::Timestamp;
use strongroom_api::policy_preview::{PolicySimulation, SimulatePolicyRequest, SimulatedRecoveryPoint};

use crate::error::CliError;
use crate::local_file;
use crate::output::{self, Columns, Format};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the policy
    name: String,
    /// Vault: name or id
    #[arg(long, env = "STRONGROOM_VAULT", hide_env_values = true)]
    vault: String,
    /// From when on the schedule counts (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Timestamp,
    /// Up to when
    #[arg(long, value_name = "TIME")]
    to: Timestamp,
    /// Simulate this policy instead, as `policy create --file` takes it (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

const COLUMNS: Columns<SimulatedRecoveryPoint> = &[
    ("MADE", |point| point.time.to_string()),
    ("TAG", |point| point.tag.clone()),
    ("EXPIRES", |point| time(point.expiry_time)),
    ("REMOVED", |point| time(point.removed_at)),
    ("KEPT BECAUSE", |point| output::or_nothing(point.kept_because.as_deref())),
];

fn time(time: Option<Timestamp>) -> String {
    output::or_nothing(time.map(|time| time.to_string()).as_deref())
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let policy = match &self.file {
            Some(path) => Some(super::create::from_text(&local_file::read(path)?)?),
            None => None,
        };
        let request = SimulatePolicyRequest { from: self.from, to: self.to, policy };
        let id = session.client()?.policies(&session.vault_id(&self.vault)?).id(&self.name);
        let told = session.client()?.simulate_policy(&id, &request).await?;
        let text = match session.args.output {
            Format::Table => output::list(Format::Table, COLUMNS, &told.recovery_points)?,
            format => output::item(format, &[], &told)?,
        };
        session.terminal.data(&text)?;
        session.say(&sentence(&told));
        Ok(())
    }
}

fn sentence(told: &PolicySimulation) -> String {
    let tags: Vec<String> = told.made_by_tag.iter().map(|(tag, made)| format!("{made} {tag}")).collect();
    format!(
        "{} recovery points are made ({}), {} of them are there at the end, and at most {} at the same time",
        told.made,
        tags.join(", "),
        told.there_at_end,
        told.most_at_once,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_told_by_tag() {
        let told = PolicySimulation {
            made: 3,
            there_at_end: 2,
            most_at_once: 3,
            made_by_tag: [("Daily".to_owned(), 1), ("Default".to_owned(), 2)].into(),
            ..PolicySimulation::default()
        };
        assert_eq!(
            sentence(&told),
            "3 recovery points are made (1 Daily, 2 Default), 2 of them are there at the end, and at most 3 at the same time"
        );
    }
}
