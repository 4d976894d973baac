//! What stands in an address: the names in its path, and the version.

use serde_json::{Value, json};
use strongroom_api::version::{DATA_PROTECTION, WELL_FORMED};
use strongroom_core::name::NameKind;

use crate::http::request::SEGMENT;
use crate::http::route::Versions;

/// Which names the placeholders of the table of routes stand for. What is not here is a name that the server
/// gave, or that of a resource of whatever type.
const NAMES: [(&str, NameKind); 13] = [
    ("subscription", NameKind::Subscription),
    ("group", NameKind::ResourceGroup),
    ("location", NameKind::Location),
    ("vault", NameKind::BackupVault),
    ("policy", NameKind::BackupPolicy),
    ("instance", NameKind::BackupInstance),
    ("guard", NameKind::ResourceGuard),
    ("proxy", NameKind::ResourceGuard),
    ("cluster", NameKind::Cluster),
    ("account", NameKind::StorageAccount),
    ("container", NameKind::BlobContainer),
    ("extension", NameKind::Extension),
    ("binding", NameKind::TrustedAccessRoleBinding),
];

/// A name of a kind, as a schema.
pub(super) fn name_schema(kind: NameKind) -> Value {
    json!({
        "type": "string",
        "minLength": kind.min_chars(),
        "maxLength": kind.max_chars(),
        // Letters, without the marks that count as alphabetic too: engines of most languages know no such
        // class, and would know no names of groups at all.
        "pattern": kind.pattern().replace(r"\p{Alphabetic}", r"\p{L}"),
    })
}

/// The parameters in a path.
pub(super) fn of_path(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            let known = NAMES.iter().find(|(placeholder, _)| *placeholder == name);
            // A deleted vault has a name that the server gave.
            let is_given = name == "vault" && path.ends_with("/deletedVaults/{vault}");
            // The id of any resource is looked up as it is: what cannot be one is none.
            let is_of_any = path.contains("/{provider}/");
            let schema = match known {
                Some((_, kind)) if !is_given && !is_of_any => name_schema(*kind),
                _ => json!({ "type": "string", "minLength": 1, "pattern": SEGMENT }),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema })
        })
        .collect()
}

/// The parameter `api-version`, where a route needs one.
pub(super) fn of_version(versions: Versions, since: Option<&str>) -> Option<Value> {
    let Versions::Of(provider) = versions else {
        return None;
    };
    let schema = if provider.eq_ignore_ascii_case("Microsoft.DataProtection") {
        let served = DATA_PROTECTION.iter();
        let served: Vec<&str> = served
            .filter(|version| since.is_none_or(|since| **version >= since))
            .copied()
            .collect();
        json!({ "type": "string", "enum": served })
    } else {
        json!({ "type": "string", "pattern": WELL_FORMED })
    };
    Some(json!({
        "name": "api-version", "in": "query", "required": true,
        "description": "The version of the contract that the caller speaks.", "schema": schema,
    }))
}
