//! Who may do what on the data plane.
//!
//! An extension gets a credential for one job: its id names the job, its secret is derived from
//! the server's own key (nothing is stored), and what it opens, one prefix of one container, is
//! looked up at every request. When the job ends, so does the credential.

use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::path::S3Path;
use s3s::validation::NameValidation;
use s3s::{S3Error, S3ErrorCode, S3Result};
use uuid::Uuid;

use super::key::{Bucket, Key};

/// What begins every access key id of ours.
const ACCESS_KEY_PREFIX: &str = "SR";

/// Separates this use of the server's key from every other one.
const SECRET_CONTEXT: &[u8] = b"strongroom data plane secret v1\0";

/// What a credential opens: the objects below one prefix of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The container.
    pub bucket: Bucket,
    /// Only keys below this prefix, which is a whole number of segments, may be read and listed.
    pub prefix: Key,
    /// Objects may be created below this prefix, which lies in the other one; a restore gets the
    /// folder of its reports only, so that it cannot add to what is restored from.
    pub create_below: Key,
}

/// What is known about the job that a credential belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobScope {
    /// There never was such a job.
    Unknown,
    /// The job has ended, and its credential with it.
    Ended,
    /// The job runs and may use this.
    Open(Scope),
}

/// Finds what the credential of a job opens at this moment.
#[async_trait]
pub trait JobScopes: Send + Sync + 'static {
    /// The scope of the job `job`.
    ///
    /// # Errors
    /// When the look-up itself failed; the text goes to the log, never to the client.
    async fn scope(&self, job: Uuid) -> Result<JobScope, String>;
}

/// Makes and checks the credentials of jobs.
#[derive(Clone)]
pub struct CredentialIssuer {
    key: hmac::Key,
}

/// A credential in the form in which S3 clients take it.
#[derive(Clone, PartialEq, Eq)]
pub struct JobCredential {
    /// The access key id: `SR` and the job's id in 32 hexadecimal digits.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
}

impl std::fmt::Debug for JobCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobCredential")
            .field("access_key_id", &self.access_key_id)
            .field("secret_access_key", &"[redacted]")
            .finish()
    }
}

impl CredentialIssuer {
    /// An issuer whose secrets derive from `key`, which never leaves the server.
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// The credential of the job `job`; always the same for the same job and key, so a server
    /// that starts again knows it without having stored it.
    #[must_use]
    pub fn credential(&self, job: Uuid) -> JobCredential {
        let access_key_id = format!("{ACCESS_KEY_PREFIX}{}", job.simple());
        let secret_access_key = self.secret(&access_key_id);
        JobCredential {
            access_key_id,
            secret_access_key,
        }
    }

    fn secret(&self, access_key_id: &str) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(SECRET_CONTEXT);
        context.update(access_key_id.as_bytes());
        context
            .sign()
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The job that an access key id names, if it is one of ours in exactly the form we give out.
fn job_of(access_key_id: &str) -> Option<Uuid> {
    let digits = access_key_id.strip_prefix(ACCESS_KEY_PREFIX)?;
    let job = Uuid::try_parse(digits).ok()?;
    (format!("{ACCESS_KEY_PREFIX}{}", job.simple()) == access_key_id).then_some(job)
}

#[async_trait]
impl S3Auth for CredentialIssuer {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        match job_of(access_key) {
            Some(_) => Ok(SecretKey::from(self.secret(access_key))),
            None => Err(S3Error::with_message(
                S3ErrorCode::InvalidAccessKeyId,
                "this access key was not issued by this server",
            )),
        }
    }
}

/// Lets a request through when its credential's scope covers it, and hands the scope on.
pub(super) struct Gate {
    scopes: Arc<dyn JobScopes>,
}

impl Gate {
    pub(super) fn new(scopes: Arc<dyn JobScopes>) -> Self {
        Self { scopes }
    }

    async fn scope_of(&self, access_key_id: &str) -> S3Result<Scope> {
        let job =
            job_of(access_key_id).ok_or_else(|| S3Error::new(S3ErrorCode::InvalidAccessKeyId))?;
        match self.scopes.scope(job).await {
            Ok(JobScope::Open(scope)) => Ok(scope),
            Ok(JobScope::Ended) => Err(denied("the job of this credential has ended")),
            Ok(JobScope::Unknown) => Err(S3Error::with_message(
                S3ErrorCode::InvalidAccessKeyId,
                "there is no such job",
            )),
            Err(error) => {
                tracing::error!(job.id = %job, error, "looking up the scope of a job's credential failed");
                Err(S3Error::with_message(
                    S3ErrorCode::InternalError,
                    "the scope of this credential could not be read",
                ))
            }
        }
    }
}

/// What an operation of S3 does to objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Create,
}

/// How `operation` goes about objects; `None` for everything that is not served.
fn access_of(operation: &str) -> Option<Access> {
    match operation {
        "GetObject" | "HeadObject" | "ListObjectsV2" => Some(Access::Read),
        "PutObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "CompleteMultipartUpload"
        | "AbortMultipartUpload" => Some(Access::Create),
        _ => None,
    }
}

#[async_trait]
impl S3Access for Gate {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let access_key_id = cx
            .credentials()
            .map(|c| c.access_key.clone())
            .ok_or_else(|| denied("a signature is needed"))?;
        let scope = self.scope_of(&access_key_id).await?;
        let operation = cx.s3_op().name();
        let access = access_of(operation).ok_or_else(|| {
            denied(format!(
                "{operation} is not among what a job's credential may do"
            ))
        })?;
        let inside = match cx.s3_path() {
            S3Path::Root => false,
            S3Path::Bucket { bucket } => **bucket == *scope.bucket.to_string(),
            S3Path::Object { bucket, key } => {
                let key = Key::parse(key).map_err(|e| {
                    S3Error::with_message(S3ErrorCode::InvalidArgument, e.to_string())
                })?;
                let below = match access {
                    Access::Read => &scope.prefix,
                    Access::Create => &scope.create_below,
                };
                **bucket == *scope.bucket.to_string() && key.is_below(below)
            }
        };
        if !inside {
            return Err(denied(
                "this is outside the credential's container and prefix",
            ));
        }
        cx.extensions_mut().insert(scope);
        Ok(())
    }
}

fn denied(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(S3ErrorCode::AccessDenied, message)
}

/// Accepts exactly the names that [`Bucket`] accepts: an account and a container together may be
/// longer than S3's own limit of 63.
pub(super) struct BucketNames;

impl NameValidation for BucketNames {
    fn validate_bucket_name(&self, name: &str) -> bool {
        Bucket::parse(name).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_depends_on_the_key_and_the_job_only() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let issuer = CredentialIssuer::new(&[1; 32]);
        assert_eq!(
            issuer.credential(a),
            CredentialIssuer::new(&[1; 32]).credential(a)
        );
        assert_ne!(
            issuer.credential(a).secret_access_key,
            issuer.credential(b).secret_access_key
        );
        assert_ne!(
            issuer.credential(a).secret_access_key,
            CredentialIssuer::new(&[2; 32])
                .credential(a)
                .secret_access_key
        );
        assert_eq!(job_of(&issuer.credential(a).access_key_id), Some(a));
    }

    #[test]
    fn only_the_exact_form_of_an_access_key_names_a_job() {
        let id = Uuid::from_u128(0xabcdef);
        assert_eq!(job_of(&format!("SR{}", id.simple())), Some(id));
        for other in [
            format!("SR{id}"),
            format!("SR{}", id.simple()).to_uppercase(),
            "SR".into(),
            "AKIA123".into(),
        ] {
            assert_eq!(job_of(&other), None, "{other}");
        }
    }

    #[test]
    fn a_credential_does_not_show_its_secret() {
        let text = format!(
            "{:?}",
            CredentialIssuer::new(&[1; 32]).credential(Uuid::nil())
        );
        assert!(text.contains("redacted"));
    }
}
