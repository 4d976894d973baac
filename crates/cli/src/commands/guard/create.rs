//! `strongroom guard create`.

use strongroom_api::guard::{ResourceGuard, ResourceGuardResource};

use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the guard
    name: String,
    /// A critical operation that needs no approval; may be repeated
    #[arg(long = "exclude", value_name = "OPERATION")]
    exclude: Vec<String>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        const ALL: &str = "Microsoft.DataProtection/backupVaults/";
        let names = self.exclude.into_iter();
        let names = names.map(|name| if name.starts_with("Microsoft.") { name } else { format!("{ALL}{name}") });
        let body = ResourceGuardResource {
            location: Some(session.location().await?),
            ..ResourceGuardResource::of(ResourceGuard {
                vault_critical_operation_exclusion_list: Some(names.collect()),
                ..ResourceGuard::default()
            })
        };
        let running = session.client()?.resource_guards(&session.group()?).put(&self.name, &body).await?;
        let guard = session.finish(&format!("resource guard {}", self.name), running).await?;
        session.show(super::COLUMNS, &guard)
    }
}
