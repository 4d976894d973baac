//! `strongroom group`.

use strongroom_api::resource_group::ResourceGroup;

use super::Run;
use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

mod create;
mod delete;
mod list;
mod show;
mod snapshot_class;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Create a resource group
    Create(create::Args),
    /// Show a resource group
    Show(show::Args),
    /// List the resource groups of the subscription
    List(list::Args),
    /// Delete an empty resource group
    Delete(delete::Args),
    /// With which parameters snapshots are taken whose resource group it is
    #[command(subcommand)]
    SnapshotClass(snapshot_class::Verb),
}

impl Run for Verb {
    async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        match self {
            Self::Create(args) => args.run(session).await,
            Self::Show(args) => args.run(session).await,
            Self::List(args) => args.run(session).await,
            Self::Delete(args) => args.run(session).await,
            Self::SnapshotClass(verb) => verb.run(session).await,
        }
    }
}

const COLUMNS: Columns<ResourceGroup> = &[
    ("NAME", |group| output::or_nothing(group.name.as_deref())),
    ("LOCATION", |group| {
        output::or_nothing(group.location.as_deref())
    }),
    ("STATE", |group| {
        output::or_nothing(
            group
                .properties
                .as_ref()
                .and_then(|own| own.provisioning_state.as_deref()),
        )
    }),
];
