//! What is edited, removed or moved is named; what only an anchor can tell needs one.

use proptest::prelude::*;

use super::*;

fn event(n: u64) -> Event {
    Event {
        time: Timestamp::from_second(1_767_225_600 + i64::try_from(n).unwrap()).unwrap(),
        caller: (!n.is_multiple_of(3)).then(|| Caller {
            object_id: Uuid::from_u128(n.into()),
            kind: "Application".to_owned(),
            name: "nightly".to_owned(),
        }),
        approver: None,
        action: "Microsoft.DataProtection/backupVaults/write".to_owned(),
        scope: format!("/subscriptions/s/resourceGroups/rg/vault-{n}"),
        method: "PUT".to_owned(),
        outcome: Outcome::Denied,
        status: Some(403),
        code: Some("AuthorizationFailed".to_owned()),
        request_id: format!("r-{n}"),
        correlation_id: "c".to_owned(),
        client_address: Some("192.0.2.7".to_owned()),
        unlisted: 0,
    }
}

fn approver() -> Caller {
    Caller {
        object_id: Uuid::from_u128(99),
        kind: "User".to_owned(),
        name: "second@example.org".to_owned(),
    }
}

fn chain(length: u64) -> Vec<Entry> {
    let mut head = Head::beginning();
    let mut entries = Vec::new();
    for n in 0..length {
        let entry = head.follow(event(n));
        head = entry.head();
        entries.push(entry);
    }
    entries
}

fn verify(verifier: Verifier, entries: &[Entry]) -> Result<Verified, Fault> {
    let mut verifier = verifier;
    for entry in entries {
        verifier.read(entry)?;
    }
    verifier.end()
}

fn whole() -> Verifier {
    Verifier::new().following(Head::beginning())
}

#[test]
fn the_format_is_the_one_that_was_published() {
    let entry = Head::beginning().follow(event(1));
    insta::assert_snapshot!(serde_json::to_string_pretty(&entry).unwrap());
    let approved = Event {
        approver: Some(approver()),
        ..event(2)
    };
    let approved = entry.head().follow(approved);
    insta::assert_snapshot!(serde_json::to_string_pretty(&approved).unwrap());
    let mut written = event(1);
    written.outcome = Outcome::Written;
    written.status = None;
    written.code = None;
    let text = serde_json::to_string(&entry.head().follow(written.clone())).unwrap();
    let read: Entry = serde_json::from_str(&text).unwrap();
    assert!(read.is_as_hashed() && read.event == written);
}

#[test]
fn a_chain_that_is_whole_says_from_where_to_where() {
    let entries = chain(5);
    let verified = verify(whole(), &entries).unwrap();
    assert_eq!(
        (verified.entries, verified.base),
        (5, Some(Head::beginning()))
    );
    assert_eq!(verified.head, Some(entries[4].head()));
    // What retention removed at the front is not missed, if it is known where it begins.
    let later = Verifier::new().following(entries[1].head());
    assert_eq!(verify(later, &entries[2..]).unwrap().entries, 3);
    let anything = verify(Verifier::new(), &entries[2..]).unwrap();
    assert_eq!(anything.base, Some(entries[1].head()));
    assert_eq!(verify(whole(), &[]).unwrap().head, Some(Head::beginning()));
}

#[test]
fn what_is_removed_moved_or_replaced_is_named() {
    let entries = chain(6);
    let without = |range: std::ops::Range<usize>| {
        let mut left = entries.clone();
        left.drain(range);
        verify(whole(), &left).unwrap_err()
    };
    assert_eq!(without(2..3), Fault::Missing { after: 2, next: 4 });
    assert_eq!(without(2..3).to_string(), "entry 3 is missing");
    assert_eq!(without(1..4).to_string(), "entries 2 to 4 are missing");
    assert_eq!(without(0..1), Fault::Missing { after: 0, next: 2 });
    let mut swapped = entries.clone();
    swapped.swap(2, 3);
    assert_eq!(
        verify(whole(), &swapped),
        Err(Fault::Missing { after: 2, next: 4 })
    );
    let mut twice = entries.clone();
    twice.insert(3, entries[2].clone());
    assert_eq!(
        verify(whole(), &twice),
        Err(Fault::OutOfOrder { after: 3, next: 3 })
    );
    // One that was made anew, hash and all, does not fit its neighbour.
    let mut forged = entries.clone();
    forged[2] = forged[1].head().follow(event(99));
    assert_eq!(
        verify(whole(), &forged),
        Err(Fault::Detached { sequence: 4 })
    );
}

#[test]
fn only_who_kept_a_head_elsewhere_sees_that_the_end_was_cut_off_or_rewritten() {
    let entries = chain(6);
    let kept = entries[4].head();
    assert!(verify(whole(), &entries[..3]).is_ok(), "it looks whole");
    assert_eq!(
        verify(whole().expecting(kept), &entries[..3]),
        Err(Fault::CutOff { last: 3, known: 5 })
    );
    assert!(verify(whole().expecting(kept), &entries).is_ok());
    assert!(verify(whole().expecting(kept), &entries[..5]).is_ok());
    // The whole log was written anew from entry 3 on.
    let mut rewritten = entries[..2].to_vec();
    for n in 10..14 {
        let next = rewritten.last().unwrap().head().follow(event(n));
        rewritten.push(next);
    }
    assert!(verify(whole(), &rewritten).is_ok(), "it looks whole");
    assert_eq!(
        verify(whole().expecting(kept), &rewritten),
        Err(Fault::Rewritten { sequence: 5 })
    );
    let late = Verifier::new().expecting(entries[1].head());
    assert_eq!(
        verify(late, &entries[4..]),
        Err(Fault::BeginsTooLate { first: 5, known: 2 })
    );
    let just = Verifier::new().expecting(entries[3].head());
    assert!(verify(just, &entries[4..]).is_ok());
    let text = kept.to_string();
    assert_eq!(text.parse(), Ok(kept));
    assert_eq!("5:xyz".parse::<Head>(), Err(NoHash));
}

proptest! {
    /// Whatever is changed in one field of one entry is seen, and named as that entry.
    #[test]
    fn an_edit_of_any_field_is_seen(at in 0_usize..8, field in 0_usize..14, text in "[a-z]{1,8}") {
        let mut entries = chain(8);
        let before = entries[at].clone();
        let event = &mut entries[at].event;
        match field {
            0 => event.time += jiff::SignedDuration::from_nanos(1),
            1 => event.caller = None,
            2 => event.action.push_str(&text),
            3 => event.scope = text,
            4 => event.method = text,
            5 => event.outcome = Outcome::Answered,
            6 => event.status = None,
            7 => event.code = None,
            8 => event.request_id = text,
            9 => event.correlation_id.push_str(&text),
            10 => event.client_address = Some(text),
            11 => event.unlisted += 1,
            12 => event.approver = Some(approver()),
            _ => if let Some(caller) = &mut event.caller { caller.name.push('x') },
        }
        let found = verify(whole(), &entries);
        if entries[at] == before {
            prop_assert!(found.is_ok());
        } else {
            prop_assert_eq!(found, Err(Fault::Edited { sequence: at as u64 + 1 }));
        }
    }
}
