//! Service principals: the identities of programs, and how they prove who they are.
//!
//! Contract: a client secret is told once, when it is made. What is stored is its HMAC under a key that
//! only the master key leads to, bound to its principal: neither a copy of the database nor a secret of
//! another principal opens anything. A secret is 32 random bytes, so that there is nothing to guess and a
//! slow hash would protect nothing that a quick one does not. With a principal go its secrets, its role
//! assignments, and, at once, the tokens that it still has.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use strongroom_api::arm::Resource;
use strongroom_api::service_principal::{
    COLLECTION, NewSecret, PasswordCredential, ResetSecretRequest, ServicePrincipal,
    ServicePrincipalResource,
};
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::error::refuse;
use super::limits::{
    CLIENT_SECRET_LIFETIME_DAYS, CLIENT_SECRET_LONGEST_DAYS, CLIENT_SECRETS_MAX, CLOCK_SKEW,
    DISPLAY_NAME_CHARS, SERVICE_PRINCIPALS_MAX,
};
use super::resources::{self, Terms};
use super::{App, ResourceId, Result};
use crate::store::{ResourceRow, Session};

/// Type of a service principal.
pub const TYPE: &str = "Strongroom.Administration/servicePrincipals";

/// What the key of the secrets' HMACs derives from.
const SECRETS_KEY: &str = "client secrets v1";

/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Characters of a secret that are shown later, so that people know which one a program has.
const HINT_CHARS: usize = 7;

/// As it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    display_name: String,
    object_id: Uuid,
    secrets: Vec<StoredSecret>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredSecret {
    key_id: Uuid,
    hint: String,
    mac: String,
    start: Timestamp,
    end: Timestamp,
}

/// A principal that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The client id.
    pub app_id: Uuid,
    /// What roles are assigned to.
    pub object_id: Uuid,
    /// What people call it.
    pub name: String,
}

/// What became of a sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// It is this one.
    Known(Known),
    /// There is no such client.
    NoSuchClient,
    /// The secret is none of its.
    WrongSecret,
    /// The secret was one of its until then.
    Expired(Timestamp),
}

/// Writes one; tells whether it is new.
pub async fn put(
    app: &App,
    id: &ResourceId,
    asked: ServicePrincipalResource,
    terms: &Terms,
) -> Result<(ServicePrincipalResource, bool)> {
    let Ok(client) = Uuid::parse_str(id.name()) else {
        let message = format!(
            "The name of a service principal is its client id, a GUID, and '{}' is none.",
            id.name()
        );
        return Err(Problem::new(Code::InvalidResourceName, message)
            .at("name")
            .into());
    };
    // A GUID in any case is the same client.
    let id = ResourceId::published(format!("{COLLECTION}/{client}"));
    let name = asked.properties.display_name.trim().to_owned();
    if name.is_empty()
        || name.chars().count() > DISPLAY_NAME_CHARS
        || name.chars().any(char::is_control)
    {
        let message = format!("A display name has 1 to {DISPLAY_NAME_CHARS} printable characters.");
        return Err(Problem::new(Code::InvalidRequestContent, message)
            .at("properties.displayName")
            .into());
    }
    let mut session = app.store.begin().await?;
    let row = session.resource(&id.key()).await?;
    terms.check(row.as_ref())?;
    let stored = match &row {
        Some(row) => Stored {
            display_name: name,
            ..stored(row)?
        },
        None => {
            require_room(&mut *session).await?;
            Stored {
                display_name: name,
                object_id: app.new_id(),
                secrets: Vec::new(),
            }
        }
    };
    let document = Resource::of(stored);
    let written = resources::write(
        app,
        &mut *session,
        &id,
        TYPE,
        &document,
        row.as_ref(),
        &terms.by,
    )
    .await?;
    session.commit().await?;
    Ok((shown(app, written.resource), written.created))
}

async fn require_room(session: &mut dyn Session) -> Result<()> {
    let kind = TYPE.to_lowercase();
    let prefix = format!("{}/", COLLECTION.to_lowercase());
    let found = session
        .resources(&kind, &prefix, None, SERVICE_PRINCIPALS_MAX)
        .await?;
    if found.rows.len() < SERVICE_PRINCIPALS_MAX {
        return Ok(());
    }
    refuse(
        Code::QuotaExceeded,
        format!("A server has at most {SERVICE_PRINCIPALS_MAX} service principals."),
    )
}

/// One.
pub async fn get(app: &App, id: &ResourceId) -> Result<ServicePrincipalResource> {
    let row = resources::existing(&mut *app.store.read().await?, id).await?;
    Ok(shown(app, resources::document(&row, TYPE)?))
}

/// A page of them.
pub async fn list(
    app: &App,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<ServicePrincipalResource>, Option<String>)> {
    let scope = ResourceId::published(COLLECTION);
    let (found, next) = resources::list::<Stored>(app, TYPE, &scope, after, limit).await?;
    Ok((found.into_iter().map(|one| shown(app, one)).collect(), next))
}

/// Deletes one with its roles; tells whether it was there.
pub async fn delete(app: &App, id: &ResourceId, terms: &Terms) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    terms.check(Some(&row))?;
    session
        .delete_role_assignments_of(stored(&row)?.object_id)
        .await?;
    session.delete_resource(&row.key).await?;
    session.commit().await?;
    tracing::info!(
        principal.id = row.id,
        by = terms.by.name,
        "a service principal was deleted"
    );
    Ok(true)
}

/// Makes a secret; the others end with it unless they are kept.
pub async fn reset_secret(
    app: &App,
    id: &ResourceId,
    asked: &ResetSecretRequest,
    terms: &Terms,
) -> Result<NewSecret> {
    let now = app.now();
    let end = end_of(now, asked.end_date_time)?;
    let mut session = app.store.begin().await?;
    let row = resources::existing(&mut *session, id).await?;
    let mut stored = stored(&row)?;
    stored
        .secrets
        .retain(|secret| asked.keep_others && secret.end > now);
    if stored.secrets.len() >= CLIENT_SECRETS_MAX {
        return refuse(
            Code::QuotaExceeded,
            format!("A service principal has at most {CLIENT_SECRETS_MAX} secrets that are good."),
        );
    }
    let app_id = app_id(&row)?;
    let secret = new_secret(app);
    let made = StoredSecret {
        key_id: app.new_id(),
        hint: secret.chars().take(HINT_CHARS).collect(),
        mac: URL_SAFE_NO_PAD.encode(hmac::sign(&mac_key(app), &bound(app_id, &secret))),
        start: now,
        end,
    };
    let key_id = made.key_id.to_string();
    stored.secrets.push(made);
    let document = Resource::of(stored);
    let id = ResourceId::published(row.id.clone());
    resources::write(
        app,
        &mut *session,
        &id,
        TYPE,
        &document,
        Some(&row),
        &terms.by,
    )
    .await?;
    session.commit().await?;
    tracing::info!(
        principal.id = row.id,
        by = terms.by.name,
        "a client secret was made"
    );
    Ok(NewSecret {
        key_id,
        secret_text: strongroom_api::secret::Secret::new(secret.as_str()),
        app_id: app_id.to_string(),
        tenant_id: app.tenant_id.to_string(),
        end_date_time: end,
    })
}

/// Until when a secret is good that is made now.
fn end_of(now: Timestamp, asked: Option<Timestamp>) -> Result<Timestamp> {
    let days = |days: i64| now + SignedDuration::from_hours(24 * days);
    let end = asked.unwrap_or_else(|| days(CLIENT_SECRET_LIFETIME_DAYS));
    if end > now && end <= days(CLIENT_SECRET_LONGEST_DAYS) {
        return Ok(end);
    }
    let message = format!(
        "A secret ends in the future, and at most {CLIENT_SECRET_LONGEST_DAYS} days from now."
    );
    Err(Problem::new(Code::InvalidRequestContent, message)
        .at("endDateTime")
        .into())
}

/// Who presents this client id and secret.
pub async fn sign_in(app: &App, client: &str, secret: &str) -> Result<SignIn> {
    let Some(row) = row_of(app, client).await? else {
        return Ok(SignIn::NoSuchClient);
    };
    let (stored, app_id) = (stored(&row)?, app_id(&row)?);
    let (key, presented) = (mac_key(app), bound(app_id, secret));
    let is_it = |one: &&StoredSecret| {
        let mac = URL_SAFE_NO_PAD.decode(&one.mac).unwrap_or_default();
        // In constant time.
        hmac::verify(&key, &presented, &mac).is_ok()
    };
    let now = app.now();
    Ok(match stored.secrets.iter().find(is_it) {
        None => SignIn::WrongSecret,
        Some(secret) if secret.end <= now => SignIn::Expired(secret.end),
        // A clock that was put back makes nothing good that was not yet, but for the usual skew.
        Some(secret) if secret.start > now + CLOCK_SKEW => SignIn::WrongSecret,
        Some(_) => SignIn::Known(Known {
            app_id,
            object_id: stored.object_id,
            name: stored.display_name,
        }),
    })
}

/// The principal with this client id, as long as there is one.
pub async fn known(app: &App, client: Uuid) -> Result<Option<Known>> {
    let Some(row) = row_of(app, &client.to_string()).await? else {
        return Ok(None);
    };
    let stored = stored(&row)?;
    Ok(Some(Known {
        app_id: client,
        object_id: stored.object_id,
        name: stored.display_name,
    }))
}

async fn row_of(app: &App, client: &str) -> Result<Option<ResourceRow>> {
    let Ok(client) = Uuid::parse_str(client) else {
        return Ok(None);
    };
    let id = ResourceId::published(format!("{COLLECTION}/{client}"));
    Ok(app.store.read().await?.resource(&id.key()).await?)
}

fn stored(row: &ResourceRow) -> Result<Stored> {
    Ok(resources::document::<Stored>(row, TYPE)?.properties)
}

fn app_id(row: &ResourceRow) -> Result<Uuid> {
    Uuid::parse_str(&row.name).map_err(super::Error::unexpected("read a client id"))
}

fn mac_key(app: &App) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, app.keys.derive(SECRETS_KEY).as_slice())
}

/// What is authenticated: the secret, and whose it is.
fn bound(app_id: Uuid, secret: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([app_id.as_bytes(), secret.as_bytes()].concat())
}

/// The prefix lets secret scanners recognise one that was left somewhere.
fn new_secret(app: &App) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
    app.entropy.fill(bytes.as_mut_slice());
    Zeroizing::new(format!("srs_{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

fn shown(app: &App, stored: Resource<Stored>) -> ServicePrincipalResource {
    let app_id = stored.name.clone();
    stored.map(|stored| ServicePrincipal {
        display_name: stored.display_name,
        app_id,
        object_id: Some(stored.object_id.to_string()),
        tenant_id: Some(app.tenant_id.to_string()),
        password_credentials: Some(
            stored
                .secrets
                .into_iter()
                .map(|secret| PasswordCredential {
                    key_id: secret.key_id.to_string(),
                    hint: secret.hint,
                    start_date_time: secret.start,
                    end_date_time: secret.end,
                })
                .collect(),
        ),
    })
}
