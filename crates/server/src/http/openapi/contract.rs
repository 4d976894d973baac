//! What a handler takes and answers, read off its own signature.
//!
//! Contract: nothing here is said twice. The extractors in a handler's signature say which body, headers and
//! query parameters it reads, its return type what it answers; a handler whose return type is a bare
//! `Response` says it beside its route ([`Route::documented`](crate::http::route::Route::documented)), and a
//! test fails when it does not.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::resources::Terms;
use crate::app::{App, Error};
use crate::http::auth::Principal;
use crate::http::limits::MAX_PAGE;
use crate::http::long_running::Polling;
use crate::http::pagination::PageRequest;
use crate::http::permit::Authority;
use crate::http::request::{BaseUrl, JsonBody, OptionalJsonBody, Peer, Target};

/// JSON, as nearly every body is.
pub(super) const JSON: &str = "application/json";

/// What is known of one operation.
pub(crate) struct Described<'a> {
    pub(super) generator: &'a mut SchemaGenerator,
    pub(super) body: Option<Value>,
    pub(super) parameters: Vec<Value>,
    /// By status; media type and schema of those that have a body.
    pub(super) answers: BTreeMap<u16, Vec<(&'static str, Schema)>>,
    /// Whether it refuses in the envelope of the contract.
    pub(super) refuses: bool,
    /// Whether it refuses whatever is asked.
    pub(super) is_refused_always: bool,
}

impl<'a> Described<'a> {
    pub(super) fn new(generator: &'a mut SchemaGenerator) -> Self {
        Self {
            generator,
            body: None,
            parameters: Vec::new(),
            answers: BTreeMap::new(),
            refuses: true,
            is_refused_always: false,
        }
    }

    /// It reads a body of JSON.
    fn reads<T: JsonSchema>(&mut self, is_required: bool) {
        let schema = self.generator.subschema_for::<T>();
        let content = json!({ JSON: { "schema": schema } });
        self.body = Some(json!({ "required": is_required, "content": content }));
    }

    /// It reads a body of another type.
    pub(crate) fn reads_form(&mut self, schema: &Value) {
        let content = json!({ "application/x-www-form-urlencoded": { "schema": schema } });
        self.body = Some(json!({ "required": true, "content": content }));
    }

    fn parameter(&mut self, place: &str, name: &str, what: &str, schema: &Value) {
        self.parameters.push(json!({
            "name": name, "in": place, "required": false, "description": what, "schema": schema,
        }));
    }

    /// It reads a query parameter that may be left out.
    pub(crate) fn query(&mut self, name: &str, what: &str, schema: &Value) {
        self.parameter("query", name, what, schema);
    }

    /// It reads `$filter`; `how` says what can be asked for.
    pub(crate) fn filter(&mut self, how: &str) {
        self.query("$filter", how, &json!({ "type": "string" }));
    }

    /// It reads `forceDelete`.
    pub(crate) fn force(&mut self) {
        let schema = json!({ "type": "boolean" });
        self.query(
            "forceDelete",
            "Delete it although something needs it.",
            &schema,
        );
    }

    /// It reads a header that may be left out.
    pub(crate) fn header(&mut self, name: &str, what: &str) {
        self.parameter("header", name, what, &json!({ "type": "string" }));
    }

    /// Its refusals have another form than that of the contract, and are said one by one.
    pub(crate) fn refuses_in_its_own_way(&mut self) {
        self.refuses = false;
    }

    /// It answers with this status and no body.
    pub(crate) fn empty(&mut self, status: u16) {
        self.answers.entry(status).or_default();
    }

    /// It answers with this status and a body of JSON.
    pub(crate) fn json<T: JsonSchema>(&mut self, status: u16) {
        let schema = self.generator.subschema_for::<T>();
        self.answers.entry(status).or_default().push((JSON, schema));
    }

    /// It answers with this status and text of this media type.
    pub(crate) fn text(&mut self, status: u16, kind: &'static str) {
        let schema = schemars::json_schema!({ "type": "string" });
        self.answers.entry(status).or_default().push((kind, schema));
    }
}

/// What is written as `T` is one of the wire type `W`.
pub(crate) struct JsonAs<W, T>(T, PhantomData<W>);

impl<W, T> JsonAs<W, T> {
    pub(crate) fn of(value: T) -> Self {
        Self(value, PhantomData)
    }
}

impl<W, T: Serialize> IntoResponse for JsonAs<W, T> {
    fn into_response(self) -> Response {
        Json(self.0).into_response()
    }
}

impl<W: JsonSchema, T> Output for JsonAs<W, T> {
    fn describe(it: &mut Described<'_>) {
        it.json::<W>(200);
    }
}

/// 202 without a body: an operation goes on.
pub(crate) fn accepted(it: &mut Described<'_>) {
    it.empty(202);
}

/// Something that a handler takes out of a request.
pub(crate) trait Input {
    /// What of it belongs into the document.
    fn describe(_: &mut Described<'_>) {}
}

impl Input for State<Arc<App>> {}
impl Input for Extension<Principal> {}
impl Input for Target {}
impl Input for Authority {}
impl Input for Polling {}
impl Input for BaseUrl {}
impl Input for Peer {}
impl<T> Input for Path<T> {}
// What these are read for is said beside the route.
impl Input for Uri {}
impl Input for RawQuery {}
impl Input for HeaderMap {}
impl Input for Method {}
impl Input for Body {}

impl Input for Terms {
    fn describe(it: &mut Described<'_>) {
        it.header(
            "If-Match",
            "The write needs this version, or with * any, to exist.",
        );
        it.header(
            "If-None-Match",
            "The write needs this version, or with * any, not to exist.",
        );
    }
}

impl Input for PageRequest {
    fn describe(it: &mut Described<'_>) {
        let top = json!({ "type": "integer", "minimum": 1 });
        let what = format!("Most items of a page; no page has more than {MAX_PAGE}.");
        it.query("$top", &what, &top);
        let text = json!({ "type": "string" });
        it.query(
            "$skipToken",
            "Where the page begins, from a nextLink.",
            &text,
        );
    }
}

impl<T: JsonSchema> Input for JsonBody<T> {
    fn describe(it: &mut Described<'_>) {
        it.reads::<T>(true);
    }
}

impl<T: JsonSchema> Input for OptionalJsonBody<T> {
    fn describe(it: &mut Described<'_>) {
        it.reads::<T>(false);
    }
}

/// Something that a handler answers with.
pub(crate) trait Output {
    /// Its statuses and bodies.
    fn describe(it: &mut Described<'_>);
}

impl<T: Output> Output for Result<T, Error> {
    fn describe(it: &mut Described<'_>) {
        T::describe(it);
    }
}

impl Output for Response {
    fn describe(_: &mut Described<'_>) {}
}

/// It never answers well, and says why.
impl Output for Infallible {
    fn describe(it: &mut Described<'_>) {
        it.is_refused_always = true;
    }
}

impl Output for &'static str {
    fn describe(it: &mut Described<'_>) {
        it.text(200, "text/plain");
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(it: &mut Described<'_>) {
        it.json::<T>(200);
    }
}

/// With headers that say how to keep it.
impl<T: JsonSchema> Output for ([(HeaderName, HeaderValue); 1], Json<T>) {
    fn describe(it: &mut Described<'_>) {
        it.json::<T>(200);
    }
}

/// Of a PUT: what is new, and what was there.
impl<T: JsonSchema> Output for (StatusCode, Json<T>) {
    fn describe(it: &mut Described<'_>) {
        it.json::<T>(200);
        it.json::<T>(201);
    }
}

/// Of a DELETE: what was there, and what was not.
impl Output for StatusCode {
    fn describe(it: &mut Described<'_>) {
        it.empty(200);
        it.empty(204);
    }
}

/// A handler, by the tuple of what it takes, as [`axum::handler::Handler`] knows it.
pub(crate) trait Contract<T> {
    /// What it takes and answers.
    fn describe(it: &mut Described<'_>);
}

macro_rules! of_functions {
    ($([$($input:ident),*])+) => {$(
        impl<F, Fut, Out, M, $($input),*> Contract<(M, $($input,)*)> for F
        where
            F: FnOnce($($input),*) -> Fut,
            Fut: Future<Output = Out>,
            Out: Output,
            $($input: Input,)*
        {
            fn describe(it: &mut Described<'_>) {
                $($input::describe(it);)*
                Out::describe(it);
            }
        }
    )+};
}

of_functions! {
    [] [A] [A, B] [A, B, C] [A, B, C, D] [A, B, C, D, E] [A, B, C, D, E, G]
}
