//! Which `?api-version=` values are served.
//!
//! `Microsoft.DataProtection` has a closed list, the published versions from 2023-11-01 on. The
//! providers around it are served only as far as a protected cluster needs, with one shape for all
//! of their versions, so for them any well-formed version is accepted.

/// The version that our own client sends: the newest that the published SDK knows.
pub const LATEST: &str = "2026-06-01";

/// Published versions of `Microsoft.DataProtection`, oldest first.
///
/// Sources: the list of resource types and versions in the published template reference of
/// `Microsoft.DataProtection` (2023-11-01 … 2025-09-01) and the version lists inside
/// `azure-mgmt-dataprotection` 2.2.0 (2025-07-01 … 2026-06-01).
pub const DATA_PROTECTION: [&str; 12] = [
    "2023-11-01",
    "2023-12-01",
    "2024-02-01-preview",
    "2024-03-01",
    "2024-04-01",
    "2025-01-01",
    "2025-02-01",
    "2025-07-01",
    "2025-09-01",
    "2026-03-01",
    "2026-04-01-preview",
    LATEST,
];

/// Is `version` served for `provider` (for example `Microsoft.DataProtection`, any case)?
///
/// An empty provider stands for the routes that belong to none (subscriptions, resource groups).
#[must_use]
pub fn is_supported(provider: &str, version: &str) -> bool {
    if provider.eq_ignore_ascii_case("Microsoft.DataProtection") {
        DATA_PROTECTION
            .iter()
            .any(|known| known.eq_ignore_ascii_case(version))
    } else {
        is_well_formed(version)
    }
}

/// What our own client sends for other providers: the versions whose shapes these types follow.
const BY_PROVIDER: [(&str, &str); 5] = [
    ("microsoft.authorization", "2022-04-01"),
    ("microsoft.kubernetes", "2024-01-01"),
    ("microsoft.containerservice", "2024-09-01"),
    ("microsoft.kubernetesconfiguration", "2023-05-01"),
    ("microsoft.storage", "2023-05-01"),
];
/// As [`BY_PROVIDER`], for subscriptions and resource groups.
const RESOURCES: &str = "2022-09-01";

/// The version that our own client sends to a path: its last provider decides.
#[must_use]
pub fn for_path(path: &str) -> &'static str {
    let lower = path.to_ascii_lowercase();
    let Some((_, rest)) = lower.rsplit_once("/providers/") else {
        return RESOURCES;
    };
    let provider = rest.split('/').next().unwrap_or_default();
    let known = BY_PROVIDER.iter().find(|(name, _)| *name == provider);
    known.map_or(LATEST, |(_, version)| version)
}

/// What [`is_well_formed`] asks for, as a regular expression; that the date exists it cannot say.
pub const WELL_FORMED: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(-(preview|alpha|beta|privatepreview))?$";

/// `YYYY-MM-DD`, with an optional `-preview`, `-alpha`, `-beta` or `-privatepreview`.
#[must_use]
pub fn is_well_formed(version: &str) -> bool {
    let Some((date, rest)) = version.split_at_checked(10) else {
        return false;
    };
    let suffix = matches!(
        rest.to_ascii_lowercase().as_str(),
        "" | "-preview" | "-alpha" | "-beta" | "-privatepreview"
    );
    suffix && date.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_protection_list_is_closed_and_ordered() {
        assert!(DATA_PROTECTION.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(is_supported("microsoft.dataprotection", "2023-11-01"));
        assert!(is_supported("Microsoft.DataProtection", LATEST));
        for refused in [
            "2023-05-01",
            "2099-01-01",
            "",
            "latest",
            "2026-06-01-preview",
        ] {
            assert!(
                !is_supported("Microsoft.DataProtection", refused),
                "{refused}"
            );
        }
    }

    #[test]
    fn other_providers_take_any_well_formed_version() {
        assert!(is_supported("Microsoft.Kubernetes", "2024-01-01"));
        assert!(is_supported("", "2022-12-01-preview"));
        for refused in [
            "2024-13-01",
            "2024-1-1",
            "v1",
            "2024-01-01-x",
            "2024-01-0\u{e9}",
        ] {
            assert!(!is_supported("Microsoft.Kubernetes", refused), "{refused}");
        }
    }

    #[test]
    fn the_last_provider_of_a_path_decides_what_we_send() {
        let cluster =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c";
        assert_eq!(for_path("/subscriptions/s/resourcegroups/g"), RESOURCES);
        assert_eq!(for_path(cluster), "2024-01-01");
        let extension =
            format!("{cluster}/providers/Microsoft.KubernetesConfiguration/extensions/e");
        assert_eq!(for_path(&extension), "2023-05-01");
        assert_eq!(
            for_path("/subscriptions/s/providers/Microsoft.DataProtection/backupVaults"),
            LATEST
        );
    }
}
