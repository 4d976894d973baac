//! `strongroom storage container`.

use strongroom_api::storage::BlobContainerResource;

use crate::commands::verbs;
use crate::output::{self, Columns};

verbs! {
    /// Create a container
    Create(create),
    /// Show a container
    Show(show),
    /// List the containers of a storage account
    List(list),
    /// Delete a container that nothing uses
    Delete(delete),
}

const COLUMNS: Columns<BlobContainerResource> = &[
    ("NAME", |container| {
        output::or_nothing(container.name.as_deref())
    }),
    ("BUCKET", |container| {
        output::or_nothing(container.properties.bucket.as_deref())
    }),
];
