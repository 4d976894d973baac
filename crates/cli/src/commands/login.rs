//! `strongroom login`: stores a server as a context, after it has let us in.

use crate::context_file::ContextFile;
use crate::error::CliError;
use crate::settings::GlobalArgs;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the context
    #[arg(long, default_value = "default")]
    name: String,
}

impl Args {
    pub(super) async fn run(self, global: GlobalArgs, terminal: &Terminal) -> Result<(), CliError> {
        let path = global.context_path()?;
        let mut file = ContextFile::load(&path)?;
        let settings = global.settings_for_login(&file, &self.name)?;
        if settings.server().is_none() {
            return Err(CliError::invalid(
                "no server is given",
                "Give --server URL.",
            ));
        }
        if !settings.has_token() {
            return Err(CliError::invalid(
                "no token is given",
                "Give --token-file FILE; the server writes its first one to DATA-DIR/admin.token.",
            ));
        }
        let subscriptions = settings.client()?.subscriptions().list()?.all().await?;
        let known: Vec<String> = subscriptions
            .into_iter()
            .filter_map(|found| found.subscription_id)
            .collect();
        let mut context = settings.into_context();
        match &context.subscription {
            Some(wanted) if !known.iter().any(|id| id.eq_ignore_ascii_case(wanted)) => {
                return Err(CliError::not_found(
                    format!(
                        "there is no subscription '{wanted}' (known: {})",
                        known.join(", ")
                    ),
                    "Give a known --subscription, or none to take the first.",
                ));
            }
            Some(_) => {}
            None => context.subscription = known.first().cloned(),
        }
        let server = context.server.clone();
        file.contexts.insert(self.name.clone(), context);
        file.current = Some(self.name.clone());
        file.save(&path)?;
        if !global.quiet {
            terminal.say(&format!("logged in to {server} as context '{}'", self.name));
        }
        Ok(())
    }
}
