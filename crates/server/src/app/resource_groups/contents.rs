//! What lies in a resource group or a subscription, of whatever type.

use serde_json::Value;
use strongroom_api::arm::Resource;
use strongroom_api::resource_group::GenericResource;

use crate::app::{App, ResourceId, Result, clusters, guards, storage_accounts, vaults};

/// The types that have a location and lie in a group themselves, in the order of a list.
const TYPES: [&str; 5] = [
    clusters::TYPES[0],
    clusters::TYPES[1],
    guards::TYPE,
    storage_accounts::TYPE,
    vaults::TYPE,
];

/// A page of the resources in a group, which has to be there, or in a subscription, type by type; without
/// their properties, as published.
pub async fn contents(
    app: &App,
    scope: &ResourceId,
    after: Option<&str>,
    limit: usize,
) -> Result<(Vec<GenericResource>, Option<String>)> {
    let (first, mut after) = position(after);
    let mut found: Vec<GenericResource> = Vec::new();
    for (place, type_name) in TYPES.iter().enumerate().skip(first) {
        let left = limit - found.len();
        let page = super::list_within::<Value>(app, type_name, scope, after.take(), left).await?;
        let (documents, next) = page;
        found.extend(documents.into_iter().map(without_properties));
        if let Some(key) = next {
            return Ok((found, Some(format!("{place} {key}"))));
        }
        if found.len() == limit {
            let following = place + 1;
            return Ok((
                found,
                (following < TYPES.len()).then(|| format!("{following} ")),
            ));
        }
    }
    Ok((found, None))
}

/// The type at which a page begins, and the key after which.
fn position(after: Option<&str>) -> (usize, Option<&str>) {
    let parts = after.and_then(|after| after.split_once(' '));
    let Some((place, key)) = parts else {
        return (0, None);
    };
    let place = place.parse().unwrap_or(TYPES.len());
    (place, Some(key).filter(|key| !key.is_empty()))
}

fn without_properties(resource: Resource<Value>) -> GenericResource {
    GenericResource {
        id: resource.id,
        name: resource.name,
        resource_type: resource.resource_type,
        location: resource.location,
        tags: resource.tags,
    }
}
