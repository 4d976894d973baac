//! How long a hook's command may take, as in `30s` or `1m30s`.
//!
//! Contract: Go's duration syntax as far as the custom resources' schema takes it: one or more whole or
//! decimal numbers, each with `h`, `m`, `s` or `ms`; more than nothing, and at most what the caller accepts.
//! Source: <https://pkg.go.dev/time#ParseDuration>

use std::time::Duration;

/// Understands a duration of at most `most`.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str, most: Duration) -> Result<Duration, String> {
    let malformed = || format!("{text:?} is not a duration such as 30s or 1m30s");
    let mut rest = text;
    let mut millis = 0.0_f64;
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(malformed)?;
        let (number, behind) = rest.split_at(end);
        let number: f64 = number.parse().map_err(|_no_number| malformed())?;
        let unit = behind
            .find(|c: char| c.is_ascii_digit())
            .map_or(behind, |end| &behind[..end]);
        millis += number
            * match unit {
                "h" => 3_600_000.0,
                "m" => 60_000.0,
                "s" => 1_000.0,
                "ms" => 1.0,
                _ => return Err(malformed()),
            };
        rest = &behind[unit.len()..];
    }
    if millis > most.as_secs_f64() * 1_000.0 {
        return Err(format!(
            "{text} is more than {} s, the most that is accepted",
            most.as_secs()
        ));
    }
    let parsed = Duration::from_secs_f64(millis / 1_000.0);
    if parsed.is_zero() {
        return Err(format!("{text:?} leaves no time"));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them_up_to_the_limit() {
        let most = Duration::from_secs(300);
        let secs = |text: &str| parse(text, most).map(|parsed| parsed.as_secs_f64());
        assert_eq!(secs("30s"), Ok(30.0));
        assert_eq!(secs("1m30s"), Ok(90.0));
        assert_eq!(secs("1.5s"), Ok(1.5));
        assert_eq!(secs("250ms"), Ok(0.25));
        assert_eq!(secs("5m"), Ok(300.0));
        for odd in [
            "",
            "0s",
            "10",
            "s",
            "1d",
            "-1s",
            "1.2.3s",
            "5m1s",
            "2h",
            "99999999999999h",
        ] {
            assert!(parse(odd, most).is_err(), "{odd}");
        }
    }
}
