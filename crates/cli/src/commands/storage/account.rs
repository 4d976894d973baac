//! `strongroom storage account`.

use strongroom_api::storage::{Backend, StorageAccountResource};

use crate::commands::verbs;
use crate::output::{self, Columns};

verbs! {
    /// Create a storage account, or change one
    Create(create),
    /// Show a storage account
    Show(show),
    /// List the storage accounts of the resource group
    List(list),
    /// Delete a storage account without containers
    Delete(delete),
}

const COLUMNS: Columns<StorageAccountResource> = &[
    ("NAME", |account| {
        output::or_nothing(account.name.as_deref())
    }),
    ("LOCATION", |account| {
        output::or_nothing(account.location.as_deref())
    }),
    ("BACKEND", |account| match &account.properties.backend {
        None | Some(Backend::Embedded) => "embedded".to_owned(),
        Some(Backend::S3(_)) => "s3".to_owned(),
        Some(Backend::AzureBlob(_)) => "azure-blob".to_owned(),
        Some(Backend::Gcs(_)) => "gcs".to_owned(),
    }),
    ("ENDPOINT", |account| match &account.properties.backend {
        Some(Backend::S3(s3)) => s3.endpoint.clone(),
        _ => {
            let endpoints = account.properties.primary_endpoints.as_ref();
            output::or_nothing(endpoints.and_then(|endpoints| endpoints.blob.as_deref()))
        }
    }),
    ("STATE", |account| {
        output::or_nothing(account.properties.provisioning_state.as_deref())
    }),
];
