//! Sizes as Kubernetes writes them: `10Gi`, `1.5G`, `1e9`.
//!
//! Contract: parts of a byte are rounded up, as Kubernetes does. Source of the grammar:
//! <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>

/// Suffixes with the power of 1024 that they stand for.
const BINARY: [(&str, u32); 6] = [
    ("Ki", 1),
    ("Mi", 2),
    ("Gi", 3),
    ("Ti", 4),
    ("Pi", 5),
    ("Ei", 6),
];

/// Suffixes with the power of ten that they stand for.
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// The bytes of a size; none when it is none, is negative or has no room in 64 bits.
#[must_use]
pub fn bytes(text: &str) -> Option<u64> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && part.is_empty()) || part.contains('.') {
        return None;
    }
    let digits = format!("{whole}{part}").parse::<u128>().ok()?;
    let places = i32::try_from(part.len()).ok()?;
    let (factor, power) = match BINARY.iter().find(|(name, _)| *name == suffix) {
        Some((_, power)) => (1024_u128.checked_pow(*power)?, 0),
        None => (1, power_of_ten(suffix)?),
    };
    let scaled = digits.checked_mul(factor)?;
    let power = power - places;
    let ten = 10_u128.checked_pow(power.unsigned_abs());
    let bytes = match (power >= 0, ten) {
        (true, ten) => scaled.checked_mul(ten?)?,
        (false, Some(ten)) => scaled.div_ceil(ten),
        (false, None) => u128::from(scaled > 0),
    };
    u64::try_from(bytes).ok()
}

fn power_of_ten(suffix: &str) -> Option<i32> {
    if let Some((_, power)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some(*power);
    }
    let exponent = suffix.strip_prefix(['e', 'E'])?;
    let power: i32 = exponent.parse().ok()?;
    // Beyond it nothing fits into 64 bits, or everything is less than a byte.
    (-64..=64).contains(&power).then_some(power)
}

/// So many bytes as a size, in the largest binary unit that has no parts.
#[must_use]
pub fn text(bytes: u64) -> String {
    let units = BINARY.iter().rev();
    let fits = units.map(|(name, power)| (name, 1024_u64.pow(*power)));
    match fits
        .into_iter()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
    {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_form_of_a_size_is_read() {
        let cases = [
            ("1Gi", 1 << 30),
            ("1.5Gi", 3 << 29),
            ("10", 10),
            ("1k", 1_000),
            ("2E", 2_000_000_000_000_000_000),
            ("1e3", 1_000),
            ("1E3", 1_000),
            ("1500m", 2),
            ("0.5", 1),
            ("+1Ki", 1_024),
            ("1.e2", 100),
            (".5Ki", 512),
            ("1e-60", 1),
            ("0", 0),
        ];
        for (text, expected) in cases {
            assert_eq!(bytes(text), Some(expected), "{text}");
        }
        for text in [
            "", ".", "Gi", "-1Gi", "1 Gi", "1.2.3", "1Xi", "16Ei", "1e65", "1ee3",
        ] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(size: u64) {
            prop_assert_eq!(bytes(&text(size)), Some(size));
        }

        #[test]
        fn whole_units_are_written_as_such(count in 1_u64..1_000) {
            prop_assert!(text(count << 30).ends_with("Gi") || count % 1024 == 0);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,24}") {
            let _ = bytes(&text);
        }
    }
}
