//! Where the provider's keys are, and the keys: two documents of bounded size.

use std::path::PathBuf;

use jsonwebtoken::jwk::Jwk;
use reqwest::{Certificate, Client, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::app::limits::{IDENTITY_PROVIDER_TIMEOUT, KEYS_BYTES_MAX, KEYS_MAX};
use crate::config::identity_provider::{IdentityProviderSection, is_this_machine};

/// Why the provider cannot be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The file of its authority.
    #[error("could not read identity_provider.ca_file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is in it, or the cryptography.
    #[error("the identity provider's certificates cannot be checked: {0}")]
    Tls(String),
}

/// Why the keys were not had.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHad {
    #[error("{url} was not answered: {why}")]
    Unanswered { url: String, why: String },
    #[error("{url} answers with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} answers with more than {KEYS_BYTES_MAX} bytes")]
    TooLong { url: String },
    #[error("what {url} answers is not understood: {why}")]
    NotUnderstood { url: String, why: String },
    #[error("the document at {url} is of another issuer, {found}")]
    OfAnother { url: String, found: String },
    #[error("its keys are at {0}, which is not reached by TLS")]
    Plain(String),
}

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// The provider, as it is asked.
#[derive(Debug)]
pub(super) struct Source {
    issuer: String,
    client: Client,
}

impl Source {
    pub(super) fn new(settings: &IdentityProviderSection) -> Result<Self, SetupError> {
        let mut client = Client::builder()
            .timeout(IDENTITY_PROVIDER_TIMEOUT)
            .redirect(redirect::Policy::none());
        if let Some(path) = &settings.ca_file {
            let pem = std::fs::read(path).map_err(|source| SetupError::Read {
                path: path.clone(),
                source,
            })?;
            let bundle = Certificate::from_pem_bundle(&pem)
                .map_err(|error| SetupError::Tls(crate::app::error::chain(&error)))?;
            if bundle.is_empty() {
                let why = format!("{} holds no certificate", path.display());
                return Err(SetupError::Tls(why));
            }
            client = client.tls_certs_only(bundle);
        }
        let client = client
            .build()
            .map_err(|error| SetupError::Tls(crate::app::error::chain(&error)))?;
        Ok(Self {
            issuer: settings.issuer.clone(),
            client,
        })
    }

    /// The keys that it signs with now. One that is not understood is passed over: it may be of an algorithm
    /// of tomorrow, beside those of today.
    pub(super) async fn keys(&self) -> Result<Vec<Jwk>, NotHad> {
        let base = self.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        let configuration: Configuration = self.get(&url).await?;
        if configuration.issuer != self.issuer {
            let found = configuration.issuer.chars().take(200).collect();
            return Err(NotHad::OfAnother { url, found });
        }
        let at = configuration.jwks_uri;
        let is_safe = Url::parse(&at).is_ok_and(|url| {
            url.scheme() == "https" || url.scheme() == "http" && is_this_machine(&url)
        });
        if !is_safe {
            return Err(NotHad::Plain(at.chars().take(200).collect()));
        }
        let published: Published = self.get(&at).await?;
        let keys = published.keys.into_iter().take(KEYS_MAX);
        Ok(keys
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect())
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, NotHad> {
        let unanswered = |error: reqwest::Error| NotHad::Unanswered {
            url: url.to_owned(),
            why: crate::app::error::chain(&error.without_url()),
        };
        let mut answer = self.client.get(url).send().await.map_err(unanswered)?;
        if !answer.status().is_success() {
            return Err(NotHad::Status {
                url: url.to_owned(),
                status: answer.status().as_u16(),
            });
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(unanswered)? {
            if body.len() + part.len() > KEYS_BYTES_MAX {
                return Err(NotHad::TooLong {
                    url: url.to_owned(),
                });
            }
            body.extend_from_slice(&part);
        }
        serde_json::from_slice(&body).map_err(|error| NotHad::NotUnderstood {
            url: url.to_owned(),
            why: error.to_string(),
        })
    }
}
