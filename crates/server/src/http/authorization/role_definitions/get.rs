//! `GET {scope}/providers/Microsoft.Authorization/roleDefinitions/{id}`.

use axum::Json;
use strongroom_api::authorization::RoleDefinitionResource;
use strongroom_core::authorization::RoleDefinition;
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::document;
use crate::app::Result;
use crate::http::request::Target;

pub(super) async fn handle(Target(id): Target) -> Result<Json<RoleDefinitionResource>> {
    let found = Uuid::parse_str(id.name())
        .ok()
        .and_then(RoleDefinition::of_id);
    match found {
        Some(role) => Ok(Json(document(&id.without(4), role))),
        None => Err(Problem::new(
            Code::ResourceNotFound,
            format!("There is no role definition with the id '{}'.", id.name()),
        )
        .at(id.as_str())
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use strongroom_core::authorization::BACKUP_OPERATOR;

    use crate::testing::Harness;

    #[tokio::test]
    async fn a_built_in_role_is_read_by_its_published_id() {
        let harness = Harness::new().await;
        let all = "/providers/Microsoft.Authorization/roleDefinitions";
        let read = harness.get(&format!("{all}/{BACKUP_OPERATOR}")).await;
        assert_eq!(read.json()["properties"]["roleName"], "Backup Operator");
        for unknown in ["x", "00000000-0000-0000-0000-000000000001"] {
            let refused = harness.get(&format!("{all}/{unknown}")).await;
            assert_eq!(refused.refusal(), (404, "ResourceNotFound".to_owned()));
        }
    }
}
