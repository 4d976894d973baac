//! Subscriptions and resource groups: the scopes that everything else lies in.
//!
//! A subscription needs no registration: it exists once a group was written in it. One more always
//! exists, the default one, so that a new server has a scope to work in.

mod contents;

use serde::de::DeserializeOwned;
use serde_json::Value;
use strongroom_api::arm::Resource;
use strongroom_api::resource_group::{ResourceGroup, ResourceGroupPatch, ResourceGroupProperties};
use strongroom_api::subscription::Subscription;
use strongroom_core::error::{Code, Problem};
use strongroom_core::name::NameKind;

pub use self::contents::contents;
use super::resources::{self, Terms};
use super::{App, Error, ResourceId, Result, snapshot_groups};
use crate::store::{Actor, ResourceRow, Session};

/// Published type of a resource group.
pub const TYPE: &str = "Microsoft.Resources/resourceGroups";

const SUBSCRIPTION_TYPE: &str = "Microsoft.Resources/subscriptions";

/// The subscription that every server has.
pub const DEFAULT_SUBSCRIPTION: &str = "00000000-0000-0000-0000-000000000000";

type Stored = Resource<Option<ResourceGroupProperties>>;

/// Makes sure that the default subscription exists.
pub async fn ensure_default_subscription(app: &App) -> Result<()> {
    let id = ResourceId::published(format!("/subscriptions/{DEFAULT_SUBSCRIPTION}"));
    let mut session = app.store.begin().await?;
    ensure_subscription(app, &mut *session, &id, &resources::server(app)).await?;
    Ok(session.commit().await?)
}

async fn ensure_subscription(
    app: &App,
    session: &mut dyn Session,
    id: &ResourceId,
    by: &Actor,
) -> Result<()> {
    if session.resource(&id.key()).await?.is_none() {
        // Subscription ids are GUIDs, whose published spelling is lower case.
        let id = ResourceId::published(id.key());
        let document: Resource<Option<Value>> = Resource::of(None);
        resources::write(app, session, &id, SUBSCRIPTION_TYPE, &document, None, by).await?;
    }
    Ok(())
}

/// All subscriptions, in the order of their ids.
pub async fn subscriptions(
    app: &App,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Subscription>, Option<String>)> {
    let scope = ResourceId::published("/subscriptions");
    let (rows, next) =
        resources::list::<Option<Value>>(app, SUBSCRIPTION_TYPE, &scope, after, limit).await?;
    let shown = rows
        .into_iter()
        .map(|row| subscription_of(app, row.name.as_deref().unwrap_or_default()))
        .collect();
    Ok((shown, next))
}

/// One subscription.
pub async fn subscription(app: &App, id: &ResourceId) -> Result<Subscription> {
    match app.store.read().await?.resource(&id.key()).await? {
        Some(row) => Ok(subscription_of(app, &row.name)),
        None => Err(no_subscription(id)),
    }
}

fn subscription_of(app: &App, name: &str) -> Subscription {
    Subscription {
        id: Some(format!("/subscriptions/{name}")),
        subscription_id: Some(name.to_owned()),
        display_name: Some(name.to_owned()),
        state: Some("Enabled".to_owned()),
        tenant_id: Some(app.tenant_id.to_string()),
    }
}

/// Refuses unless there is a subscription.
pub async fn require_subscription(app: &App, id: &ResourceId) -> Result<()> {
    match app.store.read().await?.resource(&id.key()).await? {
        Some(_) => Ok(()),
        None => Err(no_subscription(id)),
    }
}

fn no_subscription(id: &ResourceId) -> Error {
    Problem::new(
        Code::SubscriptionNotFound,
        format!(
            "The subscription '{}' could not be found. A subscription exists once a resource group \
             was written in it.",
            id.name()
        ),
    )
    .into()
}

/// Writes a group; tells whether it is new.
pub async fn put(
    app: &App,
    id: &ResourceId,
    group: ResourceGroup,
    terms: &Terms,
) -> Result<(ResourceGroup, bool)> {
    resources::check_name(NameKind::ResourceGroup, id)?;
    resources::check_name(NameKind::Subscription, &id.subscription())?;
    let mut session = app.store.begin().await?;
    let old = session.resource(&id.key()).await?;
    terms.check(old.as_ref())?;
    let stored: Option<Stored> = old
        .as_ref()
        .map(|row| resources::document(row, TYPE))
        .transpose()?;
    let location = match &stored {
        Some(stored) => resources::same_location(id, stored, group.location.as_deref())?,
        None => resources::location(group.location.as_deref())?,
    };
    let wanted = group.properties.and_then(|own| own.snapshot_classes);
    if let Some(classes) = &wanted {
        snapshot_groups::check_classes(classes)?;
    }
    let before = stored.and_then(|stored| stored.properties?.snapshot_classes);
    ensure_subscription(app, &mut *session, &id.subscription(), &terms.by).await?;
    let document = Stored {
        location: Some(location),
        tags: group.tags,
        ..Resource::of(Some(ResourceGroupProperties {
            provisioning_state: Some("Succeeded".to_owned()),
            snapshot_classes: wanted.or(before).filter(|classes| !classes.is_empty()),
        }))
    };
    let written = resources::write(
        app,
        &mut *session,
        id,
        TYPE,
        &document,
        old.as_ref(),
        &terms.by,
    )
    .await?;
    session.commit().await?;
    Ok((shown(written.resource), written.created))
}

/// Changes what a patch names.
pub async fn patch(
    app: &App,
    id: &ResourceId,
    patch: ResourceGroupPatch,
    terms: &Terms,
) -> Result<ResourceGroup> {
    let old = get(app, id).await?;
    let id = ResourceId::published(old.id.clone().unwrap_or_default());
    let group = ResourceGroup {
        tags: patch.tags.or(old.tags),
        properties: patch.properties,
        ..old
    };
    Ok(put(app, &id, group, terms).await?.0)
}

fn shown(stored: Stored) -> ResourceGroup {
    ResourceGroup {
        id: stored.id,
        name: stored.name,
        resource_type: stored.resource_type,
        location: stored.location,
        tags: stored.tags,
        properties: stored.properties,
    }
}

/// One group.
pub async fn get(app: &App, id: &ResourceId) -> Result<ResourceGroup> {
    let row = require(&mut *app.store.read().await?, id).await?;
    Ok(shown(resources::document(&row, TYPE)?))
}

/// The groups of a subscription, in the order of their names.
pub async fn list(
    app: &App,
    subscription: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<ResourceGroup>, Option<String>)> {
    if app
        .store
        .read()
        .await?
        .resource(&subscription.key())
        .await?
        .is_none()
    {
        return Err(no_subscription(subscription));
    }
    let (groups, next) = resources::list(app, TYPE, subscription, after, limit).await?;
    Ok((groups.into_iter().map(shown).collect(), next))
}

/// Deletes an empty group; tells whether it was there.
///
/// Unlike in Azure a group is not deleted with its content: what it holds are backups and the way
/// to them, and a delete that means to remove those says so for each.
pub async fn delete(app: &App, id: &ResourceId) -> Result<bool> {
    let mut session = app.store.begin().await?;
    let Some(row) = session.resource(&id.key()).await? else {
        return Ok(false);
    };
    let held = session.descendants(&format!("{}/", id.key()), 20).await?;
    if !held.is_empty() {
        let held: Vec<String> = held.into_iter().map(|row| row.id).collect();
        return Err(resources::in_use(id.as_str(), &held));
    }
    resources::refuse_in_use(&mut *session, &row).await?;
    session.delete_resource(&id.key()).await?;
    session.commit().await?;
    Ok(true)
}

/// The row of a group, or 404 as clients expect it for what lies in one.
pub async fn require(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceRow> {
    match session.resource(&id.key()).await? {
        Some(row) => Ok(row),
        None => Err(Problem::new(
            Code::ResourceGroupNotFound,
            format!("Resource group '{}' could not be found.", id.name()),
        )
        .at(id.as_str())
        .into()),
    }
}

/// A page of the resources of a type in a group or in a subscription, which has to be there.
pub async fn list_within<P: DeserializeOwned>(
    app: &App,
    type_name: &str,
    scope: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<Resource<P>>, Option<String>)> {
    match scope.resource_group() {
        Some(_) => drop(require(&mut *app.store.read().await?, scope).await?),
        None => require_subscription(app, &scope.subscription()).await?,
    }
    resources::list(app, type_name, scope, after, limit).await
}

/// Refuses a resource whose group does not exist; gives its id the group's own spelling.
pub async fn within(session: &mut dyn Session, id: &ResourceId) -> Result<ResourceId> {
    let Some(group) = id.resource_group() else {
        return Ok(id.clone());
    };
    let row = require(session, &group).await?;
    Ok(ResourceId::published(format!(
        "{}{}",
        row.id,
        &id.as_str()[group.as_str().len()..]
    )))
}
