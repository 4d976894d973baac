//! The audit log: appended to in order, read in pages, forgotten from its beginning only.

use strongroom_core::audit::{Caller, Event, Head, Outcome, Verifier};
use uuid::Uuid;

use super::{Store, start};
use crate::store::call::{Call, note};

fn event(scope: &str) -> Event {
    Event {
        time: start(),
        caller: None,
        approver: Some(Caller {
            object_id: Uuid::from_u128(8),
            kind: "User".to_owned(),
            name: "second".to_owned(),
        }),
        action: "a/b/write".to_owned(),
        scope: scope.to_owned(),
        method: "PUT".to_owned(),
        outcome: Outcome::Denied,
        status: Some(403),
        code: Some("AuthorizationFailed".to_owned()),
        request_id: "r".to_owned(),
        correlation_id: "c".to_owned(),
        client_address: Some("192.0.2.7".to_owned()),
        unlisted: 3,
    }
}

pub(super) async fn entries_follow_each_other_and_are_forgotten_from_the_beginning(store: Store) {
    let mut session = store.begin().await.unwrap();
    assert_eq!(session.audit_head().await.unwrap(), Head::beginning());
    for n in 0..5_i64 {
        let mut event = event(&format!("/{n}"));
        event.time += jiff::SignedDuration::from_hours(n);
        session.append_audit_entry(event).await.unwrap();
    }
    session.commit().await.unwrap();
    let mut session = store.read().await.unwrap();
    let first = session.audit_entries(0, 2).await.unwrap();
    assert_eq!((first.rows.len(), first.more), (2, true));
    assert_eq!(first.rows[0].event, event("/0"));
    let rest = session.audit_entries(2, 10).await.unwrap();
    assert_eq!((rest.rows.len(), rest.more), (3, false));
    let head = session.audit_head().await.unwrap();
    assert_eq!(rest.rows[2].head(), head);
    let mut verifier = Verifier::new().following(Head::beginning());
    for entry in first.rows.iter().chain(&rest.rows) {
        verifier.read(entry).unwrap();
    }
    drop(session);

    let mut session = store.begin().await.unwrap();
    let before = start() + jiff::SignedDuration::from_hours(3);
    assert_eq!(session.forget_audit_entries(before, 2).await.unwrap(), 2);
    assert_eq!(session.forget_audit_entries(before, 2).await.unwrap(), 1);
    assert_eq!(session.forget_audit_entries(before, 2).await.unwrap(), 0);
    session.commit().await.unwrap();
    let mut session = store.read().await.unwrap();
    let base = session.audit_base().await.unwrap();
    assert_eq!(base.sequence, 3);
    let mut verifier = Verifier::new().following(base).expecting(head);
    for entry in session.audit_entries(0, 10).await.unwrap().rows {
        verifier.read(&entry).unwrap();
    }
    assert_eq!(verifier.end().unwrap().entries, 2);
    drop(session);

    // All of it forgotten: the chain goes on where it was.
    let mut session = store.begin().await.unwrap();
    let later = start() + jiff::SignedDuration::from_hours(99);
    assert_eq!(session.forget_audit_entries(later, 10).await.unwrap(), 2);
    let next = session.append_audit_entry(event("/next")).await.unwrap();
    assert_eq!((next.sequence, next.previous), (6, head.hash));
    session.commit().await.unwrap();
}

pub(super) async fn what_a_call_writes_and_its_entry_become_durable_together(store: Store) {
    let logged = async || {
        let mut session = store.read().await.unwrap();
        session.audit_entries(0, 100).await.unwrap().rows
    };
    let write = async |commit: bool| {
        let mut session = store.begin().await.unwrap();
        session.put_setting("written", "yes").await.unwrap();
        if commit {
            session.commit().await.unwrap();
        }
    };
    // Not of a call: the server's own.
    write(true).await;
    assert!(logged().await.is_empty());
    let call = Call::new(event("/dropped"), true);
    call.during(write(false)).await;
    assert!(logged().await.is_empty() && !call.has_entry());
    let call = Call::new(event("/read"), false);
    call.during(write(true)).await;
    assert!(logged().await.is_empty() && !call.has_entry());

    let call = Call::new(event("/once"), true);
    call.during(async {
        note(|event| event.action.push_str("/noted"));
        write(true).await;
        write(true).await;
    })
    .await;
    assert!(call.has_entry());
    let entries = logged().await;
    assert_eq!(entries.len(), 1, "one entry, however often it commits");
    let written = &entries[0].event;
    assert_eq!(
        (written.outcome, written.status, written.code.as_deref()),
        (Outcome::Written, None, None)
    );
    assert_eq!(
        (written.scope.as_str(), written.action.as_str()),
        ("/once", "a/b/write/noted")
    );
}
