//! `strongroom policy preview`.

use std::path::PathBuf;

use jiff::Timestamp;
use strongroom_api::policy_preview::{PolicyEditPreview, PreviewPolicyEditRequest, RecoveryPointChange};

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
    /// The policy as it would be written, as `policy create --file` takes it (`-`: standard input)
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
}

const COLUMNS: Columns<RecoveryPointChange> = &[
    ("RECOVERY POINT", |change| change.recovery_point_id.clone()),
    ("MADE", |change| change.time.to_string()),
    ("TAG", |change| change.tag.clone()),
    ("EFFECT", |change| change.effect.clone()),
    ("EXPIRES", |change| time(change.expiry_time)),
    ("THEN", |change| time(change.expiry_time_after)),
    ("WHY", |change| change.reason.clone()),
];

fn time(time: Option<Timestamp>) -> String {
    output::or_nothing(time.map(|time| time.to_string()).as_deref())
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let properties = super::create::from_text(&local_file::read(&self.file)?)?;
        let request = PreviewPolicyEditRequest { properties };
        let id = session.client()?.policies(&session.vault_id(&self.vault)?).id(&self.name);
        let told = session.client()?.preview_policy_edit(&id, &request).await?;
        let text = match session.args.output {
            Format::Table => output::list(Format::Table, COLUMNS, &told.changes)?,
            format => output::item(format, &[], &told)?,
        };
        session.terminal.data(&text)?;
        if let Some(more) = told.left_off {
            session.say(&format!("{more} more changes are not shown"));
        }
        session.say(&sentence(&told));
        Ok(())
    }
}

fn sentence(told: &PolicyEditPreview) -> String {
    let schedule = if told.schedule_changes {
        "; the schedule changes, and its moments count anew"
    } else {
        ""
    };
    let looked_at = if told.truncated == Some(true) { " (there are more, which were not looked at)" } else { "" };
    format!(
        "of {} recovery points of {} instances{looked_at} {} would expire, {} be kept for longer, {} go sooner, \
         and {} stay as they are{schedule}; nothing was changed",
        told.recovery_points, told.instances, told.would_expire, told.prolonged, told.shortened, told.unchanged,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_says_what_would_happen_and_that_nothing_did() {
        let told = PolicyEditPreview {
            schedule_changes: true,
            instances: 1,
            recovery_points: 10,
            would_expire: 1,
            prolonged: 2,
            shortened: 3,
            unchanged: 4,
            ..PolicyEditPreview::default()
        };
        assert_eq!(
            sentence(&told),
            "of 10 recovery points of 1 instances 1 would expire, 2 be kept for longer, 3 go sooner, and 4 stay \
             as they are; the schedule changes, and its moments count anew; nothing was changed"
        );
    }
}
