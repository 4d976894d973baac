//! What clients ask before and beside the main routes: names, features, restorable times, and what lies in
//! a secondary location.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::object_type::by_object_type;

/// `CheckNameAvailabilityRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckNameAvailabilityRequest {
    /// The name that is wanted.
    pub name: Option<String>,
    /// Of which type: `Microsoft.DataProtection/backupVaults`.
    #[serde(rename = "type")]
    pub resource_type: Option<String>,
}

/// `CheckNameAvailabilityResult`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckNameAvailabilityResult {
    /// Why it is not available, in words.
    pub message: Option<String>,
    /// Whether it is.
    pub name_available: Option<bool>,
    /// `Invalid` or `AlreadyExists`.
    pub reason: Option<String>,
}

by_object_type! {
    /// `FeatureValidationRequestBase`.
    #[schemars(rename = "FeatureValidationRequestBase")]
    pub enum FeatureValidationRequest {
        /// The only kind there is.
        FeatureValidationRequest(FeatureValidation),
    }
}

/// `FeatureValidationRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FeatureValidationRequest")]
pub struct FeatureValidation {
    /// `DataSourceType`.
    pub feature_type: Option<String>,
    /// Which one; absent: all that there are.
    pub feature_name: Option<String>,
}

by_object_type! {
    /// `FeatureValidationResponseBase`.
    #[schemars(rename = "FeatureValidationResponseBase")]
    pub enum FeatureValidationResponse {
        /// The only kind there is.
        FeatureValidationResponse(ValidatedFeatures),
    }
}

impl FeatureValidationResponse {
    /// The answer with these features.
    #[must_use]
    pub fn of(feature_type: &str, features: Vec<SupportedFeature>) -> Self {
        Self::FeatureValidationResponse(ValidatedFeatures {
            feature_type: Some(feature_type.to_owned()),
            features: Some(features),
        })
    }
}

/// `FeatureValidationResponse`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FeatureValidationResponse")]
pub struct ValidatedFeatures {
    /// As asked for.
    pub feature_type: Option<String>,
    /// Each with its state.
    pub features: Option<Vec<SupportedFeature>>,
}

/// `SupportedFeature`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SupportedFeature {
    /// Its name.
    pub feature_name: Option<String>,
    /// `GenerallyAvailable` or `NotSupported`.
    pub support_status: Option<String>,
    /// Parts that are not there for everybody; none here.
    pub exposure_controlled_features: Option<Vec<String>>,
}

/// `AzureBackupFindRestorableTimeRangesRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AzureBackupFindRestorableTimeRangesRequest")]
pub struct FindRestorableTimeRangesRequest {
    /// Which tier.
    pub source_data_store_type: Option<String>,
    /// From when on, a time with or without decimals.
    pub start_time: Option<String>,
    /// Until when.
    pub end_time: Option<String>,
}

by_object_type! {
    /// `AzureBackupFindRestorableTimeRangesResponse`.
    #[schemars(rename = "AzureBackupFindRestorableTimeRangesResponse")]
    pub enum RestorableTimeRanges {
        /// The only kind there is.
        AzureBackupFindRestorableTimeRangesResponse(FoundTimeRanges),
    }
}

impl RestorableTimeRanges {
    /// The answer with these ranges.
    #[must_use]
    pub fn of(ranges: Vec<RestorableTimeRange>) -> Self {
        Self::AzureBackupFindRestorableTimeRangesResponse(FoundTimeRanges {
            restorable_time_ranges: ranges,
        })
    }
}

/// The ranges of [`RestorableTimeRanges`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundTimeRanges {
    /// Newest first.
    pub restorable_time_ranges: Vec<RestorableTimeRange>,
}

/// `RestorableTimeRange`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestorableTimeRange {
    /// Its begin.
    pub start_time: Timestamp,
    /// Its end.
    pub end_time: Timestamp,
    /// `RestorableTimeRange`.
    pub object_type: Option<String>,
}

impl RestorableTimeRange {
    /// The range of one moment.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self {
            start_time: time,
            end_time: time,
            object_type: Some("RestorableTimeRange".to_owned()),
        }
    }
}

/// `FetchSecondaryRPsRequestParameters`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FetchSecondaryRPsRequestParameters")]
pub struct FetchSecondaryRecoveryPointsRequest {
    /// The vault's own location.
    pub source_region: Option<String>,
    /// The instance's id there.
    pub source_backup_instance_id: Option<String>,
}

/// `CrossRegionRestoreJobRequest` and `CrossRegionRestoreJobsRequest`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrossRegionRestoreJobRequest {
    /// The vault's own location.
    pub source_region: Option<String>,
    /// The vault's id there.
    pub source_backup_vault_id: Option<String>,
    /// The job, when one is asked for.
    pub job_id: Option<String>,
}

/// `CrossRegionRestoreRequestObject` and `ValidateCrossRegionRestoreRequestObject`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CrossRegionRestoreRequestObject")]
pub struct CrossRegionRestoreRequest {
    /// What would be restored.
    pub restore_request_object: serde_json::Value,
    /// From where.
    pub cross_region_restore_details: CrossRegionRestoreDetails,
}

/// `CrossRegionRestoreDetails`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CrossRegionRestoreDetails {
    /// The vault's own location.
    pub source_region: Option<String>,
    /// The instance's id there.
    pub source_backup_instance_id: Option<String>,
}
