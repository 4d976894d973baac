//! What a user does with jobs besides looking at them.

use super::commands::full;
use super::{Answer, VAULT, job, ok, stage};

fn cancelled(method: &str, path: &str) -> Option<Answer> {
    match (method, path) {
        ("GET", path) if path.contains("/backupJobs/") => ok(job("Cancelled")),
        _ => full(method, path),
    }
}

#[test]
fn a_job_that_is_cancelled_is_waited_for_and_its_end_is_no_failure() {
    let gone = stage(cancelled).logged_in();
    let outcome = gone.run("job cancel j-1 --vault v");
    assert_eq!(outcome.code, 0, "{outcome}");
    assert!(outcome.out.contains("Cancelled"), "{outcome}");
    let seen = gone.seen.lock().unwrap();
    let wanted = format!("POST {VAULT}/backupJobs/j-1/cancel");
    assert!(
        seen.iter()
            .any(|(call, body)| *call == wanted && body.is_empty())
    );
    drop(seen);
    let not_waited_for = gone.run("job cancel j-1 --vault v --no-wait");
    assert!(not_waited_for.out.is_empty(), "{not_waited_for}");
    // What was sealed before had ended otherwise, and says so.
    let late = stage(full).logged_in().run("job cancel j-1 --vault v");
    assert_eq!(late.code, 0, "{late}");
    assert!(
        late.err.contains("it had ended before: Completed"),
        "{late}"
    );
}
