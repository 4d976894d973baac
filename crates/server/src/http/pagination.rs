//! Paging: `$top`, an opaque `$skipToken`, and an absolute `nextLink`.
//!
//! Contract: the token holds the position in the list's own order (a key, or a time and an id), not
//! a count, so a page never repeats or misses an item because others were written meanwhile.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use strongroom_api::list::Page;
use strongroom_core::error::{Code, Problem};
use url::form_urlencoded;

use super::limits::{DEFAULT_PAGE, MAX_PAGE};
use super::request::BaseUrl;
use crate::app::{App, Error};
use crate::store::TimeCursor;

/// Which part of a list is asked for.
#[derive(Debug, Clone)]
pub(crate) struct PageRequest {
    /// Most items.
    pub(crate) limit: usize,
    /// Position after which the page begins, as the last page gave it.
    pub(crate) after: Option<String>,
    uri: Uri,
    base: String,
}

impl FromRequestParts<Arc<App>> for PageRequest {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let BaseUrl(base) = BaseUrl::from_request_parts(parts, app).await?;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        let limit = match parameter(&query, "$top") {
            None => DEFAULT_PAGE,
            Some(text) => match text.parse::<usize>() {
                Ok(top) if top > 0 => top.min(MAX_PAGE),
                _ => {
                    return Err(invalid("$top", &text, "a whole number above 0"));
                }
            },
        };
        let after = match parameter(&query, "$skipToken") {
            None => None,
            Some(text) => Some(
                URL_SAFE_NO_PAD
                    .decode(&text)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or_else(|| invalid("$skipToken", &text, "a token from a nextLink"))?,
            ),
        };
        Ok(Self {
            limit,
            after,
            uri: parts.uri.clone(),
            base,
        })
    }
}

impl PageRequest {
    /// The position in a newest-first list.
    pub(crate) fn after_time(&self) -> Result<Option<TimeCursor>, Error> {
        let Some(text) = &self.after else {
            return Ok(None);
        };
        let parsed = text.split_once('/').and_then(|(micros, id)| {
            let created_at = Timestamp::from_microsecond(micros.parse().ok()?).ok()?;
            Some(TimeCursor {
                created_at,
                id: id.parse().ok()?,
            })
        });
        match parsed {
            Some(cursor) => Ok(Some(cursor)),
            None => Err(invalid(
                "$skipToken",
                text,
                "a token from a nextLink of this list",
            )),
        }
    }

    /// A page with its `nextLink`; `next` is the position of its last item when more follow.
    pub(crate) fn page<T>(&self, value: Vec<T>, next: Option<String>) -> Page<T> {
        let next_link = next.map(|position| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in
                form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes())
            {
                if !name.eq_ignore_ascii_case("$skipToken") {
                    query.append_pair(&name, &value);
                }
            }
            query.append_pair("$skipToken", &URL_SAFE_NO_PAD.encode(position));
            format!("{}{}?{}", self.base, self.uri.path(), query.finish())
        });
        Page { value, next_link }
    }
}

/// The position of an item in a newest-first list.
pub(crate) fn time_position(cursor: TimeCursor) -> String {
    format!("{}/{}", cursor.created_at.as_microsecond(), cursor.id)
}

/// A query parameter, without regard to the case of its name.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
}

/// The refusal of a query parameter.
pub(crate) fn invalid(name: &str, value: &str, expected: &str) -> Error {
    Problem::new(
        Code::InvalidQueryParameterValue,
        format!("The query parameter {name} is '{value}', which is not {expected}."),
    )
    .at(name)
    .into()
}
