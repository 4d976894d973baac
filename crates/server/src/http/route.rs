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

/// The permission that a request needs, as its handler and the log see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action(pub(crate) &'static str);

/// One address with its methods.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) versions: Versions,
    pub(crate) access: Access,
    pub(crate) methods: Vec<(Method, Action)>,
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
            access: Access::Token,
            methods: Vec::new(),
            handlers: MethodRouter::new(),
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

    pub(crate) fn get<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        self.on(MethodFilter::GET, Method::GET, action, handler)
    }

    pub(crate) fn put<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        self.on(MethodFilter::PUT, Method::PUT, action, handler)
    }

    pub(crate) fn patch<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        self.on(MethodFilter::PATCH, Method::PATCH, action, handler)
    }

    pub(crate) fn delete<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        self.on(MethodFilter::DELETE, Method::DELETE, action, handler)
    }

    pub(crate) fn post<H, T>(self, action: &'static str, handler: H) -> Self
    where
        H: Handler<T, Arc<App>>,
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
        H: Handler<T, Arc<App>>,
        T: 'static,
    {
        let action = Action(action);
        self.methods.push((method, action));
        self.handlers = self.handlers.on(filter, handler.layer(Extension(action)));
        self
    }
}
