//! `strongroom guard`.

use strongroom_api::guard::{ResourceGuardProxyResource, ResourceGuardResource};

use crate::output::{self, Columns};

super::verbs! {
    /// Create a resource guard, or change what it leaves out
    Create(create),
    /// Show a resource guard
    Show(show),
    /// List the resource guards of the resource group
    List(list),
    /// Delete a resource guard that no vault is linked to
    Delete(delete),
    /// Link a vault to a resource guard: critical operations need its approval from then on
    Link(link),
    /// Take the link of a vault away, with the approval of its guard
    Unlink(unlink),
    /// Unlock the next delete of an instance, with the approval of its vault's guard
    Unlock(unlock),
}

/// The name that published clients give the one link of a vault.
const PROXY: &str = "DppResourceGuardProxy";

const COLUMNS: Columns<ResourceGuardResource> = &[
    ("NAME", |guard| output::or_nothing(guard.name.as_deref())),
    ("LOCATION", |guard| {
        output::or_nothing(guard.location.as_deref())
    }),
    ("GUARDS", |guard| {
        let guarded = guard.properties.resource_guard_operations.as_deref();
        let names: Vec<&str> = guarded
            .unwrap_or_default()
            .iter()
            .map(|operation| short(&operation.vault_critical_operation))
            .collect();
        output::or_nothing(Some(&names.join(",")))
    }),
];

const LINK_COLUMNS: Columns<ResourceGuardProxyResource> = &[
    ("LINK", |link| output::or_nothing(link.name.as_deref())),
    ("GUARD", |link| {
        link.properties.resource_guard_resource_id.clone()
    }),
];

/// An operation without what all of them begin with.
fn short(operation: &str) -> &str {
    let rest = operation.strip_prefix("Microsoft.DataProtection/backupVaults/");
    rest.unwrap_or(operation)
}
