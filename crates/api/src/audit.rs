//! *Ours*: the audit log.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// Address of the entries.
pub const ENTRIES: &str = "/providers/Strongroom.Administration/auditEntries";

/// Address of where the log begins and ends.
pub const LOG: &str = "/providers/Strongroom.Administration/auditLog";

/// One entry: a call that wrote, or that was denied, with its place in the chain of hashes.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// 1 for the first, and one more for each.
    pub sequence: u64,
    /// When the call came.
    pub time: Timestamp,
    /// Who called; absent when nobody was known to.
    pub caller: Option<AuditCaller>,
    /// Whose right on a resource guard approved the call; absent when it needed no approval.
    pub approver: Option<AuditCaller>,
    /// The permission that the call needs.
    pub action: String,
    /// The resource, or where the address led.
    pub scope: String,
    /// HTTP method; empty for what the server does by itself.
    pub method: String,
    /// `Written`, `Answered`, `Denied`, `Refused` or `Failed`.
    pub outcome: String,
    /// HTTP status of the answer, unless it is `Written`.
    pub status: Option<u16>,
    /// The error's code.
    pub code: Option<String>,
    /// `x-ms-request-id` of the answer.
    pub request_id: String,
    /// `x-ms-correlation-request-id`.
    pub correlation_id: String,
    /// Address of the caller.
    pub client_address: Option<String>,
    /// How many calls of nobody known before it have no entry.
    pub unlisted: Option<u64>,
    /// The hash of the entry before, in hexadecimal digits.
    pub previous: String,
    /// Its own.
    pub hash: String,
}

/// Who called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditCaller {
    /// What roles are assigned to.
    pub object_id: String,
    /// `User`, `Application`, `Key`.
    pub kind: String,
    /// What people call it.
    pub name: String,
}

/// A place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditAnchor {
    /// Number of the entry; 0 before the first.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
}

/// Where the log begins and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditLog {
    /// What the first entry that is kept follows.
    pub base: AuditAnchor,
    /// The last entry.
    pub head: AuditAnchor,
}
