//! `$filter` as clients of the contract send it: comparisons with quoted values, joined by `and`.
//!
//! `az` writes times with seven decimals (`2026-01-01T00:00:00.0000000Z`) and compares with `eq`
//! where it means a bound: `startDate eq '…'` is "from", `endDate eq '…'` is "until".

use jiff::Timestamp;
use strongroom_core::error::{Code, Problem};

use crate::app::Error;

/// Longest accepted filter.
const MAX_FILTER_BYTES: usize = 2048;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Name of the field, in lower case.
    pub(super) field: String,
    /// Its value, without quotes.
    pub(super) value: String,
}

impl Comparison {
    /// The value as a time.
    pub(super) fn time(&self) -> Result<Timestamp, Error> {
        let text = self.value.trim();
        text.parse().map_err(|_| {
            refused(&format!(
                "'{text}' is not a time, for example 2026-01-31T00:00:00Z"
            ))
        })
    }
}

/// The refusal of a filter.
pub(super) fn refused(why: &str) -> Error {
    Problem::new(
        Code::InvalidQueryParameterValue,
        format!("The query parameter $filter is not accepted: {why}."),
    )
    .at("$filter")
    .into()
}

/// Splits a filter into its comparisons.
pub(super) fn parse(filter: &str) -> Result<Vec<Comparison>, Error> {
    if filter.len() > MAX_FILTER_BYTES {
        return Err(refused(&format!(
            "it is longer than {MAX_FILTER_BYTES} bytes"
        )));
    }
    let mut rest = filter.trim();
    let mut comparisons = Vec::new();
    while !rest.is_empty() {
        if !comparisons.is_empty() {
            rest = match word(rest) {
                ("and", after) => after,
                (other, _) => return Err(refused(&format!("expected 'and' before '{other}'"))),
            };
        }
        let (field, after) = word(rest);
        let (operator, after) = word(after);
        if !["eq", "ge", "gt", "le", "lt"].contains(&operator.to_lowercase().as_str()) {
            return Err(refused(&format!(
                "'{operator}' after '{field}' is no comparison; use eq"
            )));
        }
        let (value, after) = quoted(after)
            .ok_or_else(|| refused(&format!("the value of '{field}' is not in single quotes")))?;
        comparisons.push(Comparison {
            field: field.to_lowercase(),
            value,
        });
        rest = after;
    }
    Ok(comparisons)
}

fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// A value in single quotes, in which a quote is written twice.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (head, tail) = rest.split_once('\'')?;
        value.push_str(head);
        match tail.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some((value, tail.trim_start())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_that_az_sends_is_understood() {
        let found = parse(
            "startDate eq '2026-01-01T00:00:00.0000000Z' and endDate eq '2026-01-31T00:00:00.0000000Z'",
        )
        .unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].field, "startdate");
        assert_eq!(found[0].time().unwrap().to_string(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_quote_inside_a_value_is_written_twice() {
        let found = parse("name eq 'it''s' and b eq ''").unwrap();
        assert_eq!(
            (found[0].value.as_str(), found[1].value.as_str()),
            ("it's", "")
        );
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_filter_is_refused_with_the_reason() {
        for (filter, why) in [
            ("status", "is no comparison"),
            ("status like 'x'", "is no comparison"),
            ("status eq x", "single quotes"),
            ("status eq 'x", "single quotes"),
            ("status eq 'x' or a eq 'b'", "expected 'and'"),
        ] {
            let error = parse(filter).unwrap_err().to_string();
            assert!(error.contains(why), "{filter}: {error}");
        }
        assert!(parse(&"x".repeat(3000)).is_err());
        assert!(parse("a eq 'tomorrow'").unwrap()[0].time().is_err());
    }
}
