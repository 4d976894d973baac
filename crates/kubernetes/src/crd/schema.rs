//! Schemas for types that are defined elsewhere, and the limits that more than one field shares.

use schemars::{Schema, SchemaGenerator, json_schema};

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
    })
}

/// A Go duration such as `10s` or `1m30s`, null allowed.
pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "nullable": true,
        "maxLength": 32,
        "pattern": r"^([0-9]+(\.[0-9]+)?(h|m|s|ms))+$",
    })
}

/// What to do when a hook's command fails, null allowed.
pub(super) fn on_error(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "nullable": true, "enum": ["Continue", "Fail", null]})
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
