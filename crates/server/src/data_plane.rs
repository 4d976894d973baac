//! The data plane: the embedded storage accounts, served as a small part of S3.
//!
//! It shares the listener with the control plane; [`is_data_plane_request`] tells the two apart.
//! Extensions reach it with the credential of one job, which reads and creates (and never
//! replaces or deletes) objects below one prefix of one container, and ends with the job.
//! What is served: `PutObject` (with `If-None-Match: *`), `GetObject` (with a range),
//! `HeadObject`, `ListObjectsV2`, and multipart uploads; path style only, signatures of version 4
//! in the `Authorization` header only. An object is durable before its writer hears of success.
//!
//! The bucket of a container is `<account>.<container>`; its objects are the files below
//! `<data-dir>/blobs/<account>/<container>`, so that the server itself reads them as files.

mod answer;
mod folder;
mod key;
pub mod limits;
mod listing;
mod scope;
mod service;
#[cfg(test)]
mod tests;
mod upload;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{Method, Request, StatusCode, header};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::sync::Semaphore;

pub use key::{Bucket, InvalidName, Key};
pub use scope::{CredentialIssuer, JobCredential, JobScope, JobScopes, Scope};

/// The signature scheme that marks a request of the data plane.
const SIGNATURE_V4: &[u8] = b"AWS4-HMAC-SHA256";

/// How much went through the data plane.
#[derive(Debug, Clone, Default)]
pub struct DataPlaneMetrics {
    /// Bytes of objects and parts that were received and made durable.
    pub received_bytes: Counter,
    /// Bytes of objects that were sent.
    pub sent_bytes: Counter,
}

impl DataPlaneMetrics {
    /// Registers the counters as `strongroom_data_plane_received_bytes_total` and
    /// `strongroom_data_plane_sent_bytes_total`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "strongroom_data_plane_received_bytes",
            "Bytes of objects that extensions wrote to embedded storage accounts",
            self.received_bytes.clone(),
        );
        registry.register(
            "strongroom_data_plane_sent_bytes",
            "Bytes of objects that extensions read from embedded storage accounts",
            self.sent_bytes.clone(),
        );
    }
}

/// The service behind the data plane's requests.
#[derive(Clone)]
pub struct DataPlane {
    blobs: Arc<Path>,
    service: S3Service,
    permits: Arc<Semaphore>,
}

impl DataPlane {
    /// Serves the containers below the folder `blobs`, which is made if need be.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(
        blobs: PathBuf,
        issuer: CredentialIssuer,
        scopes: Arc<dyn JobScopes>,
        metrics: DataPlaneMetrics,
    ) -> io::Result<Self> {
        folder::prepare_staging(&blobs)?;
        let blobs: Arc<Path> = blobs.into();
        let mut builder = S3ServiceBuilder::new(service::Objects::new(Arc::clone(&blobs), metrics));
        builder.set_auth(issuer);
        builder.set_access(scope::Gate::new(scopes));
        builder.set_validation(scope::BucketNames);
        Ok(Self {
            blobs,
            service: builder.build(),
            permits: Arc::new(Semaphore::new(limits::MAX_CONCURRENT_REQUESTS)),
        })
    }

    /// Answers one request of the data plane.
    pub async fn handle(&self, request: Request<Body>) -> Response {
        if !is_served(&request) {
            return (
                StatusCode::BAD_REQUEST,
                "only requests signed in the Authorization header are served here",
            )
                .into_response();
        }
        let Ok(_permit) = self.permits.acquire().await else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        match self
            .service
            .call(request.map(s3s::Body::http_body_unsync))
            .await
        {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                let error: Box<dyn std::error::Error + Send + Sync> = error.into();
                tracing::error!(error = %error, "the data plane could not answer");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }

    /// Removes what requests of killed servers had staged, and multipart uploads that nobody has touched
    /// for [`limits::ABANDONED_UPLOAD_AGE`] before `now`; returns how many uploads.
    ///
    /// # Errors
    /// When the staging folder cannot be read or written.
    pub async fn remove_abandoned_uploads(&self, now: SystemTime) -> io::Result<usize> {
        let blobs = Arc::clone(&self.blobs);
        tokio::task::spawn_blocking(move || {
            folder::remove_abandoned(&blobs, now, limits::ABANDONED_UPLOAD_AGE)?;
            upload::remove_abandoned(&blobs, now, limits::ABANDONED_UPLOAD_AGE)
        })
        .await
        .map_err(io::Error::other)?
    }
}

/// Makes the folder of an embedded container, durably; no error when it is there already.
///
/// # Errors
/// When the folder cannot be made. It blocks.
pub fn create_container(blobs: &Path, bucket: &Bucket) -> io::Result<()> {
    folder::create_container(blobs, bucket)
}

/// Removes an embedded container and every object in it; no error when it is gone already.
///
/// # Errors
/// When the folder cannot be removed. It blocks.
pub fn remove_container(blobs: &Path, bucket: &Bucket) -> io::Result<()> {
    folder::remove_container(blobs, bucket)
}

/// Whether a request belongs to the data plane: it carries an S3 signature, which no request of
/// the control plane does.
#[must_use]
pub fn is_data_plane_request<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().starts_with(SIGNATURE_V4))
}

/// Keeps out the forms of authentication that the S3 library knows besides the one we give out:
/// signatures in the query (presigned URLs, version 2), in browser forms, and for its token service.
fn is_served<B>(request: &Request<B>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let signed_in_query = query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        name.to_ascii_lowercase().contains("signature") || name.contains('%')
    });
    let is_form = request.method() == Method::POST
        && request
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|value| {
                value
                    .as_bytes()
                    .to_ascii_lowercase()
                    .starts_with(b"multipart/")
            });
    // For this service the library reads the body before it knows whether the signature is right.
    let is_sts = request
        .headers()
        .get(header::AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().windows(5).any(|part| part == b"/sts/"));
    is_data_plane_request(request) && !signed_in_query && !is_form && !is_sts
}
