//! `strongroom extension` followed by a verb; without one the program runs the extension itself.

use strongroom_api::extension::{
    ExtensionResource, SETTING_BLOB_CONTAINER, SETTING_STORAGE_ACCOUNT,
};

use crate::output::{self, Columns};

super::verbs! {
    /// Install the extension into a cluster, or change its settings
    Install(install),
    /// Show the extension of a cluster
    Show(show),
    /// Remove the extension from a cluster; recovery points stay
    Uninstall(uninstall),
}

const COLUMNS: Columns<ExtensionResource> = &[
    ("NAME", |extension| {
        output::or_nothing(extension.name.as_deref())
    }),
    ("VERSION", |extension| {
        output::or_nothing(extension.properties.current_version.as_deref())
    }),
    ("STORAGE", |extension| {
        let settings = extension
            .properties
            .configuration_settings
            .clone()
            .unwrap_or_default();
        let setting = |name: &str| {
            settings
                .get(name)
                .cloned()
                .unwrap_or_else(|| output::NOTHING.to_owned())
        };
        format!(
            "{}/{}",
            setting(SETTING_STORAGE_ACCOUNT),
            setting(SETTING_BLOB_CONTAINER)
        )
    }),
    ("STATE", |extension| {
        output::or_nothing(extension.properties.provisioning_state.as_deref())
    }),
    ("STATUS", |extension| {
        let statuses = extension.properties.statuses.as_deref().unwrap_or_default();
        output::or_nothing(statuses.first().and_then(|status| {
            status
                .message
                .as_deref()
                .or(status.display_status.as_deref())
        }))
    }),
];
