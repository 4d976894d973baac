//! A receiver by HTTP: a POST of JSON lines, which an answer of 2xx takes.

use reqwest::header::CONTENT_TYPE;
use reqwest::{Certificate, Client};
use strongroom_api::secret::Secret;
use strongroom_core::audit::Entry;
use url::Url;

use super::Unreceived;
use crate::config::audit::ReceiverSettings;
use crate::worker::limits::AUDIT_PATIENCE;

/// A receiver by HTTP.
pub struct HttpReceiver {
    client: Client,
    url: Url,
    token: Option<Secret>,
}

impl HttpReceiver {
    pub(super) fn open(settings: &ReceiverSettings) -> Result<Self, Unreceived> {
        let failed = |error: reqwest::Error| Unreceived(error.without_url().to_string());
        let mut builder = Client::builder()
            .timeout(AUDIT_PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        if let Some(pem) = &settings.ca_pem {
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(failed)?;
            builder = builder.tls_certs_only(certificates);
        }
        Ok(Self {
            client: builder.build().map_err(failed)?,
            url: settings.url.clone(),
            token: settings.token.clone(),
        })
    }

    pub(super) async fn take(&self, entries: &[Entry]) -> Result<(), Unreceived> {
        let mut body = String::new();
        for entry in entries {
            let line =
                serde_json::to_string(entry).map_err(|error| Unreceived(error.to_string()))?;
            body.push_str(&line);
            body.push('\n');
        }
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose());
        }
        let answer = request
            .send()
            .await
            .map_err(|error| Unreceived(told(&error.without_url())))?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(Unreceived(format!("it answered {}", answer.status())))
    }
}

/// An error with what led to it.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        source = inner.source();
    }
    text
}
