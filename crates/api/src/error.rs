//! The error envelope of ARM: `{"error":{code, message, target, details[], innererror}}`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// `CloudError`: the body of every answer with a status of 400 or more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CloudError {
    /// What went wrong.
    pub error: ErrorBody,
}

impl CloudError {
    /// An envelope with a code and a message.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error: ErrorBody {
                code: code.into(),
                message: message.into(),
                ..ErrorBody::default()
            },
        }
    }
}

/// `Error` / `ErrorDetail` of the published models.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// The stable code; the same in the header `x-ms-error-code` and in our catalogue.
    pub code: String,
    /// One sentence for people.
    pub message: String,
    /// Which part of the request, for example `properties.policyRules`.
    pub target: Option<String>,
    /// Several things at once: each on its own.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::decode::null_as_default"
    )]
    pub details: Vec<ErrorBody>,
    /// More about the cause, for machines.
    #[serde(rename = "innererror")]
    pub inner_error: Option<serde_json::Value>,
    /// Typed additions.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::decode::null_as_default"
    )]
    pub additional_info: Vec<ErrorAdditionalInfo>,
}

/// One typed addition to an error.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ErrorAdditionalInfo {
    /// What `info` is, for example `RecommendedAction` (ours).
    #[serde(rename = "type")]
    pub info_type: Option<String>,
    /// Its content.
    pub info: Option<serde_json::Value>,
}

/// `UserFacingError`: an error inside a job, an instance or a validation.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserFacingError {
    /// The stable code.
    pub code: Option<String>,
    /// One sentence for people.
    pub message: Option<String>,
    /// What to do, step by step.
    pub recommended_action: Option<Vec<String>>,
    /// Which resource or field.
    pub target: Option<String>,
    /// May the same request succeed later?
    pub is_retryable: Option<bool>,
    /// Can the user mend it?
    pub is_user_error: Option<bool>,
    /// The parts of it.
    pub details: Option<Vec<UserFacingError>>,
    /// The cause behind it.
    pub inner_error: Option<InnerError>,
    /// Facts by name, for example `kind`, `namespace`, `name` of an object.
    pub properties: Option<std::collections::BTreeMap<String, String>>,
}

/// `InnerError`: a chain of causes.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InnerError {
    /// The cause's code.
    pub code: Option<String>,
    /// Facts by name.
    pub additional_info: Option<std::collections::BTreeMap<String, String>>,
    /// The cause of the cause.
    pub embedded_inner_error: Option<Box<InnerError>>,
}

/// `UserFacingWarningDetail`: a warning about one resource of a job.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserFacingWarningDetail {
    /// The resource, for example `apps/Deployment shop/web`.
    pub resource_name: Option<String>,
    /// What is amiss with it.
    pub warning: UserFacingError,
}
