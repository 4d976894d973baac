//! How a program gets a token: the client-credentials grant of OAuth 2.0 (RFC 6749, 4.4), at the address
//! that Entra has for it.

use std::sync::PoisonError;

use reqwest::Method;
use serde::Deserialize;
use url::form_urlencoded;

use super::transport::Call;
use super::{Client, ClientError};
use crate::secret::Secret;

/// What is read of the answer.
#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    expires_in: u64,
}

/// A token, and for how many seconds it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The access token.
    pub token: Secret,
    /// Seconds until it ends.
    pub expires_in: u64,
}

/// A program that signs in by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// The tenant that knows it.
    pub tenant: String,
    /// Its client id.
    pub client_id: String,
    /// Its secret.
    pub secret: Secret,
}

impl Client {
    /// The token to send, when there is one.
    pub(super) fn token(&self) -> Option<Secret> {
        let token = self.inner.token.read();
        token.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Signs in if there is somebody who can; tells whether there is a token now.
    pub(super) async fn renew_token(&self) -> Result<bool, ClientError> {
        let Some(principal) = &self.inner.service_principal else {
            return Ok(false);
        };
        let (tenant, client) = (&principal.tenant, &principal.client_id);
        let signed_in = self.sign_in(tenant, client, &principal.secret).await?;
        let mut token = self
            .inner
            .token
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *token = Some(signed_in.token);
        Ok(true)
    }

    /// A token for a service principal.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal has the code that the server's OAuth answer names.
    pub async fn sign_in(
        &self,
        tenant: &str,
        client_id: &str,
        secret: &Secret,
    ) -> Result<SignedIn, ClientError> {
        let scope = format!(
            "{}/.default",
            self.inner.base.as_str().trim_end_matches('/')
        );
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client_id)
            .append_pair("client_secret", secret.expose())
            .append_pair("scope", &scope)
            .finish();
        let path = format!("/{tenant}/oauth2/v2.0/token");
        let answer = self
            .send_as_it_is(&Call {
                method: Method::POST,
                url: self.url(&path, &[])?,
                body: Some(body.as_bytes()),
                headers: &[("content-type", "application/x-www-form-urlencoded")],
            })
            .await?;
        let granted: Granted = answer.json()?;
        Ok(SignedIn {
            token: granted.access_token,
            expires_in: granted.expires_in,
        })
    }
}
