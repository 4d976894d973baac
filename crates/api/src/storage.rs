//! `Microsoft.Storage/storageAccounts` and their blob containers: where recovery points go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::arm::Resource;
use crate::secret::Secret;

/// `StorageAccount`.
pub type StorageAccountResource = Resource<StorageAccount>;

/// `StorageAccountProperties`, as far as it means anything here, and ours.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StorageAccount {
    /// Ours: what is behind the account; absent means [`Backend::Embedded`].
    pub backend: Option<Backend>,
    /// Read-only.
    pub provisioning_state: Option<String>,
    /// Read-only: `{"blob": URL}`.
    pub primary_endpoints: Option<PrimaryEndpoints>,
}

/// `Endpoints`.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PrimaryEndpoints {
    /// The blob service's URL.
    pub blob: Option<String>,
}

/// What is behind a storage account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum Backend {
    /// A folder of the server's, served over its data plane.
    #[default]
    Embedded,
    /// Any S3 service.
    S3(S3Backend),
    /// A storage account of Azure.
    AzureBlob(AzureBlobBackend),
    /// Google Cloud Storage.
    Gcs(GcsBackend),
}

/// An S3 service.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Backend {
    /// For example `https://s3.eu-central-1.amazonaws.com`. With `http` the service's credential is
    /// not sent in the clear (requests are signed) and neither is content (it is encrypted before it
    /// leaves), but names and sizes of objects can be seen on the way.
    pub endpoint: String,
    /// The same service as the clusters reach it, where that is another address than the server's:
    /// split-horizon DNS, or a service inside the cluster that the server reaches through an
    /// ingress. `caCertificate` holds for both. Absent: `endpoint`.
    pub extension_endpoint: Option<String>,
    /// For example `eu-central-1`; absent: `us-east-1`.
    pub region: Option<String>,
    /// True: `endpoint/bucket/key`; false: `bucket.endpoint/key`. Absent means true.
    pub path_style: Option<bool>,
    /// The access key.
    pub access_key_id: String,
    /// Write-only; kept encrypted.
    pub secret_access_key: Option<Secret>,
    /// Write-only; of temporary credentials.
    pub session_token: Option<Secret>,
    /// PEM of the CA to trust instead of the public ones.
    pub ca_certificate: Option<String>,
}

/// A storage account of Azure; a container is a blob container of it. The account's key or a shared
/// access signature is needed, not both.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureBlobBackend {
    /// Name of the account in Azure; absent: the name of this resource.
    pub account: Option<String>,
    /// Write-only; one of the account's two keys, in base64.
    pub account_key: Option<Secret>,
    /// Write-only; the query string of a signature that may read, create, list and delete.
    pub shared_access_signature: Option<Secret>,
    /// URL of the account's blob service; absent: `https://{account}.blob.core.windows.net`.
    pub endpoint: Option<String>,
    /// The same service as the clusters reach it, for example by a private endpoint.
    pub extension_endpoint: Option<String>,
    /// PEM of the CA to trust instead of the public ones.
    pub ca_certificate: Option<String>,
}

/// Google Cloud Storage; a container is a bucket.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcsBackend {
    /// Write-only; the JSON document of a service account's key.
    pub service_account_key: Option<Secret>,
    /// URL of the service; absent: `https://storage.googleapis.com`.
    pub endpoint: Option<String>,
    /// The same service as the clusters reach it.
    pub extension_endpoint: Option<String>,
    /// PEM of the CA to trust instead of the public ones.
    pub ca_certificate: Option<String>,
}

impl StorageAccount {
    /// Takes the key, and the token beside or instead of it, out, so that the rest can be stored and
    /// answered.
    pub fn take_secrets(&mut self) -> (Option<Secret>, Option<Secret>) {
        match &mut self.backend {
            Some(Backend::S3(s3)) => (s3.secret_access_key.take(), s3.session_token.take()),
            Some(Backend::AzureBlob(azure)) => (
                azure.account_key.take(),
                azure.shared_access_signature.take(),
            ),
            Some(Backend::Gcs(gcs)) => (gcs.service_account_key.take(), None),
            Some(Backend::Embedded) | None => (None, None),
        }
    }
}

/// `BlobContainer`: `…/blobServices/default/containers/{name}`.
pub type BlobContainerResource = Resource<BlobContainer>;

/// `ContainerProperties`, as far as it means anything here, and ours.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlobContainer {
    /// Ours: the bucket of an S3 or Cloud Storage backend, or the container of an Azure one; absent:
    /// the container's name.
    pub bucket: Option<String>,
    /// `None`; anything else is refused.
    pub public_access: Option<String>,
}
