//! Section `[identity_provider]`: whose tokens let people in.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use super::ConfigError;

/// Section `[identity_provider]` of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityProviderSection {
    /// The issuer, exactly as its tokens name it (`iss`); its discovery document lies below.
    pub issuer: String,
    /// For whom a token must be (`aud`): the name under which the provider knows this server.
    pub audience: String,
    /// The public client that `strongroom login` signs people in with; none = the audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// What `strongroom login` asks for.
    #[serde(default = "default_scopes")]
    pub scopes: String,
    /// The authority of the provider's certificate, PEM; none = those that this machine trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The claim that says who somebody is, for good.
    #[serde(default = "default_subject_claim")]
    pub subject_claim: String,
    /// The claim with the name that people see.
    #[serde(default = "default_name_claim")]
    pub name_claim: String,
    /// The claim with the groups that somebody is in.
    #[serde(default = "default_groups_claim")]
    pub groups_claim: String,
    /// Subject and groups are GUIDs that the provider makes, as Entra's are, and are object ids as they
    /// stand. Otherwise object ids are derived from them: a group that anybody may name must never have
    /// the object id of somebody else.
    #[serde(default)]
    pub object_ids: bool,
}

fn default_scopes() -> String {
    "openid profile groups".to_owned()
}

fn default_subject_claim() -> String {
    "sub".to_owned()
}

fn default_name_claim() -> String {
    "preferred_username".to_owned()
}

fn default_groups_claim() -> String {
    "groups".to_owned()
}

impl IdentityProviderSection {
    /// The client that `strongroom login` signs people in with.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or(&self.audience)
    }

    /// Whether it can be used.
    ///
    /// # Errors
    /// When the issuer is no address whose answers can be trusted, or nobody is named as the audience.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refused = |name, value: &str, expected| ConfigError::Value {
            name,
            value: value.to_owned(),
            expected,
        };
        let is_safe = Url::parse(&self.issuer).is_ok_and(|url| {
            let whole = url.query().is_none() && url.fragment().is_none();
            whole && (url.scheme() == "https" || url.scheme() == "http" && is_this_machine(&url))
        });
        if !is_safe {
            return Err(refused(
                "identity_provider.issuer",
                &self.issuer,
                "an https:// address without a query, as the provider's tokens name it",
            ));
        }
        if self.audience.is_empty() {
            return Err(refused(
                "identity_provider.audience",
                "",
                "the name under which the provider knows this server",
            ));
        }
        Ok(())
    }
}

/// Whether what is sent there stays on this machine.
pub(crate) fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> IdentityProviderSection {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn an_issuer_over_the_network_needs_tls_and_an_audience_is_named() {
        let with = |issuer: &str| section(&format!("issuer = \"{issuer}\"\naudience = \"a\"\n"));
        for issuer in [
            "https://login.example.org/realms/main",
            "http://127.0.0.1:1",
            "http://localhost/x",
            "http://[::1]:5556/dex",
        ] {
            assert!(with(issuer).check().is_ok(), "{issuer}");
        }
        for issuer in [
            "http://login.example.org",
            "https://login.example.org?x",
            "ftp://x",
            "x",
            "",
            "http://localhost.example.org",
        ] {
            assert!(with(issuer).check().is_err(), "{issuer}");
        }
        let nobody = section("issuer = \"https://x\"\naudience = \"\"\n");
        assert!(nobody.check().is_err());
        assert!(toml::from_str::<IdentityProviderSection>("issuer = \"https://x\"").is_err());
    }

    #[test]
    fn what_is_not_said_is_what_most_providers_have() {
        let section = section("issuer = \"https://x\"\naudience = \"strongroom\"\n");
        assert_eq!(section.client_id(), "strongroom");
        assert_eq!(section.subject_claim, "sub");
        assert_eq!(section.groups_claim, "groups");
        assert!(!section.object_ids);
    }
}
