//! `strongroom service-principal`.

use jiff::{SignedDuration, Timestamp};
use strongroom_api::service_principal::{NewSecret, ServicePrincipalResource};

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

super::verbs! {
    /// Make one with a secret, which is told this once
    Create(create),
    /// List them
    List(list),
    /// Give one a new secret, which is told this once
    ResetSecret(reset_secret),
    /// Delete one with its roles; its tokens end at once
    Delete(delete),
}

const COLUMNS: Columns<ServicePrincipalResource> = &[
    ("NAME", |principal| {
        principal.properties.display_name.clone()
    }),
    ("CLIENT ID", |principal| {
        output::or_nothing(principal.properties.app_id.as_deref())
    }),
    ("OBJECT ID", |principal| {
        output::or_nothing(principal.properties.object_id.as_deref())
    }),
    ("SECRETS UNTIL", |principal| {
        let secrets = principal
            .properties
            .password_credentials
            .as_deref()
            .unwrap_or_default();
        let ends: Vec<String> = secrets
            .iter()
            .map(|secret| {
                format!(
                    "{}… {}",
                    secret.hint,
                    output::instant(Some(secret.end_date_time))
                )
            })
            .collect();
        output::or_nothing(Some(&ends.join(", ")))
    }),
];

const SECRET_COLUMNS: Columns<NewSecret> = &[
    ("CLIENT ID", |made| made.app_id.clone()),
    ("TENANT", |made| made.tenant_id.clone()),
    ("SECRET", |made| made.secret_text.expose().to_owned()),
    ("UNTIL", |made| output::instant(Some(made.end_date_time))),
];

/// The client id of a service principal that is named by it or by its display name.
async fn client_id(session: &Session<'_>, given: &str) -> Result<String, CliError> {
    if given.parse::<uuid::Uuid>().is_ok() {
        return Ok(given.to_owned());
    }
    let all = session.client()?.service_principals().list()?.all().await?;
    let mut named = all
        .iter()
        .filter(|one| one.properties.display_name == given);
    match (named.next().and_then(|one| one.name.clone()), named.next()) {
        (Some(id), None) => Ok(id),
        (Some(_), Some(_)) => Err(CliError::invalid(
            format!("several service principals are called '{given}'"),
            "Give the client id: strongroom service-principal list",
        )),
        (None, _) => Err(CliError::not_found(
            format!("there is no service principal '{given}'"),
            "Those that there are: strongroom service-principal list",
        )),
    }
}

/// Until when a secret is good that is good for so many days from now.
fn end_in(days: Option<u16>) -> Option<Timestamp> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a command is given when its user gives it"
    )]
    let now = Timestamp::now();
    days.map(|days| now + SignedDuration::from_hours(24 * i64::from(days)))
}

/// Shows a secret, in the form in which `az ad sp` does it: what a program signs in with.
fn show_secret(session: &Session<'_>, made: &NewSecret) -> Result<(), CliError> {
    session.show(SECRET_COLUMNS, made)?;
    session.say("the secret is not shown again");
    Ok(())
}
