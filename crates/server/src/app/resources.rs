//! What all resources share: how a document becomes a row and back, terms, and the rule
//! that nothing is deleted while something else needs it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use strongroom_api::arm::{Resource, SystemData};
use strongroom_core::error::{Code, Problem};
use strongroom_core::name::{self, NameKind};
use strongroom_core::tags;
use uuid::Uuid;

use super::error::refuse;
use super::guards::Rights;
use super::{App, Error, ResourceId, Result};
use crate::store::{Actor, ActorKind, ResourceRow, Session, StoreError};

/// How many users of a resource a refused delete names.
const NAMED_USERS: usize = 20;

/// Members of the document that are columns of the row or are set by the server at every answer.
const COLUMNS: [&str; 5] = ["id", "name", "type", "eTag", "systemData"];

/// Who writes, and what of `If-Match` and `If-None-Match` must hold for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Who writes.
    pub by: Actor,
    /// The write needs this version, or (`*`) any version, to exist.
    pub if_match: Option<String>,
    /// The write needs this version, or (`*`) any version, not to exist.
    pub if_none_match: Option<String>,
    /// What who writes may do, and whoever's token they bring along.
    pub rights: Vec<Rights>,
}

impl Terms {
    /// The server's own, without conditions.
    #[must_use]
    pub fn of_server(app: &App) -> Self {
        Self {
            by: server(app),
            if_match: None,
            if_none_match: None,
            rights: vec![Rights::of_server(server(app))],
        }
    }

    /// Refuses unless what is stored fits.
    pub fn check(&self, existing: Option<&ResourceRow>) -> Result<()> {
        let names = |list: &str| {
            existing.is_some_and(|row| {
                list.split(',').map(str::trim).any(|tag| {
                    tag == "*"
                        || tag.trim_start_matches("W/").trim_matches('"')
                            == row.etag.trim_matches('"')
                })
            })
        };
        if self.if_match.as_deref().is_some_and(|list| !names(list)) {
            return refuse(
                Code::PreconditionFailed,
                "The resource is not the version that If-Match names; read it again.",
            );
        }
        if self.if_none_match.as_deref().is_some_and(names) {
            return refuse(
                Code::PreconditionFailed,
                "The resource exists, but If-None-Match demands that it does not.",
            );
        }
        Ok(())
    }
}

/// The server itself, as who wrote something.
#[must_use]
pub fn server(app: &App) -> Actor {
    Actor {
        object_id: Uuid::nil(),
        tenant_id: app.tenant_id,
        kind: ActorKind::Application,
        name: "strongroom".to_owned(),
    }
}

/// Who wrote a resource last: what the server writes by itself, it writes for them.
#[must_use]
pub fn writer(app: &App, row: &ResourceRow) -> Actor {
    row.updated_by.clone().unwrap_or_else(|| server(app))
}

/// What a PUT made.
#[derive(Debug)]
pub struct Written<P> {
    /// The document as it is now.
    pub resource: Resource<P>,
    /// Whether it is new.
    pub created: bool,
}

/// The document of a row.
pub fn document<P: DeserializeOwned>(row: &ResourceRow, type_name: &str) -> Result<Resource<P>> {
    let mut resource: Resource<P> =
        serde_json::from_value(row.body.clone()).map_err(|error| StoreError::Malformed {
            what: "resource",
            detail: format!("{}: {error}", row.id),
        })?;
    resource.id = Some(row.id.clone());
    resource.name = Some(row.name.clone());
    resource.resource_type = Some(type_name.to_owned());
    resource.e_tag = Some(row.etag.clone());
    let name = |actor: &Actor| actor.name.clone();
    let kind = |actor: &Actor| actor.kind.as_str().to_owned();
    resource.system_data = Some(SystemData {
        created_at: Some(row.created_at),
        created_by: row.created_by.as_ref().map(name),
        created_by_type: row.created_by.as_ref().map(kind),
        last_modified_at: Some(row.updated_at),
        last_modified_by: row.updated_by.as_ref().map(name),
        last_modified_by_type: row.updated_by.as_ref().map(kind),
    });
    Ok(resource)
}

/// Writes a document, new or over an existing row, and returns it as it is now.
pub async fn write<P: Serialize + DeserializeOwned>(
    app: &App,
    session: &mut dyn Session,
    id: &ResourceId,
    type_name: &str,
    resource: &Resource<P>,
    existing: Option<&ResourceRow>,
    by: &Actor,
) -> Result<Written<P>> {
    let body = body_of(resource)?;
    // An equal document is no change: a repeated PUT answers the same, version included.
    if let Some(row) = existing
        && row.body == body
    {
        return Ok(Written {
            resource: document(row, type_name)?,
            created: false,
        });
    }
    write_anew(app, session, id, type_name, resource, existing, by).await
}

/// As [`write`], but an equal document gets a new version too: for who must tell its own write from that
/// of another who wrote the same.
pub async fn write_anew<P: Serialize + DeserializeOwned>(
    app: &App,
    session: &mut dyn Session,
    id: &ResourceId,
    type_name: &str,
    resource: &Resource<P>,
    existing: Option<&ResourceRow>,
    by: &Actor,
) -> Result<Written<P>> {
    let row = next(app, id, type_name, body_of(resource)?, existing, by);
    if existing.is_none() {
        refuse_deleted(session, &row).await?;
    }
    // What is stored already stays as it is, whatever was accepted then.
    if existing.is_none_or(|old| old.body["tags"] != row.body["tags"]) {
        check_tags(&row.body["tags"])?;
    }
    session.put_resource(&row).await?;
    Ok(Written {
        resource: document(&row, type_name)?,
        created: existing.is_none(),
    })
}

/// Refuses tags that break a limit.
fn check_tags(tags: &Value) -> Result<()> {
    let empty = Map::new();
    let tags = tags.as_object().unwrap_or(&empty).iter();
    let tags = tags.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()));
    tags::check(tags).map_err(|invalid| {
        Problem::new(Code::InvalidRequestContent, format!("Tags: {invalid}."))
            .at("tags")
            .into()
    })
}

/// What of a document stands in its row.
fn body_of<P: Serialize>(resource: &Resource<P>) -> Result<Value> {
    let mut body =
        serde_json::to_value(resource).map_err(Error::unexpected("serialise a resource"))?;
    if let Value::Object(members) = &mut body {
        COLUMNS.iter().for_each(|column| {
            members.shift_remove(*column);
        });
    } else {
        body = Value::Object(Map::new());
    }
    Ok(body)
}

/// The row that holds a document from now on.
fn next(
    app: &App,
    id: &ResourceId,
    type_name: &str,
    body: Value,
    existing: Option<&ResourceRow>,
    by: &Actor,
) -> ResourceRow {
    let now = app.now();
    match existing {
        Some(row) => ResourceRow {
            body,
            etag: app.new_etag(),
            updated_at: now,
            updated_by: Some(by.clone()),
            ..row.clone()
        },
        None => ResourceRow {
            key: id.key(),
            kind: type_name.to_lowercase(),
            id: id.as_str().to_owned(),
            name: id.name().to_owned(),
            body,
            etag: app.new_etag(),
            created_at: now,
            updated_at: now,
            created_by: Some(by.clone()),
            updated_by: Some(by.clone()),
            deleted_at: None,
        },
    }
}

/// Refuses a new resource under the id of one that is deleted and can be brought back.
async fn refuse_deleted(session: &mut dyn Session, row: &ResourceRow) -> Result<()> {
    let Some(deleted) = session.deleted_resource(&row.key).await? else {
        return Ok(());
    };
    let purge = deleted.body["properties"]["deletionInfo"]["scheduledPurgeTime"].as_str();
    let until = purge.map_or_else(String::new, |time| format!(" until {time}"));
    Err(Problem::new(
        Code::UserErrorSoftDeletedResourceExists,
        format!(
            "'{}' was deleted and can be brought back{until}; undelete it, or choose another name.",
            deleted.id
        ),
    )
    .at(deleted.id)
    .into())
}

/// The row of a resource, or 404.
pub async fn existing(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceRow> {
    match session.resource(&id.key()).await? {
        Some(row) => Ok(row),
        None => Err(not_found(id)),
    }
}

/// The same of one that may be deleted already, as long as it can be brought back.
pub async fn existing_or_deleted(
    session: &mut dyn Session,
    id: &ResourceId,
) -> Result<ResourceRow> {
    match session.deleted_resource(&id.key()).await? {
        Some(row) => Ok(row),
        None => existing(session, id).await,
    }
}

/// The failure for a resource that is not there.
#[must_use]
pub fn not_found(id: &ResourceId) -> Error {
    Problem::new(
        Code::ResourceNotFound,
        format!("The resource '{id}' was not found."),
    )
    .at(id.as_str())
    .into()
}

/// Refuses when other resources need this one, and names them.
pub async fn refuse_in_use(session: &mut dyn Session, row: &ResourceRow) -> Result<()> {
    let users = session.users_of(&row.key, NAMED_USERS).await?;
    if users.is_empty() {
        return Ok(());
    }
    let mut names = Vec::with_capacity(users.len());
    for user in users {
        let user = session
            .resource(&user.user_key)
            .await?
            .map_or(user.user_key, |row| row.id);
        names.push(user);
    }
    Err(in_use(&row.id, &names))
}

/// The failure for a delete of what is in use.
#[must_use]
pub fn in_use(id: &str, users: &[String]) -> Error {
    let details = users
        .iter()
        .map(|user| {
            Problem::new(Code::ResourceInUse, format!("It is used by '{user}'.")).at(user.as_str())
        })
        .collect();
    let first = users.first().map_or("", String::as_str);
    let more = match users.len() {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    Problem::new(
        Code::ResourceInUse,
        format!("The resource '{id}' cannot be deleted while it is used by '{first}'{more}."),
    )
    .at(id)
    .with_details(details)
    .into()
}

/// One page of the resources of a type below `scope`, and the position of the last when more follow.
pub async fn list<P: DeserializeOwned>(
    app: &App,
    type_name: &str,
    scope: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Resource<P>>, Option<String>)> {
    let prefix = format!("{}/", scope.key());
    // A token from another list must not lead out of this one.
    let after = after.filter(|after| after.starts_with(&prefix));
    let mut session = app.store.read().await?;
    let page = session
        .resources(&type_name.to_lowercase(), &prefix, after, limit)
        .await?;
    let next = page
        .rows
        .last()
        .filter(|_| page.more)
        .map(|row| row.key.clone());
    let documents = page
        .rows
        .iter()
        .map(|row| document(row, type_name))
        .collect::<Result<Vec<_>>>()?;
    Ok((documents, next))
}

/// A location as it is stored: lower case without spaces, as Azure compares them.
pub fn location(given: Option<&str>) -> Result<String> {
    let location: String = given
        .unwrap_or_default()
        .chars()
        .filter(|c| *c != ' ')
        .flat_map(char::to_lowercase)
        .collect();
    if location.is_empty() {
        return Err(Problem::new(
            Code::InvalidResourceLocation,
            "The location property is required.",
        )
        .at("location")
        .into());
    }
    name::check(NameKind::Location, &location).map_err(|invalid| {
        Problem::new(Code::InvalidResourceLocation, invalid.to_string()).at("location")
    })?;
    Ok(location)
}

/// Refuses another location for a resource that exists; returns the one it has.
pub fn same_location<P>(id: &ResourceId, old: &Resource<P>, given: Option<&str>) -> Result<String> {
    let current = old.location.clone().unwrap_or_default();
    match given {
        None => Ok(current),
        Some(_) => {
            let wanted = location(given)?;
            if wanted == current {
                return Ok(current);
            }
            Err(Problem::new(
                Code::InvalidResourceLocation,
                format!(
                    "The resource '{id}' already exists in location '{current}'; it cannot be \
                     written in location '{wanted}'."
                ),
            )
            .at("location")
            .into())
        }
    }
}

/// Refuses a name that breaks the rule of its type.
pub fn check_name(kind: NameKind, id: &ResourceId) -> Result<()> {
    name::check(kind, id.name()).map_err(|invalid| {
        Problem::new(Code::InvalidResourceName, invalid.to_string())
            .at("name")
            .into()
    })
}
