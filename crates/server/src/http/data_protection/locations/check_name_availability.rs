//! `POST …/locations/{location}/checkNameAvailability`: whether a vault of a name can be made in the group.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::support::{CheckNameAvailabilityRequest, CheckNameAvailabilityResult};
use strongroom_core::error::{Code, Problem};

use crate::app::{App, Result, vaults};
use crate::http::request::{JsonBody, Target};

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(id): Target,
    JsonBody(request): JsonBody<CheckNameAvailabilityRequest>,
) -> Result<Json<CheckNameAvailabilityResult>> {
    let kind = request.resource_type.unwrap_or_default();
    if !kind.eq_ignore_ascii_case(vaults::TYPE) {
        let message = format!("type is '{kind}', but must be '{}'.", vaults::TYPE);
        return Err(Problem::new(Code::InvalidResourceType, message)
            .at("type")
            .into());
    }
    let group = id.resource_group().unwrap_or_else(|| id.subscription());
    let name = request.name.unwrap_or_default();
    let taken = vaults::why_not_available(&app, &group, &name).await?;
    Ok(Json(match taken {
        None => CheckNameAvailabilityResult {
            name_available: Some(true),
            ..CheckNameAvailabilityResult::default()
        },
        Some((reason, message)) => CheckNameAvailabilityResult {
            name_available: Some(false),
            reason: Some(reason.to_owned()),
            message: Some(message),
        },
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Harness, SUBSCRIPTION};

    #[tokio::test]
    async fn a_name_is_available_unless_it_is_taken_or_none() {
        let harness = Harness::new().await;
        harness.vault().await;
        let path = format!(
            "{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.DataProtection/locations/westeurope/checkNameAvailability"
        );
        let ask = async |name: &str, kind: &str| -> Value {
            let body = json!({"name": name, "type": kind});
            harness.call("POST", &path, Some(body)).await.json()
        };
        let vaults = "Microsoft.DataProtection/BackupVaults";
        assert_eq!(ask("other", vaults).await, json!({"nameAvailable": true}));
        let taken = ask("VAULT", vaults).await;
        assert_eq!(
            (&taken["nameAvailable"], &taken["reason"]),
            (&json!(false), &json!("AlreadyExists"))
        );
        assert_eq!(ask("-", vaults).await["reason"], "Invalid");
        let wrong = ask("other", "Microsoft.Compute/disks").await;
        assert_eq!(wrong["error"]["code"], "InvalidResourceType");
        assert_eq!(harness.anonymous("POST", &path).await.status, 401);
    }
}
