//! What the test harness of Rust prints: read, and printed alike.

/// The names in a terse list: `scenarios::keys::a_lost_key: test`.
pub(super) fn names_in(listed: &str) -> Vec<String> {
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    names.map(str::to_owned).collect()
}

/// Whether exactly one test ran, and passed: a harness that ran none is content as well.
pub(super) fn one_passed(printed: &str) -> bool {
    printed.contains("\ntest result: ok. 1 passed; 0 failed; 0 ignored;")
}

/// What it tells of the tests that failed, each under its name; none when it came to no end.
pub(super) fn reports_in(printed: &str) -> Option<&str> {
    const HEADING: &str = "\nfailures:\n";
    let (_, told) = printed.split_once(HEADING)?;
    let (reports, _names) = told.rsplit_once(HEADING)?;
    Some(reports.trim())
}

/// The end of a run: of each test that failed its name and its report, and how many passed.
pub(super) fn closing_lines(failed: &[(&str, &str)], passed: usize, seconds: f64) -> String {
    let mut lines = String::new();
    if !failed.is_empty() {
        lines.push_str("\nfailures:\n\n");
        lines.extend(failed.iter().map(|(_, report)| format!("{report}\n\n")));
        lines.push_str("\nfailures:\n");
        lines.extend(failed.iter().map(|(name, _)| format!("    {name}\n")));
    }
    let verdict = if failed.is_empty() { "ok" } else { "FAILED" };
    let failed = failed.len();
    format!(
        "{lines}\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; \
         0 filtered out; finished in {seconds:.2}s\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_a_list() {
        let listed = "scenarios::keys::a_lost_key: test\nscenarios::load: benchmark\n\n1 test\n";
        assert_eq!(names_in(listed), ["scenarios::keys::a_lost_key"]);
    }

    #[test]
    fn one_test_that_passed_is_told_from_none() {
        let of = |passed: usize| format!("running\n{}", closing_lines(&[], passed, 1.0));
        assert!(one_passed(&of(1)));
        assert!(!one_passed(&of(0)));
        assert!(!one_passed(&closing_lines(&[("a", "why")], 1, 1.0)));
    }

    #[test]
    fn what_failed_is_told_with_its_reason() {
        let printed = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\n\
                       why\n\nfailures:\nof its own\n\n\nfailures:\n    b\n\ntest result: FAILED.";
        assert_eq!(
            reports_in(printed),
            Some("---- b stdout ----\nwhy\n\nfailures:\nof its own")
        );
        assert_eq!(reports_in("running 2 tests\ntest a ... ok\n"), None);
    }

    #[test]
    fn the_closing_lines_name_what_failed() {
        assert_eq!(
            closing_lines(&[("b", "why")], 2, 1.5),
            "\nfailures:\n\nwhy\n\n\nfailures:\n    b\n\ntest result: FAILED. 2 passed; 1 failed; 0 ignored; \
             0 measured; 0 filtered out; finished in 1.50s\n"
        );
        assert_eq!(
            closing_lines(&[], 1, 1.0),
            "\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n"
        );
    }
}
