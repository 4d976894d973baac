//! Flags before environment before context file: where the server is and what the defaults are.

use std::path::PathBuf;

use strongroom_api::client::id::Group;
use strongroom_api::client::{Client, ClientOptions, ServicePrincipal};
use strongroom_api::secret::Secret;

use crate::context_file::{self, Context, ContextFile, StoredPrincipal};
use crate::error::CliError;
use crate::local_file;
use crate::output::Format;

/// What every command of the command line takes.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Connection and output")]
pub struct GlobalArgs {
    /// Context to use instead of the current one
    #[arg(
        long,
        global = true,
        env = "STRONGROOM_CONTEXT",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) context: Option<String>,
    /// Server URL, for example https://backup.example.org:8443
    #[arg(
        long,
        global = true,
        env = "STRONGROOM_SERVER",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) server: Option<String>,
    /// PEM file of the CA that signed the server's certificate
    #[arg(
        long,
        global = true,
        env = "STRONGROOM_CA_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) ca_file: Option<PathBuf>,
    /// File with the bearer token (the token itself: environment STRONGROOM_TOKEN)
    #[arg(
        long,
        global = true,
        env = "STRONGROOM_TOKEN_FILE",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Subscription id
    #[arg(
        long,
        global = true,
        env = "STRONGROOM_SUBSCRIPTION",
        hide_env_values = true,
        value_name = "ID"
    )]
    pub(crate) subscription: Option<String>,
    /// Resource group
    #[arg(
        short = 'g',
        long,
        global = true,
        env = "STRONGROOM_RESOURCE_GROUP",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) resource_group: Option<String>,
    /// Location of what is created
    #[arg(
        short = 'l',
        long,
        global = true,
        env = "STRONGROOM_LOCATION",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) location: Option<String>,
    /// File of contexts [default: ~/.config/strongroom/config.yaml]
    #[arg(
        long,
        global = true,
        env = "STRONGROOM_CLI_CONFIG",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub(crate) cli_config: Option<PathBuf>,
    /// How data is written
    #[arg(
        short,
        long,
        global = true,
        env = "STRONGROOM_OUTPUT",
        hide_env_values = true,
        value_enum,
        default_value_t
    )]
    pub(crate) output: Format,
    /// No progress and no remarks, only data and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
}

/// The same, looked up and checked.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    context: Context,
    pub(crate) context_name: Option<String>,
}

impl GlobalArgs {
    /// Where the contexts are.
    pub(crate) fn context_path(&self) -> Result<PathBuf, CliError> {
        let found = self
            .cli_config
            .clone()
            .or_else(|| context_file::default_path(environment));
        found.ok_or_else(|| {
            CliError::invalid(
                "there is no home folder to keep contexts in",
                "Give --cli-config FILE.",
            )
        })
    }

    /// Flags, environment and the context together.
    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        self.settings_with(environment)
    }

    /// Flags and environment alone, over the defaults of a context that is made anew.
    pub(crate) fn settings_for_login(
        &self,
        before: &ContextFile,
        name: &str,
    ) -> Result<Settings, CliError> {
        let only = Self {
            context: None,
            ..self.clone()
        };
        let mut settings = only.resolve(&ContextFile::default(), environment)?;
        if let Some(stored) = before.contexts.get(name) {
            let keep = |new: &mut Option<String>, old: &Option<String>| {
                if new.is_none() {
                    new.clone_from(old);
                }
            };
            keep(&mut settings.context.resource_group, &stored.resource_group);
            keep(&mut settings.context.location, &stored.location);
        }
        Ok(settings)
    }

    fn settings_with(&self, env: impl Fn(&str) -> Option<String>) -> Result<Settings, CliError> {
        let file = ContextFile::load(&self.context_path()?)?;
        self.resolve(&file, env)
    }

    fn resolve(
        &self,
        file: &ContextFile,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Settings, CliError> {
        let context_name = self.context.clone().or_else(|| file.current.clone());
        let stored = match &context_name {
            // A server named on the command line needs no context; a context named there must exist.
            Some(name) if self.context.is_some() || self.server.is_none() => Some(file.get(name)?),
            Some(name) => file
                .contexts
                .get(name)
                .filter(|known| Some(&known.server) == self.server.as_ref()),
            None => None,
        };
        let mut context = stored.cloned().unwrap_or_default();
        if let Some(server) = &self.server {
            // A token is for one server: with another server the stored one stays at home.
            if *server != context.server {
                context.token = None;
                context.service_principal = None;
                context.ca_certificate = None;
            }
            context.server.clone_from(server);
        }
        if let Some(path) = &self.ca_file {
            context.ca_certificate = Some(local_file::read(path)?);
        }
        let given = match &self.token_file {
            Some(path) => Some(local_file::read_secret(path)?),
            None => env("STRONGROOM_TOKEN")
                .filter(|token| !token.is_empty())
                .map(Secret::new),
        };
        if given.is_some() {
            (context.token, context.service_principal) = (given, None);
        }
        let prefer = |flag: &Option<String>, stored: Option<String>| flag.clone().or(stored);
        context.subscription = prefer(&self.subscription, context.subscription);
        context.resource_group = prefer(&self.resource_group, context.resource_group);
        context.location = prefer(&self.location, context.location);
        Ok(Settings {
            context,
            context_name,
        })
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Settings {
    /// What would be stored as a context.
    pub(crate) fn into_context(self) -> Context {
        self.context
    }

    /// The server's URL, when one is known.
    pub(crate) fn server(&self) -> Option<&str> {
        Some(self.context.server.as_str()).filter(|server| !server.is_empty())
    }

    /// Is there a token?
    pub(crate) fn has_token(&self) -> bool {
        self.context.token.is_some()
    }

    /// Takes another token than the one that was given, of a program that can sign in again.
    pub(crate) fn set_token(&mut self, token: Secret, of: Option<StoredPrincipal>) {
        (self.context.token, self.context.service_principal) = (Some(token), of);
    }

    /// A client for whoever has no token yet.
    pub(crate) fn client_without_token(&self) -> Result<Client, CliError> {
        let mut anonymous = self.clone();
        (anonymous.context.token, anonymous.context.service_principal) = (None, None);
        anonymous.client()
    }

    /// A client for the server.
    pub(crate) fn client(&self) -> Result<Client, CliError> {
        let server = self.server().ok_or(CliError::NotLoggedIn)?;
        let mut options = ClientOptions::new(server);
        options.token.clone_from(&self.context.token);
        // A secret that is not where it was is missed when the token has ended, and not before.
        options.service_principal = self.context.service_principal.as_ref().and_then(|stored| {
            let secret = local_file::read_secret(&stored.client_secret_file).ok()?;
            Some(ServicePrincipal {
                tenant: stored.tenant.clone(),
                client_id: stored.client_id.clone(),
                secret,
            })
        });
        options
            .ca_certificate
            .clone_from(&self.context.ca_certificate);
        Ok(Client::new(options)?)
    }

    /// The subscription.
    pub(crate) fn subscription(&self) -> Result<&str, CliError> {
        self.context.subscription.as_deref().ok_or_else(|| {
            CliError::invalid(
                "no subscription is known",
                "Give --subscription ID, or log in again to store one.",
            )
        })
    }

    /// The resource group.
    pub(crate) fn group(&self) -> Result<Group, CliError> {
        let subscription = self.subscription()?.to_owned();
        let name = self.context.resource_group.clone().ok_or_else(|| {
            CliError::invalid(
                "no resource group is known",
                "Give -g NAME, or store one: strongroom context use NAME -g GROUP. Make one: strongroom group create NAME -l LOCATION.",
            )
        })?;
        Ok(Group { subscription, name })
    }

    /// The location, when one is known.
    pub(crate) fn location(&self) -> Option<&str> {
        self.context.location.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(folder: &tempfile::TempDir) -> GlobalArgs {
        let path = folder.path().join("config.yaml");
        let text = "current: home\ncontexts:\n  home: {server: 'https://home', token: stored, subscription: s, resourceGroup: rg, location: l}\n  away: {server: 'https://away'}\n";
        std::fs::write(&path, text).unwrap();
        GlobalArgs {
            cli_config: Some(path),
            ..GlobalArgs::default()
        }
    }

    fn token(settings: &Settings) -> Option<&str> {
        settings.context.token.as_ref().map(Secret::expose)
    }

    #[test]
    fn the_current_context_is_the_default() {
        let folder = tempfile::tempdir().unwrap();
        let settings = args(&folder).settings_with(|_| None).unwrap();
        assert_eq!(settings.server(), Some("https://home"));
        assert_eq!(token(&settings), Some("stored"));
        assert_eq!(
            settings.group().unwrap().id(),
            "/subscriptions/s/resourceGroups/rg"
        );
        assert_eq!(settings.location(), Some("l"));
    }

    #[test]
    fn flags_come_before_environment_before_file() {
        let folder = tempfile::tempdir().unwrap();
        let env = |name: &str| (name == "STRONGROOM_TOKEN").then(|| "from-env".to_owned());
        let mut given = args(&folder);
        given.resource_group = Some("other".into());
        let settings = given.settings_with(env).unwrap();
        assert_eq!(token(&settings), Some("from-env"));
        assert_eq!(settings.group().unwrap().name, "other");
        let file = folder.path().join("token");
        std::fs::write(&file, "from-file\n").unwrap();
        given.token_file = Some(file);
        assert_eq!(token(&given.settings_with(env).unwrap()), Some("from-file"));
    }

    #[test]
    fn a_stored_token_never_goes_to_another_server() {
        let folder = tempfile::tempdir().unwrap();
        for context in [None, Some("home".to_owned())] {
            let given = GlobalArgs {
                server: Some("https://elsewhere".into()),
                context,
                ..args(&folder)
            };
            let settings = given.settings_with(|_| None).unwrap();
            assert_eq!(settings.server(), Some("https://elsewhere"));
            assert_eq!(token(&settings), None);
        }
    }

    #[test]
    fn an_unknown_context_is_told_with_those_that_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let given = GlobalArgs {
            context: Some("moon".into()),
            ..args(&folder)
        };
        let error = given.settings_with(|_| None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no context 'moon' (known: away, home)"),
            "{error}"
        );
        assert_eq!(error.exit_code(), crate::exit_code::NOT_FOUND);
    }

    #[test]
    fn without_a_context_nobody_is_logged_in() {
        let folder = tempfile::tempdir().unwrap();
        let given = GlobalArgs {
            cli_config: Some(folder.path().join("none")),
            ..GlobalArgs::default()
        };
        let settings = given.settings_with(|_| None).unwrap();
        assert!(matches!(settings.client(), Err(CliError::NotLoggedIn)));
    }
}
