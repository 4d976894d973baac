//! What the test cluster's driver itself says: its calls for snapshots, and the snapshots that it has.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::seconds;
use crate::cluster::Cluster;
use crate::failure::{Doing, Result};
use crate::tool;

/// One call, as `tests/cluster/csi-loop/calls.go` writes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Call {
    call: String,
    pub(super) snapshot: String,
    pub(super) begin: String,
    end: String,
    code: String,
}

impl Call {
    /// Whether it made a snapshot, or found it made.
    pub(super) fn made_a_snapshot(&self) -> bool {
        self.call == "CreateSnapshot" && self.code == "OK"
    }

    /// How long it took.
    pub(super) fn seconds(&self) -> f64 {
        seconds(&self.begin, &self.end)
    }
}

/// From the beginning of the first call to the end of the last.
pub(super) fn span(calls: &[Call]) -> f64 {
    let first = calls.iter().map(|call| call.begin.as_str()).min();
    let last = calls.iter().map(|call| call.end.as_str()).max();
    match (first, last) {
        (Some(first), Some(last)) => seconds(first, last),
        _ => f64::NAN,
    }
}

/// The driver of one cluster.
pub(super) struct Driver {
    folder: PathBuf,
}

impl Driver {
    /// The driver of a cluster, by the folder of its volumes.
    pub(super) fn of(cluster: &Cluster) -> Self {
        Self {
            folder: cluster.state().join("volumes"),
        }
    }

    /// All calls that have ended, in that order.
    pub(super) fn calls(&self) -> Result<Vec<Call>> {
        let file = self.folder.join("calls.jsonl");
        let doing = || format!("read {}", file.display());
        let text = tool::text_of(&file);
        // The last line may be being written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let lines = whole
            .lines()
            .map(|line| serde_json::from_str(line).doing(doing));
        lines.collect()
    }

    /// The snapshots that it has.
    pub(super) fn snapshots(&self) -> Result<BTreeSet<String>> {
        let file = self.folder.join("state.json");
        let doing = || format!("read {}", file.display());
        let state: Value = serde_json::from_str(&tool::text_of(&file)).doing(doing)?;
        let names = state["Snapshots"].as_object().into_iter().flatten();
        Ok(names.map(|(name, _)| name.clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(begin: &str, end: &str) -> Call {
        Call {
            call: "CreateSnapshot".to_owned(),
            snapshot: "s".to_owned(),
            begin: format!("2026-01-01T00:00:{begin}Z"),
            end: format!("2026-01-01T00:00:{end}Z"),
            code: "OK".to_owned(),
        }
    }

    #[test]
    fn the_span_of_calls_is_from_the_first_beginning_to_the_last_end() {
        let calls = [call("01.500", "04.000"), call("01.250", "03.000")];
        assert!((span(&calls) - 2.75).abs() < 1e-9);
        assert!((calls[0].seconds() - 2.5).abs() < 1e-9);
        assert!(span(&[]).is_nan());
    }
}
