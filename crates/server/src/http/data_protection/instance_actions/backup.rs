//! `POST …/backupInstances/{instance}/backup`: starts a backup on demand. 202 with the addresses
//! under which the job's id is found.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use strongroom_api::instance::TriggerBackupRequest;

use crate::app::{App, Result, jobs};
use crate::http::long_running::Polling;
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    polling: Polling,
    JsonBody(request): JsonBody<TriggerBackupRequest>,
) -> Result<Response> {
    let started = jobs::start_backup(&app, &id.without(1), &request, true).await?;
    Ok(polling.accepted(&started.operation))
}

#[cfg(test)]
mod tests {
    use crate::testing::protection::{Protected, adhoc};

    #[tokio::test]
    async fn a_backup_is_accepted_with_both_addresses_and_its_job_is_named() {
        let it = Protected::new().await;
        let answer = it.post("backup", adhoc()).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (202, ""),
            "{}",
            answer.text
        );
        assert!(!answer.header("azure-asyncoperation").is_empty());
        assert!(!answer.header("retry-after").is_empty());
        let result = it.follow(answer.header("location")).await.json();
        assert_eq!(result["objectType"], "OperationJobExtendedInfo");
        assert_eq!(result["jobId"], it.only_job().await.id.to_string());
    }

    #[tokio::test]
    async fn a_second_backup_at_the_same_time_is_refused_and_names_the_first() {
        let it = Protected::new().await;
        it.post("backup", adhoc()).await;
        let answer = it.post("backup", adhoc()).await;
        assert_eq!(
            answer.refusal(),
            (409, "UserErrorJobAlreadyInProgress".to_owned())
        );
        let job = it.only_job().await.id.to_string();
        assert!(answer.text.contains(&job), "{}", answer.text);
    }

    #[tokio::test]
    async fn a_rule_or_tag_that_the_policy_does_not_have_is_refused() {
        let it = Protected::new().await;
        let mut unknown_rule = adhoc();
        unknown_rule["backupRuleOptions"]["ruleName"] = "Never".into();
        assert_eq!(
            it.post("backup", unknown_rule).await.refusal(),
            (400, "InvalidRequestContent".to_owned())
        );
        let mut unknown_tag = adhoc();
        unknown_tag["backupRuleOptions"]["triggerOption"]["retentionTagOverride"] = "Yearly".into();
        assert_eq!(
            it.post("backup", unknown_tag).await.refusal().1,
            "UserErrorRetentionTagNotInPolicy"
        );
    }

    #[tokio::test]
    async fn a_backup_needs_a_token_an_extension_and_trusted_access() {
        let it = Protected::new().await;
        let path = format!("{}/backup", it.instance);
        assert_eq!(it.harness.anonymous("POST", &path).await.status, 401);
        it.forget_trusted_access().await;
        assert_eq!(
            it.post("backup", adhoc()).await.refusal().1,
            "UserErrorTrustedAccessMissing"
        );
        it.forget_extension().await;
        assert_eq!(
            it.post("backup", adhoc()).await.refusal().1,
            "UserErrorKubernetesBackupExtensionNotFoundError"
        );
    }
}
