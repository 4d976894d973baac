//! `strongroom group`.

use strongroom_api::resource_group::ResourceGroup;

use crate::output::{self, Columns};

super::verbs! {
    /// Create a resource group
    Create(create),
    /// Show a resource group
    Show(show),
    /// List the resource groups of the subscription
    List(list),
    /// Delete an empty resource group
    Delete(delete),
}

const COLUMNS: Columns<ResourceGroup> = &[
    ("NAME", |group| output::or_nothing(group.name.as_deref())),
    ("LOCATION", |group| {
        output::or_nothing(group.location.as_deref())
    }),
    ("STATE", |group| {
        output::or_nothing(
            group
                .properties
                .as_ref()
                .and_then(|own| own.provisioning_state.as_deref()),
        )
    }),
];
