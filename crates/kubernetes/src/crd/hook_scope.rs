//! The pods that a hook speaks of, from how both kinds of hooks write it: namespaces and a
//! `metav1.LabelSelector`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use strongroom_core::hooks::Scope;
use strongroom_core::selection::LabelSelector;
use strongroom_core::selection::labels::Requirement;

/// The meaning of what is written; what is wrong with it, with the field.
pub(super) fn scope(
    included: Option<&[String]>,
    excluded: Option<&[String]>,
    labels: Option<&Value>,
) -> Result<Scope, String> {
    let set = |names: Option<&[String]>| names.unwrap_or_default().iter().cloned().collect();
    Ok(Scope {
        included_namespaces: set(included),
        excluded_namespaces: set(excluded),
        selector: selector(labels).map_err(|why| format!("labelSelector: {why}"))?,
    })
}

/// `metav1.LabelSelector`, as far as it is read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenSelector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<WrittenRequirement>>,
}

#[derive(Deserialize)]
struct WrittenRequirement {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
}

/// The meaning of a `metav1.LabelSelector`; none, or an empty one, is every pod.
fn selector(written: Option<&Value>) -> Result<LabelSelector, String> {
    let Some(written) = written.filter(|value| !value.is_null()) else {
        return Ok(LabelSelector::default());
    };
    let written: WrittenSelector =
        serde_json::from_value(written.clone()).map_err(|error| error.to_string())?;
    let labels = written.match_labels.into_iter().flatten();
    let mut requirements: Vec<_> = labels
        .map(|(key, value)| Requirement::In(key, [value].into()))
        .collect();
    for one in written.match_expressions.into_iter().flatten() {
        let values: BTreeSet<_> = one.values.into_iter().flatten().collect();
        let (key, has_values) = (one.key, !values.is_empty());
        requirements.push(match (one.operator.as_str(), has_values) {
            ("In", true) => Requirement::In(key, values),
            ("NotIn", true) => Requirement::NotIn(key, values),
            ("Exists", false) => Requirement::Exists(key),
            ("DoesNotExist", false) => Requirement::Absent(key),
            ("In" | "NotIn", false) => return Err(format!("{key}: it takes values and has none")),
            ("Exists" | "DoesNotExist", true) => {
                return Err(format!("{key}: it takes no values"));
            }
            (other, _) => return Err(format!("{key}: there is no operator {other:?}")),
        });
    }
    Ok(LabelSelector::all_of(requirements))
}
