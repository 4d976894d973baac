//! The limits that the checks behind the wire types hold, put into the models of the document.
//!
//! Contract: each row names the constant that the check itself uses; a row whose model or property does not
//! exist fails a test.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};
use strongroom_core::limits::{
    HOOK_REFERENCES_MAX, POLICY_SCHEDULES_MAX, RESOURCE_ID_BYTES, SNAPSHOT_CLASSES_MAX,
};
use strongroom_core::name::NameKind;
use strongroom_core::tags::{TAG_NAME_CHARS, TAG_VALUE_CHARS, TAGS_MAX};

use super::parameters::name_schema;
use crate::app::limits::{DESCRIPTION_CHARS, DISPLAY_NAME_CHARS};
use crate::app::role_assignments::PRINCIPAL_TYPES;
use crate::app::vaults::{
    ALERT_STATES, CROSS_REGION_STATES, CROSS_SUBSCRIPTION_STATES, SOFT_DELETE_DAYS,
};

/// A limit of a property.
enum Bound {
    /// A whole number in a range.
    Whole(RangeInclusive<f64>),
    /// Characters of a text.
    Chars(RangeInclusive<usize>),
    /// Most items of a list.
    Items(usize),
    /// A name of a kind.
    Name(NameKind),
    /// A GUID.
    Guid,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Tags of a resource.
    Tags,
}

/// Model, property, limit.
const BOUNDS: &[(&str, &str, Bound)] = &[
    (
        "SoftDeleteSettings",
        "retentionDurationInDays",
        Bound::Whole(SOFT_DELETE_DAYS),
    ),
    (
        "AzureMonitorAlertSettings",
        "alertsForAllJobFailures",
        Bound::OneOf(&ALERT_STATES),
    ),
    (
        "CrossSubscriptionRestoreSettings",
        "state",
        Bound::OneOf(&CROSS_SUBSCRIPTION_STATES),
    ),
    (
        "CrossRegionRestoreSettings",
        "state",
        Bound::OneOf(&CROSS_REGION_STATES),
    ),
    (
        "BackupSchedule",
        "repeatingTimeIntervals",
        Bound::Items(POLICY_SCHEDULES_MAX),
    ),
    (
        "AzureRetentionRule",
        "name",
        Bound::Name(NameKind::PolicyRule),
    ),
    (
        "KubernetesClusterBackupDatasourceParameters",
        "backupHookReferences",
        Bound::Items(HOOK_REFERENCES_MAX),
    ),
    (
        "KubernetesClusterRestoreCriteria",
        "restoreHookReferences",
        Bound::Items(HOOK_REFERENCES_MAX),
    ),
    (
        "ResourceGroupProperties",
        "snapshotClasses",
        Bound::Items(SNAPSHOT_CLASSES_MAX),
    ),
    (
        "Datasource",
        "resourceID",
        Bound::Chars(0..=RESOURCE_ID_BYTES),
    ),
    (
        "PolicyInfo",
        "policyId",
        Bound::Chars(0..=RESOURCE_ID_BYTES),
    ),
    ("RoleAssignment", "principalId", Bound::Guid),
    (
        "RoleAssignment",
        "principalType",
        Bound::OneOf(&PRINCIPAL_TYPES),
    ),
    (
        "RoleAssignment",
        "description",
        Bound::Chars(0..=DESCRIPTION_CHARS),
    ),
    (
        "ServicePrincipal",
        "displayName",
        Bound::Chars(1..=DISPLAY_NAME_CHARS),
    ),
    ("BackupVaultResource", "tags", Bound::Tags),
    ("PatchResourceRequestInput", "tags", Bound::Tags),
    ("BackupInstanceResource", "tags", Bound::Tags),
    ("ResourceGuardResource", "tags", Bound::Tags),
    ("PatchResourceGuardInput", "tags", Bound::Tags),
    ("ResourceGroup", "tags", Bound::Tags),
    ("ResourceGroupPatch", "tags", Bound::Tags),
    ("ClusterPropertiesResource", "tags", Bound::Tags),
    ("StorageAccountResource", "tags", Bound::Tags),
];

impl Bound {
    /// The keywords that say it.
    fn keywords(&self) -> Value {
        match self {
            Self::Whole(range) => {
                json!({ "minimum": range.start(), "maximum": range.end(), "multipleOf": 1 })
            }
            Self::Chars(range) => json!({ "minLength": range.start(), "maxLength": range.end() }),
            Self::Items(most) => json!({ "maxItems": most }),
            Self::Name(kind) => name_schema(*kind),
            Self::Guid => json!({ "format": "uuid" }),
            Self::OneOf(words) => json!({ "enum": words }),
            Self::Tags => json!({
                "maxProperties": TAGS_MAX,
                "propertyNames": { "minLength": 1, "maxLength": TAG_NAME_CHARS },
                "additionalProperties": { "type": "string", "maxLength": TAG_VALUE_CHARS },
            }),
        }
    }
}

/// Puts each limit where it belongs.
pub(super) fn apply(schemas: &mut Map<String, Value>) {
    for (model, property, bound) in BOUNDS {
        let found = schemas
            .get_mut(*model)
            .and_then(|model| model["properties"].get_mut(*property))
            .and_then(Value::as_object_mut);
        if let Some(schema) = found {
            put(schema, bound);
        }
    }
}

fn put(schema: &mut Map<String, Value>, bound: &Bound) {
    let may_be_null = schema["type"]
        .as_array()
        .is_some_and(|types| types.iter().any(|one| one == "null"));
    let Value::Object(keywords) = bound.keywords() else {
        return;
    };
    for (keyword, mut value) in keywords {
        if let Some(words) = value.as_array_mut().filter(|_| may_be_null) {
            words.push(Value::Null);
        }
        if keyword != "type" {
            schema.insert(keyword, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::openapi::document;
    use crate::http::routes;

    #[test]
    fn every_limit_is_of_a_property_that_there_is() {
        let document = document(&routes());
        for (model, property, bound) in BOUNDS {
            let schema = &document["components"]["schemas"][*model]["properties"][*property];
            let Value::Object(keywords) = bound.keywords() else {
                panic!("a limit is keywords");
            };
            for keyword in keywords.keys() {
                assert!(
                    schema.get(keyword).is_some(),
                    "{model}.{property} has no {keyword}: {schema}"
                );
            }
        }
    }
}
