//! A lock is for good, retention is not shortened, and no clock ends a recovery point early.

use proptest::prelude::*;

use super::*;
use crate::policy::{LifecycleSpec, PolicySpec, RetentionSpec};

const STATES: [Immutability; 3] = [
    Immutability::Disabled,
    Immutability::Unlocked,
    Immutability::Locked,
];

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A policy of these rules: tag, data store, duration.
fn policy(rules: &[(&str, &str, &str)]) -> BackupPolicy {
    let mut spec = PolicySpec::default_template(at("2026-01-01T00:00:00Z"));
    spec.retention.clear();
    for (tag, store, duration) in rules {
        let lifecycle = LifecycleSpec {
            source_data_store: (*store).to_owned(),
            delete_after: (*duration).to_owned(),
            copies: Vec::new(),
        };
        match spec.retention.iter_mut().find(|rule| rule.name == *tag) {
            Some(rule) => rule.lifecycles.push(lifecycle),
            None => spec.retention.push(RetentionSpec {
                name: (*tag).to_owned(),
                is_default: *tag == "Default",
                lifecycles: vec![lifecycle],
            }),
        }
    }
    spec.validate().unwrap()
}

#[test]
fn a_lock_is_for_good_and_everything_else_can_be_taken_back() {
    for before in STATES {
        for wanted in STATES {
            let after = before.after(wanted);
            if before == Immutability::Locked && wanted != Immutability::Locked {
                let code = after.unwrap_err().code;
                assert_eq!(
                    code,
                    Code::UserErrorUnsupportedVaultImmutabilityStateChange,
                    "{wanted:?}"
                );
            } else {
                assert_eq!(after, Ok(wanted), "{before:?} {wanted:?}");
            }
        }
    }
}

#[test]
fn a_policy_keeps_each_tag_in_each_store_for_at_least_as_long() {
    const HERE: &str = "OperationalStore";
    let old = policy(&[("Default", HERE, "P1M"), ("Yearly", HERE, "P1Y")]);
    let told = |new: &[(&str, &str, &str)]| -> Vec<String> {
        let found = shortened(&old, &policy(new));
        found.iter().map(ToString::to_string).collect()
    };
    let same = [("Default", HERE, "P1M"), ("Yearly", HERE, "P1Y")];
    assert_eq!(told(&same), Vec::<String>::new());
    let longer = [("Default", HERE, "P31D"), ("Yearly", HERE, "P366D")];
    assert_eq!(
        told(&longer),
        Vec::<String>::new(),
        "no month and no year has more days"
    );
    let more = [
        ("Default", HERE, "P2M"),
        ("Yearly", HERE, "P12M"),
        ("Daily", HERE, "P1D"),
    ];
    assert_eq!(told(&more), Vec::<String>::new(), "a rule more is no less");
    // Thirty days are less than some months, 365 less than some years.
    let sometimes = [("Default", HERE, "P30D"), ("Yearly", HERE, "P365D")];
    assert_eq!(
        told(&sometimes),
        [
            "the tag Default is kept for P1M in the OperationalStore and would be for P30D",
            "the tag Yearly is kept for P1Y in the OperationalStore and would be for P365D",
        ]
    );
    assert_eq!(
        told(&[("Default", HERE, "P1M")]),
        [
            "the tag Yearly is kept for P1Y in the OperationalStore and would not be kept there any more"
        ]
    );
}

#[test]
fn only_an_immutable_vault_refuses_and_says_what_would_be_shorter() {
    let old = policy(&[("Default", "OperationalStore", "P7D")]);
    let new = policy(&[("Default", "OperationalStore", "P6D")]);
    for state in STATES {
        let answer = refuse_shortened(state, &old, &new);
        assert_eq!(answer.is_err(), state.is_on(), "{state:?}");
        assert_eq!(refuse_shortened(state, &new, &old), Ok(()));
    }
    let told = refuse_shortened(Immutability::Locked, &old, &new).unwrap_err();
    assert_eq!(told.code, Code::UserErrorOperationDeniedOnImmutableItem);
    assert_eq!(
        told.message,
        "The immutability of the vault is Locked: retention cannot be reduced: the tag Default is kept for \
         P7D in the OperationalStore and would be for P6D."
    );
}

#[test]
fn a_point_is_held_until_clock_and_running_both_saw_its_time_pass() {
    let made = at("2026-01-01T00:00:00Z");
    let expires = at("2026-01-08T00:00:00Z");
    let service = Service {
        since_seconds: 1_000,
        counted_from: made,
    };
    const WEEK: i64 = 7 * 24 * 3_600;
    let asked = |now: &str, ran: i64| held(Some(expires), at(now), service, ran);
    assert_eq!(
        held(None, expires, service, i64::MAX),
        Some(Hold::ForEver),
        "one without a time has none"
    );
    assert_eq!(
        asked("2026-01-07T23:59:59Z", i64::MAX),
        Some(Hold::Until(expires))
    );
    assert_eq!(asked("2026-01-08T00:00:00Z", 1_000 + WEEK), None);
    // Somebody put the clock ahead by years; an hour had passed.
    assert_eq!(
        asked("2036-01-01T00:00:00Z", 1_000 + 3_600),
        Some(Hold::Owed(SignedDuration::from_secs(WEEK - 3_600)))
    );
    // A count that was lost begins anew, and holds for longer.
    assert!(asked("2036-01-01T00:00:00Z", 0).is_some());
    // A clock that stood in the past when the point was made ends nothing once it is put right.
    let past = Service {
        since_seconds: 0,
        counted_from: at("2000-01-01T00:00:00Z"),
    };
    let promised = at("2000-01-08T00:00:00Z");
    assert!(held(Some(promised), made, past, 3_600).is_some());
    assert_eq!(
        Service::unknown(made).owed(expires, WEEK),
        None,
        "the whole time since the count began"
    );
}

proptest! {
    /// However the clock is moved and whatever the policy says, no point goes before the server ran for
    /// as long as was promised.
    #[test]
    fn no_clock_ends_a_point_early(
        made in 0_i64..4_000_000_000,
        promised in 0_i64..400_000_000,
        now in 0_i64..9_000_000_000,
        since in 0_i64..1_000_000_000,
        ran in 0_i64..1_000_000_000,
    ) {
        let counted_from = Timestamp::from_second(made).unwrap();
        let expires = Timestamp::from_second(made + promised).unwrap();
        let now = Timestamp::from_second(now).unwrap();
        let service = Service { since_seconds: since, counted_from };
        let is_free = held(Some(expires), now, service, ran).is_none();
        prop_assert_eq!(is_free, now >= expires && (ran - since).max(0) >= promised);
    }
}
