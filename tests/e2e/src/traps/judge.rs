//! Compares the state before and after, object by object and version by version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value, json};
use strongroom_core::selection::SNAPSHOT_LABEL;

use super::allowed::{self, ALLOWED};
use super::noise::{self, NOISE};
use super::rules::{MADE_BY_THE_CLUSTER, OF_THE_CLUSTER, RULES};
use super::snapshot::{Identity, Snapshot};

/// The lines of the reports of a backup and of the restore from it.
#[derive(Debug, Clone, Default)]
pub struct Report {
    lines: BTreeMap<Identity, Vec<Value>>,
}

/// What came of a comparison.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// Equal, explained and unexplained objects by kind.
    by_kind: BTreeMap<String, [usize; 3]>,
    /// How many places each row of the written tables explains.
    by_row: BTreeMap<String, usize>,
    /// The rows of what reports may say that were needed.
    allowed: BTreeSet<usize>,
    /// Each explained difference with its explanation.
    pub explained: Vec<String>,
    /// Each difference that nothing explains.
    pub unexplained: Vec<String>,
}

impl Report {
    /// The reports' lines, as the command line prints them.
    pub fn of(reports: &[&Value]) -> Self {
        let mut lines: BTreeMap<Identity, Vec<Value>> = BTreeMap::new();
        for line in reports
            .iter()
            .filter_map(|report| report.as_array())
            .flatten()
        {
            let text = |field: &str| {
                line["object"][field]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned()
            };
            let identity = Identity {
                group: text("group"),
                kind: text("kind"),
                namespace: text("namespace"),
                name: text("name"),
            };
            lines.entry(identity).or_default().push(line.clone());
        }
        Self { lines }
    }

    /// Why an object is not there: the restore's or the backup's line on it or on its type, when a row
    /// lets it say that. With the row.
    fn on_loss(&self, object: &Identity) -> Option<(String, usize)> {
        let of_type = |namespace: &str| Identity {
            namespace: namespace.to_owned(),
            name: "*".to_owned(),
            ..object.clone()
        };
        [object.clone(), of_type(""), of_type(&object.namespace)]
            .iter()
            .filter_map(|place| self.lines.get(place))
            .flatten()
            .filter(|line| line["outcome"] == "Skipped" || line["outcome"] == "Failed")
            .find_map(|line| {
                let row = allowed::row_of(object, line)?;
                let why = ALLOWED.get(row).map(|row| row.why).unwrap_or_default();
                let told = format!("{}: {}; {why}", line["outcome"], line["reason"]);
                Some((told, row))
            })
    }

    /// The failures and findings that no row lets a report tell.
    pub fn not_allowed(&self) -> Vec<String> {
        let open = self.findings().filter(|(_, row)| row.is_none());
        open.map(|(line, _)| line.to_string()).collect()
    }

    /// Rows that neither a loss nor a finding needed: they would hide what they no longer describe.
    pub fn unused(&self, judgement: &Judgement) -> Vec<String> {
        let found: BTreeSet<usize> = self.findings().filter_map(|(_, row)| row).collect();
        let rows = ALLOWED.iter().enumerate();
        rows.filter(|(row, _)| !judgement.allowed.contains(row) && !found.contains(row))
            .map(|(_, row)| format!("{} {}: {}", row.kind, row.name, row.why))
            .collect()
    }

    /// Every failure and finding, with its row.
    fn findings(&self) -> impl Iterator<Item = (&Value, Option<usize>)> {
        self.lines.iter().flat_map(|(object, lines)| {
            let odd = |line: &&Value| line["outcome"] == "Failed" || line["code"].is_string();
            let with_row = |line| (line, allowed::row_of(object, line));
            lines.iter().filter(odd).map(with_row)
        })
    }
}

/// Compares.
pub fn judge(before: &Snapshot, after: &Snapshot, report: &Report) -> Judgement {
    let mut judgement = Judgement::default();
    let all: BTreeSet<&Identity> = before.objects.keys().chain(after.objects.keys()).collect();
    for object in all {
        let found = match (before.objects.get(object), after.objects.get(object)) {
            (Some(was), Some(is)) => changed(object, was, is, &mut judgement.by_row),
            (Some(was), None) => {
                let told = report.on_loss(object);
                judgement.allowed.extend(told.iter().map(|(_, row)| *row));
                lost(object, was, before, after, told.map(|(why, _)| why))
            }
            (None, Some(is)) => extra(object, is, before, after),
            (None, None) => continue,
        };
        judgement.add(object, found);
    }
    judge_others(before, after, &mut judgement);
    judgement
}

/// What is none of the sample's is as it was, by the count of the API server, but for what is noise.
fn judge_others(before: &Snapshot, after: &Snapshot, judgement: &mut Judgement) {
    let all: BTreeSet<&Identity> = before.others.keys().chain(after.others.keys()).collect();
    for object in all {
        let mut places = Vec::new();
        match (before.others.get(object), after.others.get(object)) {
            (Some(was), Some(is)) => differences("", Some(was), Some(is), &mut places),
            (was, is) => {
                let there = |one: Option<&Value>| one.map_or("not there", |_| "there").to_owned();
                places.push((String::new(), there(was), there(is)));
            }
        }
        for (place, old, new) in places {
            match noise::row_of(object, &place).and_then(|row| NOISE.get(row)) {
                Some(row) => {
                    let row = format!("{} {} {}: {}", row.kind, row.name, row.place, row.why);
                    *judgement.by_row.entry(row).or_default() += 1;
                }
                None => {
                    let told = format!("of others: {object}: {place}: {old} → {new}");
                    judgement.unexplained.push(told);
                }
            }
        }
    }
}

/// A difference, with its explanation when there is one.
type Found = Vec<(String, Option<String>)>;

fn changed(
    object: &Identity,
    was: &BTreeMap<String, Value>,
    is: &BTreeMap<String, Value>,
    by_row: &mut BTreeMap<String, usize>,
) -> Found {
    let mut found = Found::new();
    for (version, was) in was {
        let Some(is) = is.get(version) else {
            found.push((format!("is no longer served as {version}"), None));
            continue;
        };
        let mut places = Vec::new();
        differences("", Some(&normal(was)), Some(&normal(is)), &mut places);
        for (place, old, new) in places {
            let row = RULES.iter().find(|row| {
                (row.kind == "*" || row.kind == object.kind)
                    && is_below(&place, row.place)
                    && (row.holds)(was, is)
            });
            // Every object has these; they are counted, but not worth a line each.
            if let Some(row) = row {
                let row = format!("{} {}: {}", row.kind, row.place, row.why);
                *by_row.entry(row).or_default() += 1;
                continue;
            }
            found.push((format!("{version} {place}: {old} → {new}"), None));
        }
    }
    found
}

fn lost(
    object: &Identity,
    was: &BTreeMap<String, Value>,
    before: &Snapshot,
    after: &Snapshot,
    mut why: Option<String>,
) -> Found {
    if object.kind == "IPAddress" || is_provisioned(object, was) {
        why = why.or_else(|| Some("the cluster assigns it anew".to_owned()));
    }
    if is_kept_snapshot(object, was) {
        why =
            Some("it was kept for a recovery point of an earlier stage, which is gone".to_owned());
    }
    let replaced = made_for(was)
        .is_none_or(|owner| count(before, object, &owner) == count(after, object, &owner));
    let mut found = vec![("lost".to_owned(), why)];
    if object.kind == "Pod" && !replaced {
        found.push((
            "its controller has another number of pods now".to_owned(),
            None,
        ));
    }
    found
}

fn extra(
    object: &Identity,
    is: &BTreeMap<String, Value>,
    before: &Snapshot,
    after: &Snapshot,
) -> Found {
    let by_controller = made_for(is)
        .filter(|owner| {
            object.kind == "Pod" && count(before, object, owner) == count(after, object, owner)
        })
        .map(|owner| format!("{owner} made it anew"));
    let by_cluster =
        MADE_BY_THE_CLUSTER.contains(&object.kind.as_str()) || object.kind == "IPAddress";
    let by_the_backup = is_kept_snapshot(object, is)
        .then(|| "the backup took it, and its recovery point needs it".to_owned());
    let why = by_controller.or(by_the_backup).or_else(|| {
        (by_cluster || is_provisioned(object, is)).then(|| "the cluster made it".to_owned())
    });
    vec![("was not there before".to_owned(), why)]
}

/// The controller of an object, by kind and name.
fn made_for(versions: &BTreeMap<String, Value>) -> Option<String> {
    let object = versions.values().next()?;
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let owner = owners.iter().find(|owner| owner["controller"] == true)?;
    Some(format!(
        "{} {}",
        owner["kind"].as_str()?,
        owner["name"].as_str()?
    ))
}

/// How many objects of a kind and namespace a controller has.
fn count(snapshot: &Snapshot, like: &Identity, owner: &str) -> usize {
    let others = snapshot.objects.iter().filter(|(object, versions)| {
        object.kind == like.kind
            && object.namespace == like.namespace
            && made_for(versions).as_deref() == Some(owner)
    });
    others.count()
}

/// Whether a volume's name was made up by a provisioner.
fn is_provisioned(object: &Identity, versions: &BTreeMap<String, Value>) -> bool {
    object.kind == "PersistentVolume"
        && versions.values().any(|volume| {
            volume["metadata"]["annotations"]["pv.kubernetes.io/provisioned-by"].is_string()
        })
}

/// Whether it is the snapshot of a volume that a recovery point keeps.
fn is_kept_snapshot(object: &Identity, versions: &BTreeMap<String, Value>) -> bool {
    object.kind == "VolumeSnapshotContent"
        && versions
            .values()
            .all(|content| content["metadata"]["labels"][SNAPSHOT_LABEL].is_string())
}

/// An object as it is compared: managers by their names instead of their order, without when they
/// wrote and what the cluster's own parts wrote; volumes of tokens without the random end of their name.
fn normal(object: &Value) -> Value {
    let mut object = object.clone();
    let mut managers = Map::new();
    for entry in object["metadata"]["managedFields"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = |field: &str| entry[field].as_str().unwrap_or_default();
        if OF_THE_CLUSTER.contains(&text("manager")) {
            continue;
        }
        let mut fields = entry["fieldsV1"].clone();
        // Owners are named by their uids there.
        if let Some(metadata) = fields.get_mut("f:metadata").and_then(Value::as_object_mut) {
            metadata.remove("f:ownerReferences");
            if metadata.is_empty() {
                fields
                    .as_object_mut()
                    .map(|fields| fields.remove("f:metadata"));
            }
        }
        let name = format!(
            "{} {} {}",
            text("manager"),
            text("operation"),
            text("subresource")
        );
        managers.insert(name.trim().to_owned(), Value::String(fields.to_string()));
    }
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        if !managers.is_empty() {
            metadata.insert("managers".to_owned(), Value::Object(managers));
        }
    }
    if object["kind"] == "Pod" || object["spec"]["containers"].is_array() {
        name_tokens_alike(&mut object);
    }
    object
}

fn name_tokens_alike(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("kube-api-access-") => {
            *text = "kube-api-access".to_owned()
        }
        Value::Array(items) => items.iter_mut().for_each(name_tokens_alike),
        Value::Object(fields) => fields.values_mut().for_each(name_tokens_alike),
        _ => {}
    }
}

/// Every place in which two values differ; what is there on one side only is gone into, so that each
/// place of it is told.
fn differences(
    path: &str,
    was: Option<&Value>,
    is: Option<&Value>,
    found: &mut Vec<(String, String, String)>,
) {
    let empty = json!({});
    match (was, is) {
        (Some(was), Some(is)) if was == is => {}
        (Some(Value::Array(was)), Some(Value::Array(is))) if was.len() == is.len() => {
            for (index, (was, is)) in was.iter().zip(is).enumerate() {
                differences(&format!("{path}/{index}"), Some(was), Some(is), found);
            }
        }
        (was, is) if is_map_or_none(was) && is_map_or_none(is) => {
            let (was, is) = (was.unwrap_or(&empty), is.unwrap_or(&empty));
            if was.as_object().is_some_and(Map::is_empty)
                && is.as_object().is_some_and(Map::is_empty)
            {
                found.push((path.to_owned(), shown(Some(was)), shown(Some(is))));
            }
            let keys: BTreeSet<&String> = [was, is]
                .into_iter()
                .filter_map(Value::as_object)
                .flat_map(Map::keys)
                .collect();
            for key in keys {
                let place = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                differences(&place, was.get(key), is.get(key), found);
            }
        }
        (was, is) => found.push((path.to_owned(), shown(was), shown(is))),
    }
}

fn is_map_or_none(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_object)
}

fn shown(value: Option<&Value>) -> String {
    const SHOWN: usize = 100;
    let text = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    text.chars().take(SHOWN).collect()
}

/// Whether a place is the pattern's or below it.
fn is_below(place: &str, pattern: &str) -> bool {
    let mut segments = place.split('/');
    pattern.split('/').all(|wanted| {
        segments
            .next()
            .is_some_and(|segment| wanted == "*" || segment == wanted)
    })
}

impl Judgement {
    fn add(&mut self, object: &Identity, found: Found) {
        let open = found.iter().any(|(_, why)| why.is_none());
        let place = if found.is_empty() {
            0
        } else if open {
            2
        } else {
            1
        };
        self.by_kind.entry(object.kind.clone()).or_default()[place] += 1;
        for (difference, why) in found {
            match why {
                Some(why) => self
                    .explained
                    .push(format!("{object}: {difference} ({why})")),
                None => self.unexplained.push(format!("{object}: {difference}")),
            }
        }
    }

    /// Fails with every difference that nothing explains.
    pub fn must_be_clear(&self) {
        assert!(
            self.unexplained.is_empty(),
            "unexplained:\n{}",
            self.unexplained.join("\n")
        );
    }

    /// How many objects there are: equal, explained, unexplained.
    pub fn sums(&self) -> [usize; 3] {
        let mut sums = [0; 3];
        for counts in self.by_kind.values() {
            for (sum, count) in sums.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        sums
    }
}

impl fmt::Display for Judgement {
    /// The rows of the table that were needed, and the summary by kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (row, places) in &self.by_row {
            writeln!(f, "{places:>6} × {row}")?;
        }
        writeln!(
            f,
            "{:<36} {:>6} {:>10} {:>12}",
            "kind", "equal", "explained", "unexplained"
        )?;
        for (kind, [equal, explained, unexplained]) in &self.by_kind {
            writeln!(f, "{kind:<36} {equal:>6} {explained:>10} {unexplained:>12}")?;
        }
        let [equal, explained, unexplained] = self.sums();
        writeln!(
            f,
            "{:<36} {equal:>6} {explained:>10} {unexplained:>12}",
            "all"
        )
    }
}
