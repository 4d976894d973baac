//! How a person signs in at their own identity provider: the device authorization grant of OAuth 2.0
//! (RFC 8628). They open a page in any browser and enter a code; nothing listens on this machine, so that it
//! works over SSH as well.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::error::{ApiError, ClientError, chain};
use super::sign_in::SignedIn;
use super::{CONNECT_TIMEOUT, Client, ClientOptions, REQUEST_TIMEOUT, parse_server};
use crate::administration::{PROTECTED_RESOURCE, ProtectedResource, SignInWith};
use crate::secret::Secret;

/// Seconds between two looks when the provider names none (RFC 8628, 3.2), and what is added whenever it asks
/// to slow down (3.5).
const INTERVAL: u64 = 5;

/// The longest pause between two looks that is believed: a person waits for it.
const INTERVAL_MAX: u64 = 60;

/// Largest answer of a provider: tokens of some KiB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// The grant, as it is asked for.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Deserialize)]
struct Configuration {
    issuer: String,
    token_endpoint: String,
    device_authorization_endpoint: Option<String>,
}

#[derive(Deserialize)]
struct Begun {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: Option<Secret>,
    id_token: Option<Secret>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    error_description: Option<String>,
}

impl Client {
    /// How people sign in here; none when they do not. Needs no token.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn sign_in_with(&self) -> Result<Option<SignInWith>, ClientError> {
        let answer = self.call(Method::GET, PROTECTED_RESOURCE, &[], None::<&()>);
        let known: ProtectedResource = answer.await?.json()?;
        Ok(known.strongroom_sign_in)
    }
}

/// A sign-in that waits for its person.
#[derive(Debug)]
pub struct DeviceSignIn {
    http: reqwest::Client,
    with: SignInWith,
    token_endpoint: Url,
    device_code: Secret,
    /// What the person enters.
    pub user_code: String,
    /// Where.
    pub page: String,
    /// The same with the code in it, for who can click.
    pub whole_page: Option<String>,
    /// For how long the code is good.
    pub expires_in: Duration,
    pause: Duration,
}

impl DeviceSignIn {
    /// Asks the provider for a code. `ca_certificate` is the PEM of its authority, when this machine does not
    /// trust it already.
    ///
    /// # Errors
    /// [`ClientError`]: the provider cannot be reached, is another one than it should be, or does not do this.
    pub async fn begin(
        with: SignInWith,
        ca_certificate: Option<&str>,
    ) -> Result<Self, ClientError> {
        let issuer = parse_server(&with.issuer)?;
        let http = http(&issuer, ca_certificate)?;
        let at = with.issuer.trim_end_matches('/');
        let at = endpoint(&format!("{at}/.well-known/openid-configuration"))?;
        let known: Configuration = read(http.get(at.clone()), &at)
            .await?
            .map_err(|refused| ClientError::Api(Box::new(refusal(&refused))))?;
        if known.issuer != with.issuer {
            let found: String = known.issuer.chars().take(200).collect();
            return Err(odd(&at, format!("it is of another issuer, {found}")));
        }
        let begin = known.device_authorization_endpoint.ok_or_else(|| {
            odd(
                &at,
                "the provider does not let people sign in by a code (RFC 8628)".to_owned(),
            )
        })?;
        let (begin, token_endpoint) = (endpoint(&begin)?, endpoint(&known.token_endpoint)?);
        let form = [
            ("client_id", with.client_id.as_str()),
            ("scope", &with.scope),
        ];
        let begun: Result<Begun, Refusal> = post(&http, &begin, &form).await?;
        let begun = begun.map_err(|refused| ClientError::Api(Box::new(refusal(&refused))))?;
        let pause = begun.interval.unwrap_or(INTERVAL).min(INTERVAL_MAX);
        Ok(Self {
            http,
            with,
            token_endpoint,
            device_code: begun.device_code,
            user_code: begun.user_code,
            page: begun.verification_uri,
            whole_page: begun.verification_uri_complete,
            expires_in: Duration::from_secs(begun.expires_in),
            pause: Duration::from_secs(pause),
        })
    }

    /// Waits until the person has signed in.
    ///
    /// # Errors
    /// [`ClientError`]: they refused, were too late, or the provider gave no token for the server.
    pub async fn wait(mut self) -> Result<SignedIn, ClientError> {
        let until = Instant::now() + self.expires_in;
        let form = [
            ("grant_type", GRANT),
            ("client_id", self.with.client_id.as_str()),
            ("device_code", self.device_code.expose()),
        ];
        loop {
            if Instant::now() + self.pause > until {
                let late = Refusal {
                    error: "expired_token".to_owned(),
                    error_description: Some("nobody has entered the code in time".to_owned()),
                };
                return Err(ClientError::Api(Box::new(refusal(&late))));
            }
            tokio::time::sleep(self.pause).await;
            let answer: Result<Tokens, Refusal> =
                match post(&self.http, &self.token_endpoint, &form).await {
                    // A look that failed is made again (RFC 8628, 3.5).
                    Err(error) if error.is_transient() => continue,
                    other => other?,
                };
            match answer {
                Ok(tokens) => return self.chosen(&tokens),
                Err(refused) => match refused.error.as_str() {
                    "authorization_pending" => {}
                    "slow_down" => self.pause += Duration::from_secs(INTERVAL),
                    _ => return Err(ClientError::Api(Box::new(refusal(&refused)))),
                },
            }
        }
    }

    /// The token that is for the server: the access token, where it is one that the server can read and is
    /// meant to, else the ID token.
    fn chosen(&self, tokens: &Tokens) -> Result<SignedIn, ClientError> {
        let candidates = [&tokens.access_token, &tokens.id_token];
        let fitting = candidates.into_iter().flatten().find_map(|token| {
            let claims = claims(token.expose())?;
            is_for(&claims, &self.with.audience).then_some((token, claims))
        });
        let (token, claims) = fitting.ok_or_else(|| {
            odd(
                &self.token_endpoint,
                format!("it gave no token for '{}'", self.with.audience),
            )
        })?;
        // Both say when they were issued (RFC 9068, 2.2; OpenID Connect Core, 2).
        let [end, issued] = ["exp", "iat"].map(|claim| claims[claim].as_f64().unwrap_or_default());
        Ok(SignedIn {
            token: token.clone(),
            expires_in: (end - issued) as u64,
        })
    }
}

/// What a token says, unproven: this only chooses between tokens.
fn claims(token: &str) -> Option<Value> {
    let [_, claims, _] = *token.split('.').collect::<Vec<_>>() else {
        return None;
    };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}

fn is_for(claims: &Value, audience: &str) -> bool {
    match &claims["aud"] {
        Value::String(one) => one == audience,
        Value::Array(several) => several.iter().any(|one| one == audience),
        _ => false,
    }
}

fn http(issuer: &Url, ca_certificate: Option<&str>) -> Result<reqwest::Client, ClientError> {
    let mut options = ClientOptions::new(issuer.as_str());
    options.ca_certificate = ca_certificate.map(str::to_owned);
    (options.request_timeout, options.connect_timeout) = (REQUEST_TIMEOUT, CONNECT_TIMEOUT);
    Ok(Client::new(options)?.inner.http.clone())
}

/// An address of the provider, which must be reached by TLS as the server must.
fn endpoint(text: &str) -> Result<Url, ClientError> {
    parse_server(text)
}

async fn post<T: DeserializeOwned>(
    http: &reqwest::Client,
    at: &Url,
    fields: &[(&str, &str)],
) -> Result<Result<T, Refusal>, ClientError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    let request = http
        .post(at.clone())
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .body(form.finish());
    read(request, at).await
}

/// What is answered, or what is refused (RFC 6749, 5.2).
async fn read<T: DeserializeOwned>(
    request: reqwest::RequestBuilder,
    at: &Url,
) -> Result<Result<T, Refusal>, ClientError> {
    let unreachable = |error: reqwest::Error| ClientError::Unreachable {
        server: at.origin().ascii_serialization(),
        cause: chain(&error.without_url()),
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(unreachable)? {
        if body.len() + part.len() > ANSWER_BYTES_MAX {
            let why = format!("it is longer than {ANSWER_BYTES_MAX} bytes");
            return Err(odd(at, why));
        }
        body.extend_from_slice(&part);
    }
    if status.is_success() {
        let read = serde_json::from_slice(&body);
        return read.map(Ok).map_err(|error| odd(at, error.to_string()));
    }
    match serde_json::from_slice(&body) {
        Ok(refused) if status != StatusCode::NOT_FOUND => Ok(Err(refused)),
        _ => Err(odd(at, format!("it has status {}", status.as_u16()))),
    }
}

fn odd(at: &Url, message: String) -> ClientError {
    ClientError::Protocol {
        what: format!("identity provider, {}", at.path()),
        message,
    }
}

fn refusal(refused: &Refusal) -> ApiError {
    let described = refused.error_description.clone();
    ApiError {
        status: StatusCode::UNAUTHORIZED.as_u16(),
        code: "AuthenticationFailed".to_owned(),
        message: format!(
            "the identity provider refused: {}",
            described.unwrap_or_else(|| refused.error.clone())
        ),
        target: None,
        details: Vec::new(),
        request_id: None,
        retry_after: None,
        what: "sign in at the identity provider".to_owned(),
    }
}
