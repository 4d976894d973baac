//! Every published shape survives reading and writing: no field lost, none renamed.
//!
//! The payloads hold every field of a shape; a field that a type does not know would be missing from
//! what is written.

use crate::decode::{decode, decode_value};
use crate::{
    cluster, extension, instance, job, list, operation, policy, policy_template, recovery_point,
    resource_group, restore, storage, subscription, trusted_access, vault,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[track_caller]
fn survives<T: Serialize + DeserializeOwned>(payload: &str) -> T {
    let before: Value = serde_json::from_str(payload).unwrap();
    let typed: T = decode(payload.as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&typed).unwrap(), before);
    typed
}

/// The same payload with every absent field present as `null` and an unknown one everywhere.
fn untidied(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: serde_json::Map<_, _> = members
                .iter()
                .map(|(name, member)| (name.clone(), untidied(member)))
                .collect();
            let is_map =
                members.values().all(Value::is_string) && !members.contains_key("objectType");
            if !is_map {
                members.insert("addedInALaterVersion".to_owned(), json!({"x": [1]}));
            }
            Value::Object(members)
        }
        Value::Array(items) => Value::Array(items.iter().map(untidied).collect()),
        other => other.clone(),
    }
}

macro_rules! shapes {
    ($($name:ident: $type:ty),+ $(,)?) => {$(
        #[test]
        fn $name() {
            let payload = include_str!(concat!("tests/payloads/", stringify!($name), ".json"));
            let typed = survives::<$type>(payload);
            let before: Value = serde_json::from_str(payload).unwrap();
            let untidied: $type = decode_value(untidied(&before)).unwrap();
            assert_eq!(serde_json::to_value(untidied).unwrap(), serde_json::to_value(typed).unwrap());
        }
    )+};
}

shapes! {
    vault: vault::BackupVaultResource,
    policy: policy::BackupPolicyResource,
    instance: instance::BackupInstanceResource,
    recovery_point: recovery_point::RecoveryPointResource,
    restore: restore::ValidateRestoreRequest,
    job: job::JobResource,
    operation: operation::OperationStatus,
    cluster: cluster::ClusterResource,
    storage_account: storage::StorageAccountResource,
    extension: extension::ExtensionResource,
    trusted_access: trusted_access::TrustedAccessRoleBindingResource,
}

#[test]
fn small_shapes_survive() {
    survives::<storage::BlobContainerResource>(
        r#"{"properties":{"bucket":"b","publicAccess":"None"}}"#,
    );
    survives::<storage::StorageAccountResource>(
        r#"{"properties":{"backend":{"kind":"Embedded"}}}"#,
    );
    survives::<resource_group::ResourceGroup>(
        r#"{"location":"westeurope","properties":{"provisioningState":"Succeeded"}}"#,
    );
    survives::<subscription::Subscription>(
        r#"{"id":"/subscriptions/s","subscriptionId":"s","displayName":"d","state":"Enabled","tenantId":"t"}"#,
    );
    survives::<instance::TriggerBackupRequest>(
        r#"{"backupRuleOptions":{"ruleName":"BackupHourly","triggerOption":{"retentionTagOverride":"yearly"}}}"#,
    );
    survives::<list::Page<Value>>(r#"{"value":[{}],"nextLink":"https://x/?page=2"}"#);
    survives::<vault::BackupVaultPatch>(
        r#"{"tags":{"a":"b"},"properties":{"securitySettings":{}}}"#,
    );
}

#[test]
fn null_reads_as_absent_where_clients_send_it() {
    let mut payload: Value =
        serde_json::from_str(include_str!("tests/payloads/instance.json")).unwrap();
    payload["properties"]["datasourceAuthCredentials"] = Value::Null;
    payload["properties"]["dataSourceInfo"]["resourceProperties"] = Value::Null;
    payload["properties"]["policyInfo"]["policyParameters"]["backupDatasourceParametersList"][0]
        ["includedNamespaces"] = Value::Null;
    let instance: instance::BackupInstanceResource = decode_value(payload).unwrap();
    let parameters = instance.properties.policy_info.policy_parameters.unwrap();
    assert_eq!(parameters.kubernetes().unwrap().included_namespaces, None);
    assert!(
        instance
            .properties
            .data_source_info
            .resource_properties
            .is_none()
    );
}

#[test]
fn an_unknown_object_type_is_refused_by_naming_what_is_accepted() {
    let mut payload: Value =
        serde_json::from_str(include_str!("tests/payloads/policy.json")).unwrap();
    payload["properties"]["policyRules"][0]["trigger"]["objectType"] = json!("LunarTriggerContext");
    let error = decode_value::<policy::BackupPolicyResource>(payload).unwrap_err();
    assert_eq!(error.target, "properties");
    insta::assert_snapshot!(error.message, @"BackupPolicy: AzureBackupRule: objectType 'LunarTriggerContext' is not accepted here; accepted: 'ScheduleBasedTriggerContext', 'AdhocBasedTriggerContext'");
}

#[test]
fn object_types_are_case_sensitive_and_required() {
    let wrong_case = json!({"properties": {"objectType": "backupPolicy", "datasourceTypes": [], "policyRules": []}});
    let error = decode_value::<policy::BackupPolicyResource>(wrong_case).unwrap_err();
    insta::assert_snapshot!(error.message, @"objectType 'backupPolicy' is not accepted here; accepted: 'BackupPolicy'");
    let missing = json!({"properties": {"datasourceTypes": [], "policyRules": []}});
    let error = decode_value::<policy::BackupPolicyResource>(missing).unwrap_err();
    insta::assert_snapshot!(error.message, @"objectType is missing; accepted here: 'BackupPolicy'");
    let number = json!({"properties": {"objectType": 1}});
    let error = decode_value::<policy::BackupPolicyResource>(number).unwrap_err();
    insta::assert_snapshot!(error.message, @"objectType must be a string, one of 'BackupPolicy'");
}

#[test]
fn blob_parameters_are_refused_for_this_datasource() {
    let error = decode_value::<instance::BackupDatasourceParameters>(
        json!({"objectType": "BlobBackupDatasourceParameters", "containersList": []}),
    )
    .unwrap_err();
    assert!(
        error
            .message
            .contains("'KubernetesClusterBackupDatasourceParameters'"),
        "{error}"
    );
}

#[test]
fn a_body_that_does_not_fit_is_named_by_its_path() {
    let body =
        br#"{"location":"x","properties":{"storageSettings":[{"datastoreType":"MoonStore"}]}}"#;
    let error = decode::<vault::BackupVaultResource>(body).unwrap_err();
    assert_eq!(error.target, "properties.storageSettings[0].datastoreType");
    assert!(error.message.contains("`OperationalStore`"), "{error}");
    let error = decode::<vault::BackupVaultResource>(b"{\"location\":\"x\"}").unwrap_err();
    assert!(
        error.message.contains("missing field `properties`"),
        "{error}"
    );
    let error = decode::<vault::BackupVaultResource>(b"{\"properties\":{}} trailing").unwrap_err();
    assert!(error.message.contains("trailing"), "{error}");
    assert!(decode::<vault::BackupVaultResource>(b"").is_err());
}

#[test]
fn secrets_are_taken_out_before_anything_is_stored() {
    let mut account: storage::StorageAccountResource =
        decode(include_bytes!("tests/payloads/storage_account.json")).unwrap();
    assert!(!format!("{account:?}").contains("SK\""));
    let (key, token) = account.properties.take_secrets();
    assert_eq!(key.unwrap().expose(), "SK");
    assert_eq!(token.unwrap().expose(), "ST");
    let stored = serde_json::to_string(&account).unwrap();
    assert!(
        !stored.contains("secretAccessKey") && !stored.contains("sessionToken"),
        "{stored}"
    );
    let mut cluster: cluster::ClusterResource =
        decode(br#"{"properties":{"kubeconfig":"apiVersion: v1"}}"#).unwrap();
    assert_eq!(
        cluster.properties.take_secrets().unwrap().expose(),
        "apiVersion: v1"
    );
    assert!(
        !serde_json::to_string(&cluster)
            .unwrap()
            .contains("kubeconfig\":\"api")
    );
}

#[test]
fn the_default_policy_is_the_published_template() {
    let policy = policy_template::kubernetes(
        policy_template::START,
        policy_template::INTERVAL,
        policy_template::RETENTION,
    );
    insta::assert_yaml_snapshot!(policy::PolicyProperties::BackupPolicy(policy));
}
