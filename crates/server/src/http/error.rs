//! The one translation of failures to HTTP: status, the error envelope, and `x-ms-error-code`.
//!
//! The code in the header equals the code in the body, because clients prefer the header. What went
//! wrong inside the server is logged here, once, and never shown.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use strongroom_api::error::{CloudError, ErrorAdditionalInfo, ErrorBody};
use strongroom_core::error::{Class, Code, Problem};

use crate::app::Error;
use crate::app::error::chain;

/// Header that repeats the code.
pub(crate) const X_MS_ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");

/// Seconds after which a client may ask again when the server is busy.
const BUSY_RETRY_SECONDS: &str = "2";

/// The status of a code: its class decides, except where HTTP has a more exact word.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::AuthenticationFailed
        | Code::ExpiredAuthenticationToken
        | Code::InvalidAuthenticationToken => StatusCode::UNAUTHORIZED,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::RequestEntityTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::InvalidContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        _ => match code.class() {
            // A part that is missing or a cluster that cannot be reached is for the caller to mend:
            // 4xx, because clients repeat a 5xx by themselves.
            Class::Invalid | Class::NotReady => StatusCode::BAD_REQUEST,
            Class::Denied if code.as_str().starts_with("UserError") => StatusCode::BAD_REQUEST,
            Class::Denied => StatusCode::FORBIDDEN,
            Class::NotFound => StatusCode::NOT_FOUND,
            Class::Conflict => StatusCode::CONFLICT,
            Class::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Class::Corrupt | Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        },
    }
}

/// A problem as the error envelope has it.
pub(crate) fn body(problem: &Problem) -> ErrorBody {
    ErrorBody {
        code: problem.code.as_str().to_owned(),
        message: problem.message.clone(),
        target: problem.target.clone(),
        details: problem.details.iter().map(body).collect(),
        inner_error: None,
        additional_info: vec![ErrorAdditionalInfo {
            info_type: Some("RecommendedAction".to_owned()),
            info: Some(serde_json::Value::String(
                problem.recommended_action().to_owned(),
            )),
        }],
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = match self {
            Self::Problem(problem) => *problem,
            Self::Store(error) if error.is_unavailable() => {
                tracing::warn!(error = chain(&error), "the store is busy, full or away");
                Problem::new(
                    Code::ServiceUnavailable,
                    "The server's own database is busy or away, its disk is full, or it takes no writes; nothing was \
                     changed.",
                )
            }
            other => {
                tracing::error!(error = chain(&other), "a request failed inside the server");
                Problem::new(
                    Code::InternalServerError,
                    "The server failed to carry out the request; its log has the cause under the \
                     id in x-ms-request-id.",
                )
            }
        };
        respond(&problem)
    }
}

/// A problem as a response.
pub(crate) fn respond(problem: &Problem) -> Response {
    let status = status(problem.code);
    let mut response = (
        status,
        Json(CloudError {
            error: body(problem),
        }),
    )
        .into_response();
    let headers = response.headers_mut();
    headers.insert(
        X_MS_ERROR_CODE,
        HeaderValue::from_static(problem.code.as_str()),
    );
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"strongroom\", error=\"invalid_token\""),
        );
    }
    if matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    ) {
        headers.insert(
            header::RETRY_AFTER,
            HeaderValue::from_static(BUSY_RETRY_SECONDS),
        );
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StoreError;

    #[test]
    fn a_store_that_is_busy_asks_to_come_again_and_one_that_is_broken_does_not() {
        let doing = "begin a transaction";
        let refused = |source| Error::from(StoreError::Database { doing, source }).into_response();
        let busy = refused(sqlx::Error::PoolTimedOut);
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers()[header::RETRY_AFTER], BUSY_RETRY_SECONDS);
        assert_eq!(busy.headers()[X_MS_ERROR_CODE], "ServiceUnavailable");
        let broken = refused(sqlx::Error::RowNotFound);
        assert_eq!(broken.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
