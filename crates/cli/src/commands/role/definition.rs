//! `strongroom role definition`.

use strongroom_api::authorization::RoleDefinitionResource;

use crate::commands::verbs;
use crate::output::{self, Columns};

verbs! {
    /// List the roles; `-o yaml` tells what each may do
    List(list),
}

const COLUMNS: Columns<RoleDefinitionResource> = &[
    ("NAME", |role| role.properties.role_name.clone()),
    ("ID", |role| output::or_nothing(role.name.as_deref())),
    ("DESCRIPTION", |role| {
        output::or_nothing(role.properties.description.as_deref())
    }),
];
