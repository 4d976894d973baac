//! What a snapshot resource group says reaches the extension, as it was when the backup started.

use serde_json::{Value, json};
use strongroom_core::volumes::GivenClass;
use strongroom_core::volumes::given::AZURE_DISK;

use super::{JobSpec, Protected, adhoc};
use crate::app::resource_groups::DEFAULT_SUBSCRIPTION;
use crate::testing::SUBSCRIPTION;

/// What the extension is told when the instance names this group, which says this.
async fn told(group: &str, properties: Value) -> Vec<GivenClass> {
    let it = Protected::new().await;
    let body = json!({"location": "l", "properties": properties});
    let put = it.harness.put(group, body).await;
    assert!(put.status < 300, "{}", put.text);
    let mut instance = it.instance_document();
    instance["policyInfo"]["policyParameters"]["dataStoreParametersList"] = json!([{
        "objectType": "AzureOperationalStoreParameters",
        "dataStoreType": "OperationalStore", "resourceGroupId": group,
    }]);
    let put = it
        .harness
        .put(&it.instance, json!({ "properties": instance }))
        .await;
    assert!(put.status < 300, "{}", put.text);
    assert_eq!(it.post("backup", adhoc()).await.status, 202);
    let body = json!({"location": "l", "properties": {"snapshotClasses": []}});
    it.harness.put(group, body).await;
    it.look_until_created().await;
    let JobSpec::Backup(spec) = it.harness.clusters.resources().remove(0).spec else {
        panic!()
    };
    spec.snapshot_classes
}

#[tokio::test]
async fn what_the_snapshot_resource_group_says_reaches_the_extension() {
    let group = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/snapshots");
    let said = json!({"snapshotClasses": [{"driver": "d", "parameters": {"a": "b"}}]});
    let expected = GivenClass {
        driver: "d".to_owned(),
        parameters: [("a".to_owned(), "b".to_owned())].into(),
        ..GivenClass::default()
    };
    assert_eq!(told(&group, said).await, [expected]);
    assert_eq!(told(&group, json!({})).await, [], "it is no group of Azure");
}

#[tokio::test]
async fn a_group_that_can_be_azures_takes_the_snapshots_of_its_disks() {
    let group = format!("{SUBSCRIPTION}/resourceGroups/Snapshots");
    let told = told(&group, json!({})).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].driver, AZURE_DISK);
    assert_eq!(told[0].parameters["resourceGroup"], "Snapshots");
    assert_eq!(told[0].parameters["incremental"], "true");
}
