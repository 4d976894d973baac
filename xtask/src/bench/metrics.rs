//! What the API server counted: requests by kind, and those of the extension's own account.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::raw::Raw;
use crate::failure::Result;

/// The FlowSchema that gives the extension's account a name of its own in the API server's metrics. It
/// hands on to the level that service accounts have anyway (`service-accounts`, precedence 9000), so
/// that nothing else about its requests changes.
const FLOW_SCHEMA: &str = "strongroom-bench";

/// The verbs that change something.
const WRITES: [&str; 6] = [
    "POST",
    "PUT",
    "PATCH",
    "APPLY",
    "DELETE",
    "DELETECOLLECTION",
];

/// What was counted since the API server's start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// Requests of the extension's account.
    pub(crate) calls: u64,
    /// Of those, the ones that were turned away by priority and fairness.
    pub(crate) rejected: u64,
    /// Requests of anyone that write, by verb and resource, our own bookkeeping apart.
    pub(crate) writes: BTreeMap<String, u64>,
}

impl Counted {
    /// Asks the API server.
    pub(crate) fn now(raw: &Raw) -> Result<Self> {
        let text = raw.ask(Method::GET, "/metrics", None)?;
        Ok(parse(text.as_str().unwrap_or_default()))
    }

    /// What was counted since an earlier look.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let mut writes = self.writes.clone();
        for (what, count) in &before.writes {
            let now = writes.entry(what.clone()).or_default();
            *now = now.saturating_sub(*count);
        }
        writes.retain(|_, count| *count > 0);
        Self {
            calls: self.calls.saturating_sub(before.calls),
            rejected: self.rejected.saturating_sub(before.rejected),
            writes,
        }
    }

    /// How many writes there were.
    pub(crate) fn write_count(&self) -> u64 {
        self.writes.values().sum()
    }
}

/// Gives the extension's requests their name.
pub(crate) fn name_the_extension(raw: &Raw, namespace: &str, account: &str) -> Result<()> {
    let every = json!(["*"]);
    let schema = json!({
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": FLOW_SCHEMA},
        "spec": {
            "priorityLevelConfiguration": {"name": "workload-low"},
            "matchingPrecedence": 8999,
            "distinguisherMethod": {"type": "ByUser"},
            "rules": [{
                "subjects": [{"kind": "ServiceAccount",
                    "serviceAccount": {"name": account, "namespace": namespace}}],
                "resourceRules": [{"verbs": every, "apiGroups": every, "resources": every,
                    "namespaces": every, "clusterScope": true}],
                "nonResourceRules": [{"verbs": every, "nonResourceURLs": every}],
            }],
        },
    });
    let path = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";
    raw.ask(Method::POST, path, Some(&schema))
        .map(|_: Value| ())
}

fn parse(text: &str) -> Counted {
    let mut counted = Counted::default();
    for line in text.lines() {
        let Some((name, labels, value)) = sample(line) else {
            continue;
        };
        let label = |name: &str| labels.get(name).copied().unwrap_or_default();
        let ours = label("flow_schema") == FLOW_SCHEMA;
        match name {
            "apiserver_flowcontrol_dispatched_requests_total" if ours => counted.calls += value,
            "apiserver_flowcontrol_rejected_requests_total" if ours => counted.rejected += value,
            "apiserver_request_total" if is_write(&label) => {
                let mut what = format!("{} {}", label("verb"), label("resource"));
                if !label("subresource").is_empty() {
                    what = format!("{what}/{}", label("subresource"));
                }
                *counted.writes.entry(what).or_default() += value;
            }
            _ => {}
        }
    }
    counted
}

/// Whether requests of these labels change users' objects. Left out: our custom resources (a job's own
/// progress), leases (the API server's and the controllers' sign of life), and questions that are
/// asked by POST and leave nothing behind.
fn is_write<'a>(label: &impl Fn(&str) -> &'a str) -> bool {
    let questions = [
        "tokenreviews",
        "subjectaccessreviews",
        "selfsubjectaccessreviews",
        "selfsubjectrulesreviews",
        "selfsubjectreviews",
    ];
    WRITES.contains(&label("verb"))
        && label("dry_run").is_empty()
        && label("group") != "clusterbackup.dataprotection.microsoft.com"
        && label("resource") != "leases"
        && !questions.contains(&label("resource"))
        && label("subresource") != "token"
}

/// One line of the text format (<https://prometheus.io/docs/instrumenting/exposition_formats/>): name,
/// labels, value. Values of labels with commas or quotes do not occur in what is read here.
fn sample(line: &str) -> Option<(&str, BTreeMap<&str, &str>, u64)> {
    if line.starts_with('#') {
        return None;
    }
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    let labels = labels.split(',').filter_map(|label| {
        let (name, value) = label.split_once('=')?;
        Some((name, value.trim_matches('"')))
    });
    let value = value.trim().parse::<f64>().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters are whole and not negative"
    )]
    let value = value as u64;
    Some((name, labels.collect(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "# HELP x\n\
        apiserver_flowcontrol_dispatched_requests_total{flow_schema=\"strongroom-bench\",priority_level=\"workload-low\"} 5\n\
        apiserver_flowcontrol_dispatched_requests_total{flow_schema=\"exempt\",priority_level=\"exempt\"} 70\n\
        apiserver_request_total{code=\"201\",dry_run=\"\",group=\"\",resource=\"secrets\",subresource=\"\",verb=\"POST\",version=\"v1\"} 3\n\
        apiserver_request_total{code=\"200\",dry_run=\"\",group=\"\",resource=\"secrets\",subresource=\"\",verb=\"GET\",version=\"v1\"} 9\n\
        apiserver_request_total{code=\"200\",dry_run=\"\",group=\"coordination.k8s.io\",resource=\"leases\",subresource=\"\",verb=\"PUT\",version=\"v1\"} 9\n\
        apiserver_request_total{code=\"200\",dry_run=\"\",group=\"clusterbackup.dataprotection.microsoft.com\",resource=\"restores\",subresource=\"status\",verb=\"PATCH\",version=\"v1\"} 9\n";

    #[test]
    fn writes_are_counted_without_bookkeeping_and_calls_by_account() {
        let before = parse(BEFORE);
        assert_eq!((before.calls, before.write_count()), (5, 3));
        let after = parse(
            &BEFORE
                .replace("} 3\n", "} 7\n")
                .replace("} 5\n", "} 6.5e+01\n"),
        );
        let since = after.since(&before);
        assert_eq!(since.calls, 60);
        assert_eq!(
            since.writes,
            BTreeMap::from([("POST secrets".to_owned(), 4)])
        );
    }
}
