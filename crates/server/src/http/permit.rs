//! The one place that decides whether a request may be carried out.
//!
//! Contract: it stands between the check of the token and the handler of every route of the contract, and
//! takes action and scope from the table of routes alone; a route without an action cannot be written. What
//! is not granted is 403 `AuthorizationFailed` in Azure Resource Manager's words, whether or not the resource
//! exists. A list that is granted only for some of what it holds shows that and hides the rest. What the body
//! of a request names beyond its address is checked by the handler through [`Authority`], because only it
//! has read the body. Decisions are those of [`strongroom_core::authorization`].

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;
use strongroom_api::instance::BackupInstance;
use strongroom_core::authorization::{
    Assignment, Decision, Denial, Scope, decide, is_granted_below, is_present,
};
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::audit::note_caller;
use super::auth::Principal;
use super::error::respond;
use super::limits::MAX_LIST_BYTES;
use super::request::Target;
use super::route::{Action, Reach, Route};
use crate::app::guards::Rights;
use crate::app::{App, Error, Result, role_assignments, snapshot_groups};

/// What the table of routes says about one route.
#[derive(Clone)]
pub(crate) struct Gate {
    app: Arc<App>,
    actions: Arc<[(Method, Action)]>,
    reach: Reach,
    lists: Option<&'static str>,
}

impl Gate {
    pub(crate) fn of(app: &Arc<App>, route: &Route) -> Self {
        Self {
            app: Arc::clone(app),
            actions: route.methods.clone().into(),
            reach: route.reach,
            lists: route.lists,
        }
    }

    /// The action of a method; a HEAD is the GET that it asks about.
    fn action(&self, method: &Method) -> Option<&'static str> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let found = self.actions.iter().find(|(known, _)| known == method);
        found.map(|(_, action)| action.0)
    }
}

/// What the caller of a request that was let in may do besides it.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    principal: Principal,
    assignments: Arc<[Assignment]>,
    action: &'static str,
    scope: Scope,
}

impl Authority {
    fn decide(&self, action: &str, scope: &Scope) -> std::result::Result<(), Denial> {
        if self.principal.is_administrator {
            return Ok(());
        }
        match decide(&self.assignments, action, scope) {
            Decision::Allowed(_) => Ok(()),
            Decision::Denied(denial) => Err(denial),
        }
    }

    fn is_present(&self, scope: &Scope) -> bool {
        self.principal.is_administrator || is_present(&self.assignments, scope)
    }

    /// What the caller may do, for those who ask in the middle of a use case.
    pub(crate) fn rights(&self) -> Rights {
        Rights {
            holder: self.principal.actor.clone(),
            is_administrator: self.principal.is_administrator,
            assignments: Arc::clone(&self.assignments),
        }
    }

    /// Refuses unless the caller may also do `action` at the resource that the request's body names.
    pub(crate) fn require_linked(&self, action: &str, id: &str) -> Result<()> {
        let scope = Scope::of_resource(id);
        let Err(denial) = self.decide(action, &scope) else {
            return Ok(());
        };
        let who = &self.principal.actor;
        tracing::info!(
            principal.id = %who.object_id, action, scope = %scope, reason = %denial,
            "a request was denied for what its body names"
        );
        let message = format!(
            "The client '{}' with object id '{}' has permission to perform action '{}' on scope '{}'; \
             however, it does not have permission to perform action(s) '{action}' on the linked scope(s) \
             '{scope}' (respectively) or the linked scope(s) are invalid.",
            who.name, who.object_id, self.action, self.scope
        );
        Err(Problem::new(Code::LinkedAuthorizationFailed, message)
            .at(scope.to_string())
            .into())
    }

    /// As [`Self::require_linked`], of what a backup instance names: its cluster, and the group whose word
    /// says how its snapshots are taken. What is no id is the handler's to refuse.
    pub(crate) fn require_instance(&self, instance: &BackupInstance) -> Result<()> {
        self.require_cluster(&instance.data_source_info.resource_id)?;
        match snapshot_groups::id_of(instance) {
            Ok(Some(group)) => self.require_linked(
                "Microsoft.Resources/subscriptions/resourceGroups/read",
                group.as_str(),
            ),
            _ => Ok(()),
        }
    }

    /// As [`Self::require_linked`], of giving a vault and the extension their rights in a cluster.
    pub(crate) fn require_granting(&self, cluster: &str) -> Result<()> {
        [
            "Microsoft.ContainerService/managedClusters/trustedAccessRoleBindings/write",
            "Microsoft.KubernetesConfiguration/extensions/write",
        ]
        .iter()
        .try_for_each(|action| self.require_linked(action, cluster.trim_end_matches('/')))
    }

    /// As [`Self::require_linked`], of a cluster that is to be backed up from or restored to.
    pub(crate) fn require_cluster(&self, id: &str) -> Result<()> {
        let id = id.trim_end_matches('/');
        let kind = Scope::of_resource(id).key().to_owned();
        // The type is the caller's to get right; of anything else the handler says that it is no cluster.
        let action = if kind.contains("/providers/microsoft.containerservice/") {
            "Microsoft.ContainerService/managedClusters/read"
        } else {
            "Microsoft.Kubernetes/connectedClusters/read"
        };
        self.require_linked(action, id)
    }
}

impl FromRequestParts<Arc<App>> for Authority {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::new(Code::AuthorizationFailed, "Nobody was let in.").into())
    }
}

/// Lets a request pass that may be carried out.
pub(crate) async fn permit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    match admitted(&gate, request).await {
        Ok((request, authority, is_filtered)) => {
            let response = next.run(request).await;
            match gate.lists.filter(|_| is_filtered) {
                Some(action) => visible(&gate, &authority, action, response).await,
                None => response,
            }
        }
        Err(error) => error.into_response(),
    }
}

/// The request with its [`Authority`], and whether what it lists must be looked through.
async fn admitted(gate: &Gate, request: Request) -> Result<(Request, Authority, bool)> {
    let (mut parts, body) = request.into_parts();
    let principal = parts
        .extensions
        .get::<Principal>()
        .cloned()
        .ok_or_else(|| Problem::new(Code::AuthenticationFailed, "Nobody is known to ask this."))?;
    note_caller(&principal.actor);
    let Target(target) = Target::from_request_parts(&mut parts, &gate.app).await?;
    let action = gate.action(&parts.method).ok_or_else(|| {
        let message = format!("The route has no action for {}.", parts.method);
        Problem::new(Code::AuthorizationFailed, message)
    })?;
    let scope = match gate.reach {
        Reach::Operation => match operation_subject(&gate.app, target.name()).await? {
            Some(subject) => Scope::of_resource(&subject),
            None => Scope::of_address(target.as_str()),
        },
        _ => Scope::of_address(target.as_str()),
    };
    let assignments = if principal.is_administrator {
        Vec::new()
    } else {
        let id = principal.actor.object_id;
        let groups: Vec<Uuid> = principal
            .groups
            .iter()
            .map(|group| group.object_id)
            .collect();
        role_assignments::held_by(&gate.app, id, &groups).await?
    };
    let authority = Authority {
        principal,
        assignments: assignments.into(),
        action,
        scope,
    };
    // The answer to a HEAD has nothing to hide.
    let is_filtered = let_in(gate, &authority)? && parts.method != Method::HEAD;
    parts.extensions.insert(authority.clone());
    Ok((Request::from_parts(parts, body), authority, is_filtered))
}

/// Refuses, or says whether what is listed must be looked through.
fn let_in(gate: &Gate, authority: &Authority) -> Result<bool> {
    if authority.principal.is_administrator {
        return Ok(false);
    }
    let scope = &authority.scope;
    let denial = match gate.reach {
        Reach::Anyone => return Ok(true),
        Reach::Presence if authority.is_present(scope) => return Ok(true),
        Reach::Presence => Denial::NothingAssigned,
        Reach::Address | Reach::Operation => match authority.decide(authority.action, scope) {
            Ok(()) => return Ok(true),
            Err(denial) => denial,
        },
    };
    let listed = gate.lists.is_some_and(|action| {
        action == authority.action && is_granted_below(&authority.assignments, action, scope)
    });
    if listed {
        return Ok(true);
    }
    let who = &authority.principal.actor;
    tracing::info!(
        principal.id = %who.object_id, action = authority.action, scope = %scope, reason = %denial,
        "a request was denied"
    );
    Err(Problem::new(
        Code::AuthorizationFailed,
        format!(
            "The client '{}' with object id '{}' does not have authorization to perform action '{}' over \
             scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your \
             credentials.",
            who.name, who.object_id, authority.action
        ),
    )
    .into())
}

/// The resource that an operation works on.
async fn operation_subject(app: &App, id: &str) -> Result<Option<String>> {
    let found = app
        .store
        .read()
        .await?
        .operation(&id.to_lowercase())
        .await?;
    Ok(found.map(|row| row.resource_id))
}

/// A page of a list with what the caller may see.
async fn visible(gate: &Gate, authority: &Authority, action: &str, response: Response) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let read = to_bytes(body, MAX_LIST_BYTES).await.ok();
    let Some(mut page) = read.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) else {
        tracing::error!("a list could not be read again to hide what its reader may not see");
        return respond(&Problem::new(
            Code::InternalServerError,
            "The server failed to carry out the request; its log has the cause under the id in \
             x-ms-request-id.",
        ));
    };
    if let Some(items) = page["value"].as_array_mut() {
        items.retain(|item| {
            let scope = Scope::of_resource(item["id"].as_str().unwrap_or_default());
            match gate.reach {
                // Subscriptions are seen by whoever has any role in them.
                Reach::Anyone => authority.is_present(&scope),
                _ => authority.decide(action, &scope).is_ok(),
            }
        });
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(page.to_string()))
}

#[cfg(test)]
mod tests;
