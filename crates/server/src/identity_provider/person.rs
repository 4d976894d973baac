//! Who somebody is, by the claims of a token whose signature holds.

use aws_lc_rs::digest;
use jiff::Timestamp;
use serde_json::{Map, Value};
use strongroom_core::error::{Code, Problem};
use uuid::Uuid;

use super::invalid;
use crate::app::limits::{CLOCK_SKEW, GROUPS_OF_A_PERSON_MAX, SUBJECT_BYTES_MAX};
use crate::config::identity_provider::IdentityProviderSection;

/// Somebody whom the identity provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// What roles are assigned to.
    pub object_id: Uuid,
    /// What people call them.
    pub name: String,
    /// The groups that they are in.
    pub groups: Vec<Group>,
}

/// A group that the identity provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What the provider calls it.
    pub name: String,
    /// What roles are assigned to.
    pub object_id: Uuid,
}

/// The person that these claims are about.
pub(super) fn of(
    claims: &Map<String, Value>,
    settings: &IdentityProviderSection,
    now: Timestamp,
) -> Result<Person, Problem> {
    if claims.get("iss").and_then(Value::as_str) != Some(&settings.issuer) {
        return Err(invalid("it has another issuer"));
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::String(one)) => *one == settings.audience,
        Some(Value::Array(several)) => several.iter().any(|one| *one == settings.audience),
        _ => false,
    };
    if !is_for_us {
        return Err(invalid("it is for another audience"));
    }
    check_times(claims, now)?;
    let subject = text(claims, &settings.subject_claim)
        .filter(|subject| !subject.is_empty() && subject.len() <= SUBJECT_BYTES_MAX)
        .ok_or_else(|| invalid("it does not say whom it is for"))?;
    let object_id = subject_id(settings, subject)
        .ok_or_else(|| invalid("its subject is no object id, as this server expects"))?;
    let name = [settings.name_claim.as_str(), "email", "name"]
        .into_iter()
        .find_map(|claim| text(claims, claim).filter(|name| !name.trim().is_empty()))
        .unwrap_or(subject);
    let name = name.chars().filter(|sign| !sign.is_control());
    Ok(Person {
        object_id,
        name: name.take(SUBJECT_BYTES_MAX).collect(),
        groups: groups(claims, settings)?,
    })
}

fn check_times(claims: &Map<String, Value>, now: Timestamp) -> Result<(), Problem> {
    // Numbers of seconds, which may have a fraction (RFC 7519, 2).
    let moment = |claim: &str| claims.get(claim).map(Value::as_f64);
    let now_seconds = now.as_second() as f64;
    let skew = CLOCK_SKEW.as_secs_f64();
    let Some(Some(end)) = moment("exp") else {
        return Err(invalid("it does not say when it ends"));
    };
    if end + skew <= now_seconds {
        let since = Timestamp::from_second(end as i64).unwrap_or(now);
        return Err(Problem::new(
            Code::ExpiredAuthenticationToken,
            format!("The access token is not valid since {since}: it reached its lifetime."),
        ));
    }
    for claim in ["nbf", "iat"] {
        match moment(claim) {
            None => {}
            Some(Some(begin)) if begin <= now_seconds + skew => {}
            Some(_) => return Err(invalid("its time has not come yet")),
        }
    }
    Ok(())
}

fn groups(
    claims: &Map<String, Value>,
    settings: &IdentityProviderSection,
) -> Result<Vec<Group>, Problem> {
    let named: Vec<&str> = match claims.get(&settings.groups_claim) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if named.len() > GROUPS_OF_A_PERSON_MAX {
        // To leave some out would take rights away without a word.
        let why = format!("it names more than {GROUPS_OF_A_PERSON_MAX} groups");
        return Err(invalid(&why));
    }
    let known = named.into_iter().filter_map(|name| {
        Some(Group {
            name: name.to_owned(),
            object_id: group_id(settings, name)?,
        })
    });
    Ok(known.collect())
}

fn text<'a>(claims: &'a Map<String, Value>, claim: &str) -> Option<&'a str> {
    claims.get(claim)?.as_str()
}

/// The object id of whom the provider calls so; none when it should be one and is none.
#[must_use]
pub fn subject_id(settings: &IdentityProviderSection, subject: &str) -> Option<Uuid> {
    object_id(settings, "subject", subject)
}

/// The object id of the group that the provider calls so; none when it should be one and is none.
#[must_use]
pub fn group_id(settings: &IdentityProviderSection, group: &str) -> Option<Uuid> {
    object_id(settings, "group", group)
}

/// A UUID of version 8 (RFC 9562, 5.8): of the hash of what it names, so that it is the same on every server
/// with this issuer, and nobody can choose a name that has a given one.
fn object_id(settings: &IdentityProviderSection, what: &str, name: &str) -> Option<Uuid> {
    if settings.object_ids {
        return Uuid::parse_str(name).ok();
    }
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in ["strongroom object id v1", &settings.issuer, what, name] {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finish();
    let bytes = hash.as_ref().first_chunk::<16>()?;
    Some(uuid::Builder::from_custom_bytes(*bytes).into_uuid())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn settings(more: &str) -> IdentityProviderSection {
        let text = format!("issuer = \"https://login.example.org\"\naudience = \"vaults\"\n{more}");
        toml::from_str(&text).unwrap()
    }

    /// Claims that are good, with these instead; `null` takes one away.
    fn claims(changes: Value) -> Map<String, Value> {
        let second = now().as_second();
        let mut claims = json!({
            "iss": "https://login.example.org", "aud": "vaults", "sub": "248289761001",
            "exp": second + 60, "iat": second - 60, "preferred_username": "ada",
            "groups": ["operators", "everybody"],
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let claims = claims.as_object().unwrap().clone();
        claims
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect()
    }

    #[test]
    fn somebody_is_who_the_claims_say() {
        let settings = settings("");
        let ada = of(&claims(json!({})), &settings, now()).unwrap();
        assert_eq!(ada.name, "ada");
        assert_eq!(Some(ada.object_id), subject_id(&settings, "248289761001"));
        assert_eq!(ada.groups.len(), 2);
        assert_eq!(ada.groups[0].name, "operators");
        assert_eq!(
            Some(ada.groups[0].object_id),
            group_id(&settings, "operators")
        );
        let several = json!({"aud": ["x", "vaults"], "groups": "operators", "preferred_username": null, "email": "ada@x"});
        let several = of(&claims(several), &settings, now()).unwrap();
        assert_eq!((several.name.as_str(), several.groups.len()), ("ada@x", 1));
        assert_eq!(several.object_id, ada.object_id);
    }

    #[test]
    fn what_is_not_for_us_or_not_now_is_refused_with_the_reason() {
        let second = now().as_second();
        let skew = i64::try_from(CLOCK_SKEW.as_secs()).unwrap();
        for (change, expected) in [
            (
                json!({"iss": "https://login.example.org/"}),
                "another issuer",
            ),
            (json!({"iss": null}), "another issuer"),
            (json!({"aud": "other"}), "another audience"),
            (json!({"aud": ["other"]}), "another audience"),
            (json!({"aud": null}), "another audience"),
            (json!({"exp": null}), "when it ends"),
            (json!({"exp": "soon"}), "when it ends"),
            (json!({"exp": second - skew}), "reached its lifetime"),
            (json!({"nbf": second + skew + 1}), "has not come yet"),
            (json!({"iat": second + skew + 1}), "has not come yet"),
            (json!({"sub": null}), "whom it is for"),
            (json!({"sub": ""}), "whom it is for"),
            (json!({"sub": 7}), "whom it is for"),
            (
                json!({"sub": "x".repeat(SUBJECT_BYTES_MAX + 1)}),
                "whom it is for",
            ),
            (
                json!({"groups": vec!["g"; GROUPS_OF_A_PERSON_MAX + 1]}),
                "groups",
            ),
        ] {
            let refused = of(&claims(change.clone()), &settings(""), now()).unwrap_err();
            assert!(
                refused.message.contains(expected),
                "{change}: {}",
                refused.message
            );
        }
        for change in [
            json!({"exp": second - skew + 1}),
            json!({"exp": f64::from(u32::try_from(second).unwrap()) + 0.5}),
            json!({"nbf": second + skew, "iat": second + skew}),
            json!({"groups": null}),
        ] {
            assert!(
                of(&claims(change.clone()), &settings(""), now()).is_ok(),
                "{change}"
            );
        }
    }

    #[test]
    fn a_name_never_has_the_object_id_of_something_else() {
        let ours = settings("");
        let admin = Uuid::from_u128(1).to_string();
        assert_ne!(group_id(&ours, &admin), Some(Uuid::from_u128(1)));
        assert_ne!(group_id(&ours, "a"), subject_id(&ours, "a"));
        let mut other = settings("");
        other.issuer.push('x');
        assert_ne!(group_id(&ours, "a"), group_id(&other, "a"));
        assert_eq!(
            group_id(&ours, "operators").unwrap().to_string(),
            "89202f48-af2a-81cb-9478-80d7ce50c955"
        );
    }

    #[test]
    fn object_ids_of_the_provider_are_taken_as_they_are_when_it_makes_them() {
        let entra = settings("object_ids = true\nsubject_claim = \"oid\"\n");
        let (ada, all) = (Uuid::from_u128(0xada), Uuid::from_u128(0xa11));
        let found = of(
            &claims(json!({"oid": ada, "groups": [all, "no-guid"]})),
            &entra,
            now(),
        )
        .unwrap();
        assert_eq!(found.object_id, ada);
        let name = all.to_string();
        assert_eq!(
            found.groups,
            [Group {
                name,
                object_id: all
            }]
        );
        let refused = of(&claims(json!({"oid": "ada"})), &entra, now()).unwrap_err();
        assert!(refused.message.contains("no object id"));
    }
}
