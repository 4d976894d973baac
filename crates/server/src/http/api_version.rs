//! The `api-version` of a request: every route of the contract needs one that its provider serves.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use strongroom_api::version::{DATA_PROTECTION, is_supported};
use strongroom_core::error::{Code, Problem};

use super::route::Versions;
use crate::app::Error;

/// Refuses a request without a served `api-version`.
pub(crate) async fn check(
    versions: Versions,
    since: Option<&'static str>,
    request: Request,
    next: Next,
) -> Response {
    match refusal(versions, since, request.uri().query()) {
        Some(problem) => Error::from(problem).into_response(),
        None => next.run(request).await,
    }
}

fn refusal(versions: Versions, since: Option<&str>, query: Option<&str>) -> Option<Problem> {
    let Versions::Of(provider) = versions else {
        return None;
    };
    let given = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name.eq_ignore_ascii_case("api-version"))
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty());
    let Some(given) = given else {
        return Some(Problem::new(
            Code::MissingApiVersionParameter,
            "The api-version query parameter (?api-version=) is required for all requests.",
        ));
    };
    // Versions are dates, so that the later one is the greater text.
    let is_too_old = since.filter(|since| given.to_ascii_lowercase().as_str() < *since);
    if let Some(since) = is_too_old.filter(|_| is_supported(provider, &given)) {
        let message = format!(
            "The api-version '{given}' does not have this operation; it came with '{since}'."
        );
        return Some(Problem::new(Code::InvalidApiVersionParameter, message).at("api-version"));
    }
    if is_supported(provider, &given) {
        return None;
    }
    let supported = if provider.eq_ignore_ascii_case("Microsoft.DataProtection") {
        format!(
            "The supported versions are '{}'.",
            DATA_PROTECTION.join(", ")
        )
    } else {
        "A version is a date, for example 2024-01-01, or a date with '-preview'.".to_owned()
    };
    Some(
        Problem::new(
            Code::InvalidApiVersionParameter,
            format!("The api-version '{given}' is not served by {provider}. {supported}"),
        )
        .at("api-version"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(query: &str) -> Option<Code> {
        let provider = Versions::Of("Microsoft.DataProtection");
        refusal(provider, None, Some(query)).map(|problem| problem.code)
    }

    #[test]
    fn a_request_names_a_version_that_is_served() {
        assert_eq!(code("api-version=2026-06-01"), None);
        assert_eq!(code("x=1&API-Version=2023-11-01"), None);
        assert_eq!(code(""), Some(Code::MissingApiVersionParameter));
        assert_eq!(code("api-version="), Some(Code::MissingApiVersionParameter));
        assert_eq!(
            code("api-version=2019-01-01"),
            Some(Code::InvalidApiVersionParameter)
        );
        assert_eq!(refusal(Versions::None, None, None), None);
    }

    #[test]
    fn the_refusal_names_what_is_served() {
        let problem = refusal(
            Versions::Of("Microsoft.DataProtection"),
            None,
            Some("api-version=x"),
        )
        .unwrap();
        assert!(problem.message.contains("2026-06-01") && problem.message.contains("2023-11-01"));
    }

    #[test]
    fn an_operation_is_served_from_the_version_on_that_it_came_with() {
        let provider = Versions::Of("Microsoft.DataProtection");
        let refused = |query| refusal(provider, Some("2025-09-01"), Some(query));
        assert_eq!(refused("api-version=2025-09-01"), None);
        assert_eq!(refused("api-version=2026-04-01-preview"), None);
        let problem = refused("api-version=2025-07-01").unwrap();
        assert_eq!(problem.code, Code::InvalidApiVersionParameter);
        assert!(
            problem.message.contains("came with '2025-09-01'"),
            "{}",
            problem.message
        );
    }
}
