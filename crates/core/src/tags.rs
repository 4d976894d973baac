//! Tags: the labels that users put on resources, and what of them Azure Resource Manager accepts.
//!
//! Contract: pure; the answer names the first tag that breaks a limit and which. Source of all limits:
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/tag-resources#limitations>.

/// Tags of one resource.
pub const TAGS_MAX: usize = 50;

/// Characters of a tag's name.
pub const TAG_NAME_CHARS: usize = 512;

/// Characters of a tag's value.
pub const TAG_VALUE_CHARS: usize = 256;

/// Characters that a tag's name must not have.
pub const NOT_IN_TAG_NAMES: &str = "<>%&\\?/";

/// Tags that break a limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTags {
    /// There are too many.
    #[error("a resource has at most {TAGS_MAX} tags, and these are {0}")]
    TooMany(usize),
    /// A name is empty, too long, or has a character that it must not have.
    #[error(
        "the name of a tag has 1 to {TAG_NAME_CHARS} characters and none of {NOT_IN_TAG_NAMES} nor control \
         characters; '{0}' does not fit"
    )]
    Name(String),
    /// A value is too long, or has a control character.
    #[error("the value of a tag has at most {TAG_VALUE_CHARS} characters; that of '{0}' has more")]
    Value(String),
}

/// Whether these may be the tags of a resource.
///
/// # Errors
/// [`InvalidTags`] with the first limit that is broken.
pub fn check<'a>(
    tags: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) -> Result<(), InvalidTags> {
    if tags.len() > TAGS_MAX {
        return Err(InvalidTags::TooMany(tags.len()));
    }
    for (name, value) in tags {
        let shown = || name.chars().take(80).collect::<String>();
        let is_bad = |c: char| c.is_control() || NOT_IN_TAG_NAMES.contains(c);
        if name.is_empty() || name.chars().count() > TAG_NAME_CHARS || name.chars().any(is_bad) {
            return Err(InvalidTags::Name(shown()));
        }
        if value.chars().count() > TAG_VALUE_CHARS {
            return Err(InvalidTags::Value(shown()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, value: &str) -> Result<(), InvalidTags> {
        check([(name, value)].into_iter())
    }

    #[test]
    fn tags_at_their_limits_are_accepted_and_beyond_them_are_not() {
        let (name, value) = ("ä".repeat(TAG_NAME_CHARS), "ä".repeat(TAG_VALUE_CHARS));
        assert_eq!(of(&name, &value), Ok(()));
        assert_eq!(of("k", ""), Ok(()));
        assert!(matches!(
            of(&format!("{name}a"), ""),
            Err(InvalidTags::Name(_))
        ));
        assert!(matches!(of("", ""), Err(InvalidTags::Name(_))));
        for bad in NOT_IN_TAG_NAMES.chars().chain(['\0', '\u{7f}']) {
            let name = format!("a{bad}b");
            assert!(
                matches!(of(&name, ""), Err(InvalidTags::Name(_))),
                "{name:?}"
            );
        }
        assert!(matches!(
            of("k", &format!("{value}a")),
            Err(InvalidTags::Value(_))
        ));
        let names: Vec<String> = (0..=TAGS_MAX).map(|n| n.to_string()).collect();
        let many = |count: usize| check(names[..count].iter().map(|name| (name.as_str(), "")));
        assert_eq!(many(TAGS_MAX), Ok(()));
        assert_eq!(many(TAGS_MAX + 1), Err(InvalidTags::TooMany(TAGS_MAX + 1)));
    }
}
