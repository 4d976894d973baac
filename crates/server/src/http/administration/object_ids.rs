//! `POST …/objectIds`: the object id of somebody whom the identity provider knows, for whoever assigns them a
//! role before they have ever signed in. It is a matter of computing: nothing says whether they exist.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use strongroom_api::administration::{NamedObjectId, OBJECT_IDS, WhoseObjectId};
use strongroom_core::error::{Code, Problem};

use crate::app::{App, Result};
use crate::http::request::JsonBody;
use crate::http::route::{Reach, Route};
use crate::identity_provider::{group_id, subject_id};

const ACTION: &str = "Strongroom.Administration/objectIds/action";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(OBJECT_IDS)
            .reaching(Reach::Anyone)
            .post(ACTION, handle),
    ]
}

async fn handle(
    State(app): State<Arc<App>>,
    JsonBody(asked): JsonBody<WhoseObjectId>,
) -> Result<Json<NamedObjectId>> {
    let provider = app.identity_provider.as_ref().ok_or_else(|| {
        Problem::new(
            Code::InvalidRequestContent,
            "This server knows no identity provider: its configuration has no [identity_provider].",
        )
    })?;
    let (name, id) = match (asked.user, asked.group) {
        (Some(user), None) => (user.clone(), subject_id(&provider.settings, &user)),
        (None, Some(group)) => (group.clone(), group_id(&provider.settings, &group)),
        _ => {
            let message = "Name either a user or a group.";
            return Err(Problem::new(Code::InvalidRequestContent, message).into());
        }
    };
    let id = id.ok_or_else(|| {
        let shown: String = name.chars().take(64).collect();
        let message = format!("'{shown}' is no GUID, and the identity provider's object ids are.");
        Problem::new(Code::InvalidRequestContent, message)
    })?;
    Ok(Json(NamedObjectId {
        name,
        object_id: id.to_string(),
    }))
}
