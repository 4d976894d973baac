//! `$filter` as clients of the contract send it: comparisons with quoted values, joined by `and`.
//!
//! `az` writes times with seven decimals (`2026-01-01T00:00:00.0000000Z`) and compares with `eq`
//! where it means a bound: `startDate eq '…'` is "from", `endDate eq '…'` is "until". With any other
//! operator the comparison means what it says.

use jiff::{SignedDuration, Timestamp};
use strongroom_core::error::{Code, Problem};

use crate::app::Error;

/// Longest accepted filter.
const MAX_FILTER_BYTES: usize = 2048;

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    AtLeast,
    Above,
    AtMost,
    Below,
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "ge" => Self::AtLeast,
            "gt" => Self::Above,
            "le" => Self::AtMost,
            "lt" => Self::Below,
            _ => return None,
        })
    }
}

/// A range of times, both ends included. Times are stored to the microsecond, so what is above or below
/// a time begins one microsecond beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TimeRange {
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

/// What `eq` means of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// From then on: `startTime`, `startDate`.
    From,
    /// Until then: `endTime`, `endDate`.
    Until,
}

impl TimeRange {
    /// Narrows the range by a comparison of which `eq` means `bound`.
    pub(super) fn narrow(&mut self, comparison: &Comparison, bound: Bound) -> Result<(), Error> {
        let step = SignedDuration::from_micros(1);
        let time = comparison.time()?;
        let (from, until) = match (comparison.operator, bound) {
            (Operator::AtLeast | Operator::Above, Bound::Until) => {
                let field = &comparison.field;
                let why = format!("'{field}' is an end; compare it with eq, le or lt");
                return Err(refused(&why));
            }
            (Operator::Equal | Operator::AtLeast, Bound::From) => (Some(time), None),
            (Operator::Above, Bound::From) => (time.checked_add(step).ok(), None),
            (Operator::Equal, Bound::Until) | (Operator::AtMost, _) => (None, Some(time)),
            (Operator::Below, _) => (None, time.checked_sub(step).ok()),
        };
        self.from = self.from.max(from);
        // `None` is no bound, so the smaller of two is not `Option`'s own.
        self.until = match (self.until, until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Ok(())
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Name of the field, in lower case.
    pub(super) field: String,
    /// How it is compared.
    pub(super) operator: Operator,
    /// Its value, without quotes.
    pub(super) value: String,
}

impl Comparison {
    /// The value of a field that can only be equal to something.
    pub(super) fn equal(self) -> Result<String, Error> {
        if self.operator == Operator::Equal {
            return Ok(self.value);
        }
        let field = self.field;
        Err(refused(&format!("'{field}' can only be compared with eq")))
    }

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
        let operator = Operator::parse(operator).ok_or_else(|| {
            refused(&format!(
                "'{operator}' after '{field}' is no comparison; use eq, ge, gt, le or lt"
            ))
        })?;
        let (value, after) = quoted(after)
            .ok_or_else(|| refused(&format!("the value of '{field}' is not in single quotes")))?;
        comparisons.push(Comparison {
            field: field.to_lowercase(),
            operator,
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
    fn a_time_is_bounded_as_the_operator_says() {
        let range = |filter: &str, bound| {
            let mut range = TimeRange::default();
            for comparison in parse(filter).unwrap() {
                range.narrow(&comparison, bound).unwrap();
            }
            let told = |time: Option<Timestamp>| time.map_or("-".into(), |time| time.to_string());
            format!("{} {}", told(range.from), told(range.until))
        };
        let noon = "2026-01-01T12:00:00Z";
        for (operator, bound, wanted) in [
            ("eq", Bound::From, "2026-01-01T12:00:00Z -"),
            ("eq", Bound::Until, "- 2026-01-01T12:00:00Z"),
            ("le", Bound::From, "- 2026-01-01T12:00:00Z"),
            ("gt", Bound::From, "2026-01-01T12:00:00.000001Z -"),
            ("lt", Bound::From, "- 2026-01-01T11:59:59.999999Z"),
        ] {
            assert_eq!(range(&format!("t {operator} '{noon}'"), bound), wanted);
        }
        let end = parse(&format!("t ge '{noon}'")).unwrap().remove(0);
        let refused = TimeRange::default().narrow(&end, Bound::Until);
        assert!(refused.unwrap_err().to_string().contains("is an end"));
        let both = format!("t ge '{noon}' and t le '2026-01-02T00:00:00Z' and t le '{noon}'");
        assert_eq!(range(&both, Bound::From), format!("{noon} {noon}"));
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
