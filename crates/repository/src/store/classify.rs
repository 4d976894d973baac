//! The translation of a store's errors into what the reader must do.

use crate::error::Error;

/// Translates a store's error. `doing` says what was being done, `what` names the object.
pub fn classify(error: object_store::Error, doing: impl Fn() -> String, what: &str) -> Error {
    use object_store::Error as Store;
    let doing = doing();
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match &error {
        // That the whole container is away says nothing of an object in it: it may come back.
        _ if says(CONTAINER_AWAY) => {
            return Error::Unreachable {
                doing,
                source: error,
            };
        }
        _ if says(HELD) => {
            return Error::ReadOnly {
                doing,
                source: error,
            };
        }
        Store::NotFound { .. } => return Error::NotFound { what: what.into() },
        Store::AlreadyExists { .. } | Store::Precondition { .. } => {
            return Error::Exists { what: what.into() };
        }
        _ => {}
    }
    if says(BEYOND_THE_END) {
        return Error::corrupt(what, "it is shorter than what refers to it says");
    }
    match refusal(&error) {
        Some(Refusal::Full) => Error::Full {
            doing,
            source: error,
        },
        Some(Refusal::ReadOnly) => Error::ReadOnly {
            doing,
            source: error,
        },
        Some(Refusal::Denied) => Error::Denied {
            doing,
            source: error,
        },
        None => Error::Unreachable {
            doing,
            source: error,
        },
    }
}

/// The container or bucket is missing or on its way out. Codes of S3
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, also those of Cloud
/// Storage's XML API) and of Azure Blob Storage
/// (<https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes>).
const CONTAINER_AWAY: &[&str] = &[
    "NoSuchBucket",
    "ContainerNotFound",
    "ContainerBeingDeleted",
    "ContainerDisabled",
];

/// A rule of the store holds the object as it is: Azure's immutability policies, retention policies
/// of Cloud Storage, object locks.
const HELD: &[&str] = &[
    "BlobImmutableDueTo",
    "ContainerImmutableDueTo",
    "RetentionPolicyNotMet",
    "retentionPolicyNotMet",
    "ObjectUnderActiveHold",
    "WORM protected",
];

/// What was asked for begins behind the end of the object: the answer of services, and the words of
/// `object_store` for a file.
const BEYOND_THE_END: &[&str] = &["status code: 416", "Requested range was invalid"];

enum Refusal {
    Full,
    ReadOnly,
    Denied,
}

/// Reads the reason from the operating system's error when there is one in the chain, else from the
/// error code of the service, which `object_store` keeps in the text only.
fn refusal(error: &object_store::Error) -> Option<Refusal> {
    use std::io::ErrorKind;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(io) = current.downcast_ref::<std::io::Error>() {
            match io.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => return Some(Refusal::Full),
                ErrorKind::ReadOnlyFilesystem => return Some(Refusal::ReadOnly),
                ErrorKind::PermissionDenied => return Some(Refusal::Denied),
                _ => {}
            }
        }
        cause = current.source();
    }
    // Codes: MinIO `XMinioStorageFull` and HTTP 507; `QuotaExceeded` of several S3 services,
    // `InsufficientStorage` of ours; `ReadOnly` and `XMinioReadOnly` of services under maintenance.
    let text = error.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&[
        "XMinioStorageFull",
        "status code: 507",
        "QuotaExceeded",
        "InsufficientStorage",
    ]) {
        return Some(Refusal::Full);
    }
    if says(&["ReadOnlyAccess", "XMinioReadOnly", "<Code>ReadOnly"]) {
        return Some(Refusal::ReadOnly);
    }
    // The last two are answers of Google's token service to a key that it no longer knows.
    let denied = matches!(
        error,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    ) || says(&["invalid_grant", "unauthorized_client"]);
    denied.then_some(Refusal::Denied)
}
