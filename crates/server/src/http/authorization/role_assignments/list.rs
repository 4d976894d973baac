//! `GET {scope}/providers/Microsoft.Authorization/roleAssignments`: those that hold at the scope and those
//! below it. Filters, as published: `atScope()` leaves out what lies below, `principalId eq '…'` and
//! `assignedTo('…')` leave out what others have. Source:
//! <https://learn.microsoft.com/azure/role-based-access-control/role-assignments-list-rest>.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use strongroom_api::authorization::RoleAssignmentResource;
use strongroom_api::list::Page;
use strongroom_core::authorization::Scope;
use uuid::Uuid;

use crate::app::role_assignments::{self, Which};
use crate::app::{App, Error, Result};
use crate::http::filter;
use crate::http::pagination::parameter;
use crate::http::request::Target;

pub(super) async fn handle(
    State(app): State<Arc<App>>,
    Target(collection): Target,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<RoleAssignmentResource>>> {
    let which = parameter(&query.unwrap_or_default(), "$filter")
        .map_or_else(|| Ok(Which::default()), |text| which(&text))?;
    // The address is {scope}/providers/Microsoft.Authorization/roleAssignments.
    let scope = Scope::of_resource(collection.without(3).as_str());
    Ok(Json(Page::all(
        role_assignments::list(&app, &scope, &which).await?,
    )))
}

/// Reads the filter: up to one of each part, joined by `and`.
fn which(text: &str) -> Result<Which> {
    let mut which = Which::default();
    for part in text.split(" and ").map(str::trim) {
        let lower = part.to_lowercase();
        if lower == "atscope()" {
            which.at_scope = true;
        } else if let Some(id) = lower
            .strip_prefix("assignedto('")
            .and_then(|rest| rest.strip_suffix("')"))
        {
            which.principal = Some(principal(id)?);
        } else {
            let mut comparisons = filter::parse(part)?.into_iter();
            match (comparisons.next(), comparisons.next()) {
                (Some(one), None) if one.field == "principalid" => {
                    which.principal = Some(principal(&one.equal()?)?);
                }
                _ => {
                    return Err(filter::refused(
                        "use atScope(), principalId eq 'ID' or assignedTo('ID')",
                    ));
                }
            }
        }
    }
    Ok(which)
}

fn principal(text: &str) -> std::result::Result<Uuid, Error> {
    Uuid::parse_str(text).map_err(|_| filter::refused(&format!("'{text}' is no object id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_read_as_published() {
        let id = Uuid::from_u128(5);
        let of = |at_scope, principal| Which {
            at_scope,
            principal,
        };
        assert_eq!(which("atScope()").unwrap(), of(true, None));
        assert_eq!(
            which(&format!("principalId eq '{id}'")).unwrap(),
            of(false, Some(id))
        );
        assert_eq!(
            which(&format!("atScope() and assignedTo('{id}')")).unwrap(),
            of(true, Some(id))
        );
        for bad in [
            "",
            "atScope",
            "principalId ne 'x'",
            "principalId eq 'x'",
            "name eq 'x'",
        ] {
            assert!(which(bad).is_err(), "{bad}");
        }
    }
}
