//! What an extension can do beyond its first version, by the names in which it tells so.
//!
//! Contract: a vault asks an extension for no more than it says that it can do. Names are only ever added.

/// A preview that has secrets tries the store that they lead to, as well.
pub const STORAGE_PROBE: &str = "StorageProbe";

/// All of them: what this version's extension can do, and what its vault needs.
pub const ALL: &[&str] = &[STORAGE_PROBE];

/// What a vault of this version needs and an extension that says `told` of itself cannot do.
#[must_use]
pub fn missing(told: &[String]) -> Vec<&'static str> {
    let can = |name: &&&str| told.iter().any(|told| told == **name);
    ALL.iter().filter(|name| !can(name)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_of_this_version_or_a_later_one_can_do_all_and_an_older_one_not() {
        let mut told: Vec<String> = ALL.iter().map(|name| (*name).to_owned()).collect();
        told.push("OfALaterVersion".to_owned());
        assert_eq!(missing(&told), Vec::<&str>::new());
        assert_eq!(missing(&[]), ALL);
    }
}
