//! Section `[server]`: where the server keeps its data, where it listens and how others reach it.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::Url;

/// Where the server listens when nothing is said: this machine only, until an administrator
/// decides otherwise.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8443);

/// Section `[server]` of the configuration file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSection {
    /// Data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// Folder of the embedded storage accounts; none = `blobs` in the data directory. Servers that share a
    /// catalogue share this folder as well, or use no embedded accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blobs_dir: Option<PathBuf>,
    /// Address and port; port 0 takes a free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,
    /// What extensions use to reach this server, for example `https://backup.example.org:8443`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_url: Option<Url>,
    /// Days after which the administrator's token is refused and another one is written to
    /// `admin.token`; none = it is accepted until it is rotated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_token_lifetime_days: Option<NonZeroU16>,
}
