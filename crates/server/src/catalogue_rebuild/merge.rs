//! What many descriptions say together.
//!
//! Contract: pure. Each description tells of documents that others tell of as well (a vault has many
//! instances), at the moment at which it was written: the newest version of each counts, and the edges of the
//! description that has it. Of several repositories of an instance those count that belong to the one of that
//! name which was made last: others were left by an instance that was deleted, and are another's.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use strongroom_repository::RepositoryKey;
use uuid::Uuid;

use crate::app::descriptions::{Described, DescribedUse, Description, repository_key};
use crate::app::jobs::Location;

/// A description that was found.
#[derive(Debug)]
pub struct Found {
    /// In which of the places that were searched.
    pub place: usize,
    /// Recovery points in the repository.
    pub points: usize,
    /// What it says.
    pub description: Description,
}

/// A repository of an instance.
#[derive(Debug)]
pub struct Repository {
    /// In which of the places that were searched.
    pub place: usize,
    /// Recovery points in it.
    pub points: usize,
    /// The instance.
    pub instance_key: String,
    /// Where it is.
    pub location: Location,
    /// Its key.
    pub key: Option<RepositoryKey>,
}

/// All of them together.
#[derive(Debug, Default)]
pub struct Merged {
    /// The tenant of the server.
    pub tenant_id: Option<Uuid>,
    /// By their keys.
    pub resources: BTreeMap<String, Described>,
    /// Between those.
    pub uses: BTreeSet<DescribedUse>,
    /// Of the instances among those.
    pub repositories: Vec<Repository>,
    /// What was passed over, in words.
    pub findings: Vec<String>,
}

/// Merges descriptions.
#[must_use]
pub fn merge(mut found: Vec<Found>) -> Merged {
    let mut merged = Merged::default();
    // Whatever order the stores were searched in.
    found.sort_by(|one, other| location(one).cmp(location(other)));
    let made: BTreeMap<String, Timestamp> = made_last(&found);
    found.retain(|one| {
        let description = &one.description;
        let is_last = made_of(description) == made.get(&description.instance_key).copied();
        if !is_last {
            merged.findings.push(format!(
                "'{}' in '{}' is of a deleted instance of the same name, and is left alone",
                description.repository.prefix, description.repository.container_id
            ));
        }
        is_last
    });
    let mut newest = Timestamp::MIN;
    let mut from: BTreeMap<String, usize> = BTreeMap::new();
    for (n, one) in found.iter().enumerate() {
        for resource in &one.description.resources {
            let held = merged.resources.get(&resource.key);
            if held.is_none_or(|held| version(held) < version(resource)) {
                merged
                    .resources
                    .insert(resource.key.clone(), resource.clone());
                from.insert(resource.key.clone(), n);
            }
            if resource.updated_at > newest {
                newest = resource.updated_at;
                merged.tenant_id = Some(one.description.tenant_id);
            }
        }
    }
    for (n, one) in found.iter().enumerate() {
        let is_there = |edge: &&DescribedUse| {
            from.get(&edge.user_key) == Some(&n) && merged.resources.contains_key(&edge.target_key)
        };
        let edges = one.description.uses.iter().filter(is_there).cloned();
        merged.uses.extend(edges);
    }
    merged.repositories = found.into_iter().map(repository).collect();
    merged
}

fn location(found: &Found) -> &Location {
    &found.description.repository
}

fn version(resource: &Described) -> (Timestamp, &str) {
    (resource.updated_at, &resource.etag)
}

/// When the instance of a description was made.
fn made_of(description: &Description) -> Option<Timestamp> {
    let of_instance = |resource: &&Described| resource.key == description.instance_key;
    let instance = description.resources.iter().find(of_instance)?;
    Some(instance.created_at)
}

fn made_last(found: &[Found]) -> BTreeMap<String, Timestamp> {
    let mut last = BTreeMap::new();
    for one in found {
        let Some(made) = made_of(&one.description) else {
            continue;
        };
        let held = last
            .entry(one.description.instance_key.clone())
            .or_insert(made);
        *held = made.max(*held);
    }
    last
}

fn repository(found: Found) -> Repository {
    Repository {
        key: repository_key(&found.description),
        place: found.place,
        points: found.points,
        instance_key: found.description.instance_key,
        location: found.description.repository,
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;
    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;

    fn at(hours: i64) -> Timestamp {
        let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        start + hours.hours()
    }

    fn resource(key: &str, made: i64, written: i64) -> Described {
        Described {
            key: key.to_owned(),
            kind: "k".to_owned(),
            id: key.to_uppercase(),
            name: "n".to_owned(),
            body: json!({"written": written}),
            etag: format!("e{written}"),
            created_at: at(made),
            updated_at: at(written),
            created_by: None,
            updated_by: None,
            deleted_at: None,
        }
    }

    fn edge(target: &str) -> DescribedUse {
        DescribedUse {
            user_key: "/v/i".to_owned(),
            role: target.to_owned(),
            target_key: target.to_owned(),
        }
    }

    fn found(
        prefix: &str,
        instance: &str,
        resources: Vec<Described>,
        uses: Vec<DescribedUse>,
    ) -> Found {
        Found {
            place: 0,
            points: 2,
            description: Description {
                format: 1,
                tenant_id: Uuid::from_u128(9),
                repository: Location {
                    container_id: "/c".to_owned(),
                    prefix: prefix.to_owned(),
                },
                key: Zeroizing::new("key".to_owned()),
                instance_key: instance.to_owned(),
                resources,
                uses,
            },
        }
    }

    #[test]
    fn the_newest_word_of_a_shared_document_counts_in_whatever_order_they_are_found() {
        let descriptions = || {
            vec![
                found(
                    "a",
                    "/v/i",
                    vec![resource("/v/i", 0, 0), resource("/v", 0, 5)],
                    vec![edge("/v")],
                ),
                found(
                    "b",
                    "/v/j",
                    vec![resource("/v/j", 0, 0), resource("/v", 0, 9)],
                    vec![],
                ),
            ]
        };
        let mut turned = descriptions();
        turned.reverse();
        for descriptions in [descriptions(), turned] {
            let merged = merge(descriptions);
            assert_eq!(merged.resources["/v"].body, json!({"written": 9}));
            assert_eq!(merged.resources.len(), 3);
            assert_eq!(merged.repositories.len(), 2);
            assert_eq!(merged.tenant_id, Some(Uuid::from_u128(9)));
            assert_eq!(merged.uses, BTreeSet::from([edge("/v")]));
        }
    }

    #[test]
    fn edges_are_those_of_the_newest_word_and_lead_nowhere_else() {
        let (p, q) = (resource("/p", 0, 0), resource("/q", 0, 0));
        let merged = merge(vec![
            found(
                "a",
                "/v/i",
                vec![resource("/v/i", 0, 1), p],
                vec![edge("/p")],
            ),
            found(
                "a",
                "/v/i",
                vec![resource("/v/i", 0, 2), q],
                vec![edge("/q"), edge("/gone")],
            ),
        ]);
        assert_eq!(merged.uses, BTreeSet::from([edge("/q")]));
    }

    #[test]
    fn what_a_deleted_instance_of_the_same_name_left_is_told_and_passed_over() {
        let merged = merge(vec![
            found("old", "/v/i", vec![resource("/v/i", 0, 8)], vec![]),
            found("new", "/v/i", vec![resource("/v/i", 3, 4)], vec![]),
        ]);
        let prefixes: Vec<&str> = merged
            .repositories
            .iter()
            .map(|one| &*one.location.prefix)
            .collect();
        assert_eq!(prefixes, ["new"]);
        assert_eq!(merged.resources["/v/i"].created_at, at(3));
        assert_eq!(merged.findings.len(), 1, "{:?}", merged.findings);
    }
}
