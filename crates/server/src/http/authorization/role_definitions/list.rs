//! `GET {scope}/providers/Microsoft.Authorization/roleDefinitions`, with `$filter=roleName eq '…'`.

use axum::Json;
use axum::extract::RawQuery;
use strongroom_api::authorization::RoleDefinitionResource;
use strongroom_api::list::Page;
use strongroom_core::authorization::DEFINITIONS;

use super::document;
use crate::app::Result;
use crate::http::filter;
use crate::http::pagination::parameter;
use crate::http::request::Target;

pub(super) async fn handle(
    Target(collection): Target,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<RoleDefinitionResource>>> {
    let name = match parameter(&query.unwrap_or_default(), "$filter") {
        Some(text) => wanted(&text)?,
        None => None,
    };
    let scope = collection.without(3);
    let found = DEFINITIONS
        .iter()
        .filter(|role| {
            name.as_ref()
                .is_none_or(|name| role.name.eq_ignore_ascii_case(name))
        })
        .map(|role| document(&scope, role));
    Ok(Json(Page::all(found.collect())))
}

/// The name that a filter asks for. `type eq 'BuiltInRole'` and `atScopeAndBelow()` leave nothing out here.
fn wanted(text: &str) -> Result<Option<String>> {
    let mut name = None;
    for part in text.split(" and ").map(str::trim) {
        if part.eq_ignore_ascii_case("atScopeAndBelow()") {
            continue;
        }
        for comparison in filter::parse(part)? {
            match comparison.field.as_str() {
                "rolename" => name = Some(comparison.equal()?),
                "type" => {
                    comparison.equal()?;
                }
                other => return Err(filter::refused(&format!("'{other}' is no field of a role"))),
            }
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use strongroom_core::authorization::DEFINITIONS;

    use crate::testing::{Harness, SUBSCRIPTION};

    /// As `azurerm_role_assignment` with a `role_definition_name`, and `az role assignment create --role NAME`:
    /// the definition is looked up by its name at the scope, and its id is assigned.
    #[tokio::test]
    async fn what_configurations_for_aks_backup_assign_is_found_by_name_and_assigned_by_id() {
        let harness = Harness::new().await;
        harness.vault_path().await;
        let group = format!("{SUBSCRIPTION}/resourceGroups/rg");
        let version = "api-version=2022-04-01";
        for (n, (name, id)) in [
            ("Reader", "acdd72a7-3385-48ef-bd42-f606fba81ae7"),
            ("Contributor", "b24988ac-6180-42a0-ab88-20f7382dd24c"),
            (
                "Disk Snapshot Contributor",
                "7efff54f-a5b4-42b5-a1c5-5411624893ce",
            ),
            (
                "Data Operator for Managed Disks",
                "959f8984-c045-4866-89c7-12bf9737be2e",
            ),
            (
                "Storage Blob Data Contributor",
                "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
            ),
            (
                "Storage Account Contributor",
                "17d1049b-9a84-46fb-8f53-869881c3d3ab",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let filter = format!("roleName%20eq%20'{}'", name.replace(' ', "%20"));
            let list = format!(
                "{group}/providers/Microsoft.Authorization/roleDefinitions?{version}&$filter={filter}"
            );
            let found = harness.get(&list).await.json();
            let definition = &found["value"][0];
            assert_eq!(found["value"].as_array().unwrap().len(), 1, "{name}");
            assert_eq!(definition["name"], id);
            assert_eq!(
                definition["id"],
                format!("{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{id}")
            );
            // A role of whose actions none is served grants nothing, and is a role all the same.
            for (form, role) in [
                definition["id"].clone(),
                json!(format!(
                    "/providers/microsoft.authorization/roledefinitions/{}",
                    id.to_uppercase()
                )),
            ]
            .into_iter()
            .enumerate()
            {
                let principal = uuid::Uuid::from_u128(1 + form as u128);
                let assignment = uuid::Uuid::from_u128(100 * (n as u128 + 1) + form as u128);
                let path = format!(
                    "{group}/providers/Microsoft.Authorization/roleAssignments/{assignment}?{version}"
                );
                let body = json!({"properties": {
                    "roleDefinitionId": role, "principalId": principal,
                    "principalType": "ServicePrincipal",
                }});
                let made = harness.put(&path, body).await;
                assert_eq!(made.status, 201, "{name}: {}", made.text);
                assert_eq!(
                    made.json()["properties"]["roleDefinitionId"],
                    definition["id"]
                );
            }
        }
    }

    #[tokio::test]
    async fn roles_are_listed_and_found_by_name() {
        let harness = Harness::new().await;
        let path = "/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01";
        let listed = harness.get(path).await.json();
        assert_eq!(listed["value"].as_array().unwrap().len(), DEFINITIONS.len());
        let one = format!("{path}&$filter=roleName%20eq%20'backup%20reader'");
        let found = harness.get(&one).await.json();
        assert_eq!(found["value"].as_array().unwrap().len(), 1);
        assert_eq!(
            found["value"][0]["id"],
            "/providers/Microsoft.Authorization/roleDefinitions/a795c7a0-d4a2-40c1-ae25-d81f01202912"
        );
        assert_eq!(found["value"][0]["properties"]["type"], "BuiltInRole");
        let bad = format!("{path}&$filter=colour%20eq%20'red'");
        assert_eq!(
            harness.get(&bad).await.refusal().1,
            "InvalidQueryParameterValue"
        );
    }
}
