//! `strongroom login`: stores a server as a context, after it has let us in.

use std::path::{Path, PathBuf};

use strongroom_api::client::{DeviceSignIn, SignedIn};

use crate::context_file::{ContextFile, StoredPrincipal};
use crate::error::CliError;
use crate::local_file;
use crate::settings::{GlobalArgs, Settings};
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the context
    #[arg(long, default_value = "default")]
    name: String,
    /// Sign in as the service principal with this client id, and again when the hour of its token is over
    #[arg(long, value_name = "CLIENT_ID", requires_all = ["client_secret_file", "tenant"])]
    service_principal: Option<String>,
    /// File with the service principal's secret; `-` is standard input
    #[arg(long, value_name = "FILE", requires = "service_principal")]
    client_secret_file: Option<PathBuf>,
    /// Tenant of the service principal, as `service-principal create` told it
    #[arg(long, value_name = "ID", requires = "service_principal")]
    tenant: Option<String>,
    /// Sign in at the identity provider that the server believes, with a browser on any machine
    #[arg(long, conflicts_with_all = ["service_principal", "token_file"])]
    identity_provider: bool,
    /// PEM file of the CA that signed the identity provider's certificate
    #[arg(long, value_name = "FILE", requires = "identity_provider")]
    identity_provider_ca_file: Option<PathBuf>,
}

impl Args {
    pub(super) async fn run(self, global: GlobalArgs, terminal: &Terminal) -> Result<(), CliError> {
        let path = global.context_path()?;
        let mut file = ContextFile::load(&path)?;
        let mut settings = global.settings_for_login(&file, &self.name)?;
        if settings.server().is_none() {
            return Err(CliError::invalid(
                "no server is given",
                "Give --server URL.",
            ));
        }
        let mut until = String::new();
        if let Some(principal) = self.sign_in() {
            until = as_program(&mut settings, principal).await?;
        }
        if self.identity_provider {
            let signed_in = self.by_code(&settings, terminal).await?;
            until = format!(" for {} minutes", signed_in.expires_in / 60);
            settings.set_token(signed_in.token, None);
        }
        if !settings.has_token() {
            return Err(CliError::invalid(
                "no token is given",
                "Give --token-file FILE or --identity-provider; the server writes its first one to DATA-DIR/admin.token.",
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
            terminal.say(&format!(
                "logged in to {server} as context '{}'{until}",
                self.name
            ));
        }
        Ok(())
    }

    /// Signs a person in; they are told on the terminal what to do, also when that is to be quiet.
    async fn by_code(
        &self,
        settings: &Settings,
        terminal: &Terminal,
    ) -> Result<SignedIn, CliError> {
        let with = settings.client_without_token()?.sign_in_with().await?;
        let with = with.ok_or_else(|| {
            CliError::invalid(
                "the server knows no identity provider",
                "Give --token-file FILE, or have [identity_provider] configured on the server.",
            )
        })?;
        let ca = self.identity_provider_ca_file.as_deref();
        let ca = ca.map(local_file::read).transpose()?;
        let begun = DeviceSignIn::begin(with, ca.as_deref()).await?;
        terminal.say(&format!(
            "open {} and enter the code {}",
            begun.page, begun.user_code
        ));
        if let Some(whole) = &begun.whole_page {
            terminal.say(&format!("or open {whole}"));
        }
        Ok(begun.wait().await?)
    }

    /// Client id, file of the secret and tenant, when it is a service principal that signs in.
    fn sign_in(&self) -> Option<(&str, &Path, &str)> {
        Some((
            self.service_principal.as_deref()?,
            self.client_secret_file.as_deref()?,
            self.tenant.as_deref()?,
        ))
    }
}

/// Signs a service principal in; tells for how long. Its client id, the file of its secret and its tenant.
async fn as_program(
    settings: &mut Settings,
    (client, file, tenant): (&str, &Path, &str),
) -> Result<String, CliError> {
    let secret = local_file::read_secret(file)?;
    let signed_in = settings
        .client_without_token()?
        .sign_in(tenant, client, &secret)
        .await?;
    // Another working directory must find it, too; standard input cannot be read again.
    let again = std::path::absolute(file).ok().filter(|path| path.is_file());
    let again = again.map(|client_secret_file| StoredPrincipal {
        client_id: client.to_owned(),
        tenant: tenant.to_owned(),
        client_secret_file,
    });
    let until = match &again {
        Some(stored) => {
            let file = stored.client_secret_file.display();
            format!(", as long as its secret is in {file}")
        }
        None => format!(" for {} minutes", signed_in.expires_in / 60),
    };
    settings.set_token(signed_in.token, again);
    Ok(until)
}
