//! Schemas for types that are defined elsewhere, and the limits that more than one field shares.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use strongroom_core::limits::SNAPSHOT_CLASSES_MAX;

/// A UUID.
pub(super) fn uuid(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "uuid", "maxLength": 36})
}

/// A UUID that may be absent.
pub(super) fn optional_uuid(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "uuid", "maxLength": 36, "nullable": true})
}

/// An RFC 3339 time that may be absent.
pub(super) fn optional_time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "nullable": true})
}

/// An object whose shape is checked by the extension, which knows the version of the type: the
/// vault and the extension may be of neighbouring versions.
pub(super) fn object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// What is said of drivers' snapshots; the limits are checked before.
pub(super) fn snapshot_classes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": SNAPSHOT_CLASSES_MAX,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    })
}

/// A map of names to counts.
pub(super) fn counts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "integer", "format": "int64", "minimum": 0},
    })
}

/// A count.
pub(super) fn count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0})
}

/// A count that may be absent.
pub(super) fn optional_count(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 0, "nullable": true})
}

/// A Kubernetes label selector (`metav1.LabelSelector`), null allowed as in the published samples.
pub(super) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "nullable": true,
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "type": "object",
                "nullable": true,
                "maxProperties": 64,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "type": "array",
                "nullable": true,
                "maxItems": 64,
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {"type": "string", "maxLength": 317},
                        "operator": {
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "type": "array",
                            "nullable": true,
                            "maxItems": 64,
                            "items": {"type": "string", "maxLength": 63},
                        },
                    },
                    "x-kubernetes-validations": [{
                        "rule": "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 \
                                 : !has(self.values) || size(self.values) == 0",
                        "message": "In and NotIn take values, Exists and DoesNotExist take none",
                    }],
                },
            },
        },
    })
}

/// Names of namespaces, null allowed as in the published samples.
pub(super) fn namespaces(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "nullable": true,
        "maxItems": 4096,
        "items": {"type": "string", "maxLength": 63},
    })
}

/// A command: executed as it stands, not by a shell. ARG_MAX is far beyond any of these.
pub(super) fn command(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 256,
        "items": {"type": "string", "maxLength": 32768},
        "x-kubernetes-validations": [{
            "rule": "size(self[0]) > 0",
            "message": "the command names no program",
        }],
    })
}

/// A Go duration such as `10s` or `1m30s`, null allowed.
fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "nullable": true,
        "maxLength": 32,
        "pattern": r"^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$",
    })
}

/// How long the command of a hook may take: a Go duration of more than nothing and at most
/// [`HOOK_TIMEOUT_MAX`](strongroom_core::limits::HOOK_TIMEOUT_MAX), null allowed.
pub(super) fn hook_timeout(generator: &mut SchemaGenerator) -> Schema {
    bounded(generator, strongroom_core::limits::HOOK_TIMEOUT_MAX)
}

/// How long the container of a command is waited for: a Go duration of more than nothing and at most
/// [`HOOK_WAIT_MAX`](strongroom_core::limits::HOOK_WAIT_MAX), null allowed.
pub(super) fn wait_timeout(generator: &mut SchemaGenerator) -> Schema {
    bounded(generator, strongroom_core::limits::HOOK_WAIT_MAX)
}

fn bounded(generator: &mut SchemaGenerator, most: Duration) -> Schema {
    let most = most.as_secs();
    let mut schema = duration(generator);
    let rules = serde_json::json!([{
        "rule": format!("duration(self) > duration('0s') && duration(self) <= duration('{most}s')"),
        "message": format!("a timeout is more than 0s and at most {most}s"),
    }]);
    schema.insert("x-kubernetes-validations".to_owned(), rules);
    schema
}

/// What to do when a hook's command fails, null allowed.
pub(super) fn on_error(_: &mut SchemaGenerator) -> Schema {
    // Not an enum: null would have to be one of its values, and generated schemas make it the text "null".
    json_schema!({
        "type": "string", "nullable": true, "maxLength": 8, "pattern": "^(Continue|Fail)$",
    })
}

/// Status conditions, merged by type under server-side apply.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 316},
                "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
                "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
                "lastTransitionTime": {"type": "string", "format": "date-time"},
                "reason": {"type": "string", "maxLength": 1024},
                "message": {"type": "string", "maxLength": 32768},
            },
        },
    })
}
