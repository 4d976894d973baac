//! `POST …/backupVaults/{vault}/assignMissingRoles` with an instance in the body, and
//! `POST …/backupInstances/{instance}/assignMissingRoles` for one that exists; ours. Says of every right
//! that a backup needs what became of it, 200. Giving rights in a cluster takes those of whoever may do it
//! one by one; a dry run takes the right to read the cluster.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::instance::BackupInstance;
use strongroom_api::missing_roles::{
    AssignMissingRolesOptions, AssignMissingRolesRequest, AssignedRoles,
};

use crate::app::resources::Terms;
use crate::app::{App, ResourceId, Result, instances, missing_roles};
use crate::http::permit::Authority;
use crate::http::request::{JsonBody, OptionalJsonBody, Target};

pub(super) async fn of_vault(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    authority: Authority,
    JsonBody(request): JsonBody<AssignMissingRolesRequest>,
) -> Result<Json<AssignedRoles>> {
    let instance = &request.backup_instance;
    let vault = id.without(1);
    assign(&app, &vault, instance, request.dry_run, &terms, &authority).await
}

pub(super) async fn of_instance(
    State(app): State<Arc<App>>,
    Target(id): Target,
    terms: Terms,
    authority: Authority,
    OptionalJsonBody(options): OptionalJsonBody<AssignMissingRolesOptions>,
) -> Result<Json<AssignedRoles>> {
    let id = id.without(1);
    let instance = instances::get(&app, &id).await?.properties;
    let dry_run = options.unwrap_or_default().dry_run;
    assign(&app, &id.without(2), &instance, dry_run, &terms, &authority).await
}

async fn assign(
    app: &App,
    vault: &ResourceId,
    instance: &BackupInstance,
    dry_run: bool,
    terms: &Terms,
    authority: &Authority,
) -> Result<Json<AssignedRoles>> {
    let cluster = &instance.data_source_info.resource_id;
    authority.require_cluster(cluster)?;
    if !dry_run {
        authority.require_granting(cluster)?;
    }
    let assigned = missing_roles::assign(app, vault, instance, dry_run, terms).await?;
    Ok(Json(assigned))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use strongroom_core::authorization::{BACKUP_CONTRIBUTOR, CONTRIBUTOR, READER};
    use uuid::Uuid;

    use crate::cluster_link::ExtensionHealth;
    use crate::testing::Answer;
    use crate::testing::protection::Protected;

    const ME: Uuid = Uuid::from_u128(42);
    const LACKING: &str = "ClusterRole strongroom-backup-extension does not exist";

    async fn assigned(it: &Protected, dry_run: bool) -> Answer {
        it.post("assignMissingRoles", json!({ "dryRun": dry_run }))
            .await
    }

    fn states(answer: &Answer) -> Vec<String> {
        assert_eq!(answer.status, 200, "{}", answer.text);
        let roles = answer.json()["roles"].as_array().unwrap().clone();
        roles
            .iter()
            .map(|role| role["state"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn bindings(it: &Protected) -> Vec<Value> {
        let path = format!("{}/trustedAccessRoleBindings", it.cluster);
        let listed = it.harness.get(&path).await.json();
        listed["value"].as_array().unwrap().clone()
    }

    #[tokio::test]
    async fn everything_that_is_missing_is_given_in_one_go_and_then_is_there() {
        let it = Protected::new().await;
        it.forget_trusted_access().await;
        it.harness.clusters.forget_grants();
        it.harness.clusters.set_extension_lacks(&[LACKING]);
        let dry = assigned(&it, true).await;
        assert_eq!(states(&dry), ["Missing"; 3]);
        assert!(bindings(&it).await.is_empty(), "a dry run changes nothing");
        assert_eq!(dry.json()["roles"][2]["detail"], format!("{LACKING}."));

        let given = assigned(&it, false).await;
        // The binding brings the vault's account in the cluster with it.
        assert_eq!(states(&given), ["Assigned", "Present", "Assigned"]);
        let binding = &bindings(&it).await[0];
        assert_eq!(binding["properties"]["sourceResourceId"], it.vault.as_str());
        assert_eq!(states(&assigned(&it, false).await), ["Present"; 3]);
        assert_eq!(bindings(&it).await.len(), 1);

        let answer = it.post_without_body("validateForBackup").await;
        let ended = it.ended(answer.header("azure-asyncoperation")).await;
        assert_eq!(ended["status"], "Succeeded", "{ended}");
    }

    #[tokio::test]
    async fn what_somebody_removed_in_the_cluster_is_given_again_without_another_binding() {
        let it = Protected::new().await;
        it.harness.clusters.forget_grants();
        let body = json!({"backupInstance": it.instance_document()});
        let path = format!("{}/assignMissingRoles", it.vault);
        let given = it.harness.call("POST", &path, Some(body)).await;
        assert_eq!(states(&given), ["Present", "Assigned", "Present"]);
        assert_eq!(bindings(&it).await.len(), 1);
    }

    #[tokio::test]
    async fn one_that_cannot_be_given_says_why_and_a_cluster_without_extension_has_two() {
        let it = Protected::new().await;
        it.harness.clusters.forget_grants();
        it.harness.clusters.set_extension_lacks(&[LACKING]);
        it.harness.clusters.refuse_grants(true);
        let rule = "a rule with apiGroups: [\"\"]";
        it.harness.clusters.set_missing_rights(&[rule]);
        let refused = assigned(&it, false).await;
        assert_eq!(states(&refused), ["Present", "Failed", "Failed"]);
        let told = refused.json();
        assert_eq!(told["roles"][1]["detail"], "May not create roles.");
        let missing = &told["notAssignable"][0];
        assert_eq!(missing["code"], "UserErrorClusterPermissionMissing");
        assert!(refused.text.contains("apiGroups"), "{}", refused.text);
        it.harness.clusters.set_health(ExtensionHealth::Absent);
        assert_eq!(states(&assigned(&it, true).await), ["Present", "Missing"]);
        it.harness.clusters.set_unreachable(true);
        let away = assigned(&it, true).await;
        assert_eq!(away.refusal().1, "UserErrorClusterUnreachable");
    }

    #[tokio::test]
    async fn whoever_gives_rights_in_a_cluster_must_be_allowed_to_do_it_one_by_one() {
        let it = Protected::new().await;
        it.harness.assign(BACKUP_CONTRIBUTOR, ME, &it.vault).await;
        let path = format!("{}/assignMissingRoles", it.instance);
        let call = async |dry_run: bool| {
            let body = Some(json!({ "dryRun": dry_run }));
            it.harness.call_as(ME, "POST", &path, body).await
        };
        let linked = (403, "LinkedAuthorizationFailed".to_owned());
        assert_eq!(call(true).await.refusal(), linked);
        it.harness.assign(READER, ME, &it.cluster).await;
        assert_eq!(states(&call(true).await), ["Present"; 3]);
        assert_eq!(call(false).await.refusal(), linked);
        it.harness.assign(CONTRIBUTOR, ME, &it.cluster).await;
        assert_eq!(states(&call(false).await), ["Present"; 3]);
    }
}
