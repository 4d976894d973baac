//! Groups of recovery points against an API server in memory.

use super::*;
use crate::testing::{Answer, cluster};

fn api() -> GroupApi {
    GroupApi {
        version: "v1".to_owned(),
    }
}

fn owner() -> Owner {
    Owner {
        extension: "dataprotection-microsoft".to_owned(),
        recovery_point: Uuid::from_u128(1),
        job: Uuid::from_u128(2),
        backup_instance: "/instances/a".to_owned(),
    }
}

#[test]
fn the_preferred_version_that_is_served_is_used_and_an_older_one_is_none() {
    let served = |versions: &[&str]| {
        let versions: Vec<Value> = versions
            .iter()
            .map(
                |version| json!({"groupVersion": format!("{GROUP}/{version}"), "version": version}),
            )
            .collect();
        GroupApi::in_answer(&json!({"kind": "APIGroup", "versions": versions}))
            .map(|api| api.version)
    };
    assert_eq!(served(&["v1beta2", "v1", "v1beta1"]).as_deref(), Some("v1"));
    assert_eq!(served(&["v1beta1", "v1beta2"]).as_deref(), Some("v1beta2"));
    assert_eq!(served(&["v1beta1"]), None);
    assert_eq!(served(&[]), None);
    assert_eq!(GroupApi::in_answer(&Value::Null), None);
}

#[tokio::test]
async fn a_cluster_without_the_group_has_no_group_snapshots_and_that_is_no_error() {
    let (cluster, _) = cluster(|_| Answer::failed(404, "NotFound", "not found"));
    assert_eq!(GroupApi::of(&cluster).await.unwrap(), None);
}

#[tokio::test]
async fn a_group_is_asked_for_by_the_labels_of_its_claims_and_marked_as_ours() {
    let (cluster, log) = cluster(|asked| Answer::raw(201, asked.body.to_string()));
    let labels = BTreeMap::from([("app".to_owned(), "db".to_owned())]);
    let group = GroupRequest {
        namespace: "shop",
        name: "g",
        class: "groups",
        labels: &labels,
    };
    request_group(&cluster, &api(), &owner(), &group)
        .await
        .unwrap();
    let asked = &log.all()[0];
    let path = "POST /apis/groupsnapshot.storage.k8s.io/v1/namespaces/shop/volumegroupsnapshots";
    assert_eq!(asked.line(), path);
    let selector = json!({"matchLabels": {"app": "db"}});
    assert_eq!(asked.body["spec"]["source"]["selector"], selector);
    let state = GroupState::of(&asked.body);
    assert_eq!(state.recovery_point, Some(Uuid::from_u128(1)));
    let of_all = GroupRequest {
        labels: &BTreeMap::new(),
        ..group
    };
    request_group(&cluster, &api(), &owner(), &of_all)
        .await
        .unwrap();
    assert_eq!(log.all()[1].body["spec"]["source"]["selector"], json!({}));
}

#[tokio::test]
async fn a_groups_content_that_is_kept_stays_and_says_whose_it_is() {
    let (cluster, log) = cluster(|asked| Answer::raw(200, asked.body.to_string()));
    let kept = keep_group(&cluster, &api(), &owner(), "c").await.unwrap();
    assert!(kept.retained);
    assert_eq!(kept.recovery_point, Some(Uuid::from_u128(1)));
    assert_eq!(kept.job, Some(Uuid::from_u128(2)));
    assert_eq!(
        log.lines(),
        ["PATCH /apis/groupsnapshot.storage.k8s.io/v1/volumegroupsnapshotcontents/c"]
    );
}

#[tokio::test]
async fn a_groups_content_goes_with_the_drivers_snapshots_and_those_of_members_as_objects_only() {
    let (cluster, log) = cluster(|asked| Answer::raw(200, asked.body.to_string()));
    let content = GroupContentState {
        name: "c".into(),
        resource_version: "7".into(),
        retained: true,
        ..GroupContentState::default()
    };
    remove_group_content(&cluster, &api(), &content)
        .await
        .unwrap();
    let member = ContentState {
        name: "m".into(),
        ..ContentState::default()
    };
    remove_member_content(&cluster, &member).await.unwrap();
    let asked = log.all();
    let bodies: Vec<&Value> = asked.iter().map(|one| &one.body).collect();
    assert_eq!(bodies[0]["spec"]["deletionPolicy"], "Delete");
    let metadata = &bodies[0]["metadata"];
    assert_eq!(metadata["annotations"][GROUP_BEING_DELETED], "yes");
    assert_eq!(metadata["finalizers"], json!([GROUP_BOUND_PROTECTION]));
    assert_eq!(metadata["resourceVersion"], "7");
    assert_eq!(bodies[2]["spec"]["deletionPolicy"], "Retain");
    let methods: Vec<&str> = asked.iter().map(|one| one.method.as_str()).collect();
    assert_eq!(methods, ["PATCH", "DELETE", "PATCH", "DELETE"]);
}

#[tokio::test]
async fn a_member_whose_group_is_gone_loses_its_protection_and_nothing_else() {
    let (cluster, log) = cluster(|asked| Answer::raw(200, asked.body.to_string()));
    let object = json!({"metadata": {"namespace": "shop", "name": "s", "uid": "u", "resourceVersion": "3",
        "finalizers": ["a", IN_GROUP_PROTECTION],
        "ownerReferences": [{"kind": "VolumeGroupSnapshot", "name": "g", "uid": "gu"}]},
        "spec": {"source": {"persistentVolumeClaimName": "data"}}});
    let mut member = SnapshotState::of(&object);
    assert_eq!(member.group, Some(("g".to_owned(), "gu".to_owned())));
    assert_eq!(member.claim, "data");
    remove_member(&cluster, &member).await.unwrap();
    let asked = log.all();
    assert_eq!(asked[0].body["metadata"]["finalizers"], json!(["a"]));
    assert_eq!(asked[0].body["metadata"]["resourceVersion"], "3");
    assert_eq!(asked.len(), 2);
    member.terminating = true;
    member.finalizers = vec!["a".to_owned()];
    remove_member(&cluster, &member).await.unwrap();
    assert_eq!(log.all().len(), 2, "it is on its way");
}
