//! Long-running operations as clients poll them.
//!
//! Contract (from the clients' own sources): addresses are absolute; an accepted POST carries both
//! `Azure-AsyncOperation` and `Location`; `Retry-After` in whole seconds is on the first answer and
//! on every poll; the status is never empty and its terminal names are exactly `Succeeded`,
//! `Failed` and `Canceled`.

use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use strongroom_api::error::CloudError;
use strongroom_api::operation::{
    CANCELED, FAILED, IN_PROGRESS, OperationExtendedInfo, OperationStatus as WireStatus, SUCCEEDED,
};
use strongroom_api::version;
use strongroom_core::error::{Code, Problem};

use super::error::{X_MS_ERROR_CODE, body, status};
use super::limits::POLL_SECONDS;
use super::pagination::parameter;
use super::request::BaseUrl;
use crate::app::{App, Error};
use crate::store::{OperationRow, OperationStatus};

/// Header with the address of the operation's status.
pub(crate) const AZURE_ASYNC_OPERATION: HeaderName =
    HeaderName::from_static("azure-asyncoperation");

/// How addresses for polling are made for this caller.
#[derive(Debug, Clone)]
pub(crate) struct Polling {
    base: String,
    api_version: String,
}

impl FromRequestParts<Arc<App>> for Polling {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        let BaseUrl(base) = BaseUrl::from_request_parts(parts, app).await?;
        // A neighbouring provider's version means nothing to the routes that are polled.
        let api_version = parameter(parts.uri.query().unwrap_or_default(), "api-version")
            .filter(|given| version::is_supported("Microsoft.DataProtection", given))
            .unwrap_or_else(|| version::LATEST.to_owned());
        Ok(Self { base, api_version })
    }
}

impl Polling {
    fn address(&self, operation: &OperationRow, what: &str) -> String {
        // The key of a subscription is its id in lower case, and so is the id itself.
        format!(
            "{}{}/providers/Microsoft.DataProtection/locations/{}/{what}/{}?api-version={}",
            self.base, operation.scope_key, operation.location, operation.id, self.api_version
        )
    }

    /// The address of a resource of this provider, for this caller.
    pub(crate) fn address_of(&self, id: &str) -> String {
        format!("{}{id}?api-version={}", self.base, self.api_version)
    }

    /// The headers that tell where to poll.
    pub(crate) fn headers(&self, operation: &OperationRow) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let addresses = [
            (
                AZURE_ASYNC_OPERATION,
                self.address(operation, "operationStatus"),
            ),
            (
                header::LOCATION,
                self.address(operation, "operationResults"),
            ),
        ];
        for (name, address) in addresses {
            if let Ok(value) = HeaderValue::from_str(&address) {
                headers.insert(name, value);
            }
        }
        headers.insert(header::RETRY_AFTER, HeaderValue::from(POLL_SECONDS));
        headers
    }

    /// `202 Accepted` without a body: the answer to POST and DELETE.
    pub(crate) fn accepted(&self, operation: &OperationRow) -> Response {
        (StatusCode::ACCEPTED, self.headers(operation)).into_response()
    }

    /// The answer to a PUT or PATCH that goes on: the document as it is now, with `status` 200, 201
    /// or 202.
    pub(crate) fn written(
        &self,
        status: StatusCode,
        operation: &OperationRow,
        document: impl serde::Serialize,
    ) -> Response {
        let mut headers = self.headers(operation);
        // After PUT clients GET the resource itself; a Location would send them elsewhere.
        headers.remove(header::LOCATION);
        (status, headers, Json(document)).into_response()
    }

    /// The answer of `operationStatus`; `percent` of the work is done, where that is known.
    pub(crate) fn status(&self, operation: &OperationRow, percent: Option<f64>) -> Response {
        let done = operation.status.is_final();
        let wire = WireStatus {
            id: Some(format!(
                "{}/providers/Microsoft.DataProtection/locations/{}/operationStatus/{}",
                operation.scope_key, operation.location, operation.id
            )),
            name: Some(operation.id.clone()),
            status: match operation.status {
                OperationStatus::InProgress => IN_PROGRESS,
                OperationStatus::Succeeded => SUCCEEDED,
                OperationStatus::Failed => FAILED,
                OperationStatus::Canceled => CANCELED,
            }
            .to_owned(),
            start_time: Some(operation.created_at),
            end_time: operation.ended_at,
            error: failure(operation).as_ref().map(body),
            properties: operation.job_id.clone().map(OperationExtendedInfo::job),
            percent_complete: percent,
        };
        let mut headers = HeaderMap::new();
        if !done {
            headers = self.headers(operation);
        }
        headers.insert(header::RETRY_AFTER, HeaderValue::from(POLL_SECONDS));
        (StatusCode::OK, headers, Json(wire)).into_response()
    }

    /// The answer of `operationResults`: 202 while it goes on, then the result.
    pub(crate) fn results(&self, operation: &OperationRow) -> Response {
        match operation.status {
            OperationStatus::InProgress => self.accepted(operation),
            OperationStatus::Succeeded => match (&operation.job_id, &operation.result) {
                (Some(job), _) => Json(OperationExtendedInfo::job(job.clone())).into_response(),
                (None, Value::Null) => StatusCode::NO_CONTENT.into_response(),
                (None, result) => Json(result).into_response(),
            },
            OperationStatus::Failed | OperationStatus::Canceled => {
                let problem = failure(operation).unwrap_or_else(|| {
                    Problem::new(Code::OperationCancelled, "The operation was cancelled.")
                });
                let mut response = (
                    status(problem.code),
                    Json(CloudError {
                        error: body(&problem),
                    }),
                )
                    .into_response();
                response.headers_mut().insert(
                    X_MS_ERROR_CODE,
                    HeaderValue::from_static(problem.code.as_str()),
                );
                response
            }
        }
    }
}

/// Why an operation failed. The column holds a serialised [`Problem`].
fn failure(operation: &OperationRow) -> Option<Problem> {
    match operation.status {
        OperationStatus::Failed => Some(
            serde_json::from_value(operation.error.clone()).unwrap_or_else(|_| {
                Problem::new(Code::InternalServerError, "The operation failed.")
            }),
        ),
        _ => None,
    }
}
