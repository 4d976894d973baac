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
    use crate::testing::Harness;

    #[tokio::test]
    async fn roles_are_listed_and_found_by_name() {
        let harness = Harness::new().await;
        let path = "/providers/Microsoft.Authorization/roleDefinitions?api-version=2022-04-01";
        let listed = harness.get(path).await.json();
        assert_eq!(listed["value"].as_array().unwrap().len(), 9);
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
