//! One route: its address, its methods and the action that each of them is.
//!
//! The table of routes is the single source for the router, for matching addresses without regard
//! to case, for the check of `api-version`, and for the tests that walk every route. The action is
//! the published name of the permission (`Microsoft.DataProtection/backupVaults/read`): the one
//! thing an authorization check has to look at.

use std::sync::Arc;

use axum::Extension;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter};

use super::openapi::contract::{self, Contract};
use crate::app::App;

/// Who decides which values of `api-version` a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    /// The provider of this name.
    Of(&'static str),
    /// The route is no part of the contract and takes none.
    None,
}

/// Whether a route needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everything of the contract.
    Token,
    /// Probes of the process, which tell nothing about its content.
    Open,
}

/// Where a request of a route must be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// At the resource, group or subscription that the address names.
    Address,
    /// Nowhere: whoever is known may ask.
    Anyone,
    /// In a subscription in which the caller has any role.
    Presence,
    /// At the resource that the operation works on, wherever its polling address lies: whoever may back up
    /// one vault must be able to follow that, without a right in the whole subscription.
    Operation,
}

/// The permission that a request needs, as its handler and the log see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action(pub(crate) &'static str);

/// A part of what the document says of an operation.
pub(crate) type Describe = fn(&mut contract::Described<'_>);

/// One method of an address, for the document.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) action: Action,
    /// What its handler's signature says, and what was said beside the route.
    pub(crate) parts: Vec<Describe>,
}

/// One address with its methods.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) versions: Versions,
    /// The first version that has it, where that is not the first one that is served.
    pub(crate) since: Option<&'static str>,
    pub(crate) access: Access,
    /// Where its actions must be allowed.
    pub(crate) reach: Reach,
    /// The action that each item of its list must be allowed for, when it is one that shows what may be
    /// seen and hides the rest.
    pub(crate) lists: Option<&'static str>,
    pub(crate) methods: Vec<(Method, Action)>,
    /// The same for the document.
    pub(crate) described: Vec<Operation>,
    pub(crate) handlers: MethodRouter<Arc<App>>,
}

impl Route {
    /// A route of the contract; the provider in the address decides about versions.
    pub(crate) fn new(path: &'static str) -> Self {
        let provider = path
            .split_once("/providers/")
            .and_then(|(_, rest)| rest.split('/').next());
        // The last provider in an address is the one that serves it (extensions of a cluster).
        let provider = path
            .rsplit_once("/providers/")
            .map_or(provider, |(_, rest)| rest.split('/').next());
        Self {
            path,
            versions: Versions::Of(provider.unwrap_or("Microsoft.Resources")),
            since: None,
            access: Access::Token,
            reach: Reach::Address,
            lists: None,
            methods: Vec::new(),
            described: Vec::new(),
            handlers: MethodRouter::new(),
        }
    }

    /// A route of `Microsoft.Resources` whose address speaks of providers without being one's.
    pub(crate) fn resources(path: &'static str) -> Self {
        Self {
            versions: Versions::Of("Microsoft.Resources"),
            ..Self::new(path)
        }
    }

    /// A route about the process itself, outside of the contract.
    pub(crate) fn process(path: &'static str, access: Access) -> Self {
        Self {
            versions: Versions::None,
            access,
            ..Self::new(path)
        }
    }

    /// The route is part of the contract from this version on.
    pub(crate) fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Its actions must be allowed elsewhere than at its address.
    pub(crate) fn reaching(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self
    }

    /// GET of a list of which the caller sees the items that `action` is allowed for.
    pub(crate) fn list<H, T>(mut self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>> + Contract<T>,
        T: 'static,
    {
        self.lists = self.lists.or(Some(action));
        self.get(action, handler)
    }

    /// Says of the method before what its handler's signature does not: answers of a bare `Response`, query
    /// parameters that are read from the whole address.
    pub(crate) fn documented(mut self, describe: Describe) -> Self {
        if let Some(operation) = self.described.last_mut() {
            operation.parts.push(describe);
        }
        self
    }

    /// The items of its list must be allowed for this action, and not for the one of the list.
    pub(crate) fn of_items(mut self, action: &'static str) -> Self {
        self.lists = Some(action);
        self
    }

    pub(crate) fn get<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>> + Contract<T>,
        T: 'static,
    {
        self.on(MethodFilter::GET, Method::GET, action, handler)
    }

    pub(crate) fn put<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>> + Contract<T>,
        T: 'static,
    {
        self.on(MethodFilter::PUT, Method::PUT, action, handler)
    }

    pub(crate) fn patch<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>> + Contract<T>,
        T: 'static,
    {
        self.on(MethodFilter::PATCH, Method::PATCH, action, handler)
    }

    pub(crate) fn delete<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>> + Contract<T>,
        T: 'static,
    {
        self.on(MethodFilter::DELETE, Method::DELETE, action, handler)
    }

    pub(crate) fn post<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>> + Contract<T>,
        T: 'static,
    {
        self.on(MethodFilter::POST, Method::POST, action, handler)
    }

    fn on<H, T>(
        mut self,
        filter: MethodFilter,
        method: Method,
        action: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Arc<App>> + Contract<T>,
        T: 'static,
    {
        let action = Action(action);
        self.described.push(Operation {
            method: method.clone(),
            action,
            parts: vec![H::describe],
        });
        self.methods.push((method, action));
        self.handlers = self.handlers.on(filter, handler.layer(Extension(action)));
        self
    }
}
