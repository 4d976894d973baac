//! `GET …/me`: who asks, as the server knows them. Whoever is let in may know.

use axum::{Extension, Json};
use strongroom_api::administration::{ME, Me, NamedObjectId};

use crate::http::auth::Principal;
use crate::http::route::{Reach, Route};

const READ: &str = "Strongroom.Administration/me/read";

pub(super) fn routes() -> Vec<Route> {
    vec![Route::new(ME).reaching(Reach::Anyone).get(READ, handle)]
}

async fn handle(Extension(principal): Extension<Principal>) -> Json<Me> {
    let Principal {
        actor,
        groups,
        is_administrator,
        ..
    } = principal;
    Json(Me {
        object_id: actor.object_id.to_string(),
        name: actor.name,
        kind: actor.kind.as_str().to_owned(),
        tenant_id: actor.tenant_id.to_string(),
        is_administrator,
        groups: groups
            .into_iter()
            .map(|group| NamedObjectId {
                name: group.name,
                object_id: group.object_id.to_string(),
            })
            .collect(),
    })
}
