//! Which names are valid, by type, under the published rules.
//!
//! Contract: a pure check with the rule in the error. Names are compared without regard to case by
//! resource ids, so no rule here folds case. Source, unless a row says otherwise:
//! <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules>

use std::fmt;

/// What a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameKind {
    /// A subscription id.
    Subscription,
    /// A resource group.
    ResourceGroup,
    /// A location, for example `eastus`.
    Location,
    /// A backup vault.
    BackupVault,
    /// A backup policy.
    BackupPolicy,
    /// A backup instance.
    BackupInstance,
    /// A resource guard, or the link of a vault to one.
    ResourceGuard,
    /// A rule or a tag of a policy.
    PolicyRule,
    /// A managed or connected cluster.
    Cluster,
    /// A trusted access role binding.
    TrustedAccessRoleBinding,
    /// A cluster extension.
    Extension,
    /// A storage account.
    StorageAccount,
    /// A blob container.
    BlobContainer,
    /// A Kubernetes namespace.
    KubernetesNamespace,
}

/// A rule for names: lengths in characters and the characters allowed.
struct NameRule {
    kind: NameKind,
    what: &'static str,
    min: usize,
    max: usize,
    text: &'static str,
    /// The rule without the lengths, as a regular expression for others (ECMA-262 with `u`, as JSON Schema
    /// has them); a test proves that it says the same.
    pattern: &'static str,
    allowed: fn(char) -> bool,
    /// What else must hold of the whole name.
    whole: fn(&str) -> bool,
}

/// One row for each [`NameKind`].
static RULES: [NameRule; NameKind::ALL.len()] = [
    // A GUID in Azure; any such word here, so that one machine can use a speaking name.
    NameRule {
        kind: NameKind::Subscription,
        what: "subscription id",
        min: 1,
        max: 64,
        text: "letters, digits and hyphens",
        pattern: "^[A-Za-z0-9-]+$",
        allowed: alnum_hyphen,
        whole: anything,
    },
    NameRule {
        kind: NameKind::ResourceGroup,
        what: "resource group name",
        min: 1,
        max: 90,
        text: "letters, digits, underscores, hyphens, periods and parentheses, not ending with a period",
        pattern: r"^[\p{Alphabetic}\p{N}_().-]*[\p{Alphabetic}\p{N}_()-]$",
        allowed: |c| c.is_alphanumeric() || "_-.()".contains(c),
        whole: |name| !name.ends_with('.'),
    },
    NameRule {
        kind: NameKind::Location,
        what: "location",
        min: 1,
        max: 64,
        text: "letters and digits",
        pattern: "^[A-Za-z0-9]+$",
        allowed: |c| c.is_ascii_alphanumeric(),
        whole: anything,
    },
    // As `vaultName` has it in BackupInstanceResource.tsp of `specification/dataprotection`,
    // https://github.com/Azure/azure-rest-api-specs.
    NameRule {
        kind: NameKind::BackupVault,
        what: "backup vault name",
        min: 2,
        max: 50,
        text: "letters, digits and hyphens, starting with a letter and ending with a letter or digit",
        pattern: "^[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]$",
        allowed: alnum_hyphen,
        whole: |name| edges_alnum(name) && name.starts_with(|c: char| c.is_ascii_alphabetic()),
    },
    NameRule {
        kind: NameKind::BackupPolicy,
        what: "backup policy name",
        min: 3,
        max: 150,
        text: "letters, digits and hyphens, starting with a letter or digit",
        pattern: "^[A-Za-z0-9][A-Za-z0-9-]*$",
        allowed: alnum_hyphen,
        whole: starts_alnum,
    },
    // `az dataprotection` makes names of the datasource, its group and a GUID, joined by hyphens.
    NameRule {
        kind: NameKind::BackupInstance,
        what: "backup instance name",
        min: 1,
        max: 260,
        text: "letters, digits, hyphens, underscores and periods, starting with a letter or digit",
        pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        allowed: |c| c.is_ascii_alphanumeric() || "-_.".contains(c),
        whole: starts_alnum,
    },
    // The provider has no rule of its own; that of Terraform's.
    NameRule {
        kind: NameKind::ResourceGuard,
        what: "resource guard name",
        min: 1,
        max: 260,
        text: "letters, digits, hyphens, underscores and periods, starting with a letter or digit",
        pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        allowed: |c| c.is_ascii_alphanumeric() || "-_.".contains(c),
        whole: starts_alnum,
    },
    NameRule {
        kind: NameKind::PolicyRule,
        what: "rule or tag name",
        min: 1,
        max: 150,
        text: "letters, digits, hyphens and underscores, starting with a letter or digit",
        pattern: "^[A-Za-z0-9][A-Za-z0-9_-]*$",
        allowed: |c| c.is_ascii_alphanumeric() || "-_".contains(c),
        whole: starts_alnum,
    },
    NameRule {
        kind: NameKind::Cluster,
        what: "cluster name",
        min: 1,
        max: 63,
        text: "letters, digits, underscores and hyphens, starting and ending with a letter or digit",
        pattern: "^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?$",
        allowed: |c| c.is_ascii_alphanumeric() || "-_".contains(c),
        whole: edges_alnum,
    },
    // minLength 1, maxLength 24 in the published TrustedAccessRoleBindings_CreateOrUpdate.
    NameRule {
        kind: NameKind::TrustedAccessRoleBinding,
        what: "trusted access role binding name",
        min: 1,
        max: 24,
        text: "letters, digits and hyphens",
        pattern: "^[A-Za-z0-9-]+$",
        allowed: alnum_hyphen,
        whole: anything,
    },
    NameRule {
        kind: NameKind::Extension,
        what: "extension name",
        min: 1,
        max: 63,
        text: "letters, digits and hyphens, starting and ending with a letter or digit",
        pattern: "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$",
        allowed: alnum_hyphen,
        whole: edges_alnum,
    },
    NameRule {
        kind: NameKind::StorageAccount,
        what: "storage account name",
        min: 3,
        max: 24,
        text: "lower-case letters and digits",
        pattern: "^[a-z0-9]+$",
        allowed: lower_digit,
        whole: anything,
    },
    NameRule {
        kind: NameKind::BlobContainer,
        what: "blob container name",
        min: 3,
        max: 63,
        text: "lower-case letters, digits and single hyphens, starting and ending with a letter or digit",
        pattern: "^[a-z0-9]+(-[a-z0-9]+)*$",
        allowed: |c| lower_digit(c) || c == '-',
        whole: |name| edges_alnum(name) && !name.contains("--"),
    },
    // https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
    NameRule {
        kind: NameKind::KubernetesNamespace,
        what: "namespace name",
        min: 1,
        max: 63,
        text: "lower-case letters, digits and hyphens, starting and ending with a letter or digit",
        pattern: "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        allowed: |c| lower_digit(c) || c == '-',
        whole: edges_alnum,
    },
];

/// A name that breaks the rule of its type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a valid {what}: it must be {rule}")]
pub struct InvalidName {
    /// The name.
    pub name: String,
    /// What it should name, for example `backup vault name`.
    pub what: &'static str,
    /// The rule that it breaks.
    pub rule: String,
}

impl NameKind {
    /// Every kind of name.
    pub const ALL: &'static [Self] = &[
        Self::Subscription,
        Self::ResourceGroup,
        Self::Location,
        Self::BackupVault,
        Self::BackupPolicy,
        Self::BackupInstance,
        Self::ResourceGuard,
        Self::PolicyRule,
        Self::Cluster,
        Self::TrustedAccessRoleBinding,
        Self::Extension,
        Self::StorageAccount,
        Self::BlobContainer,
        Self::KubernetesNamespace,
    ];

    /// The rule in words.
    #[must_use]
    pub fn rule(self) -> String {
        let rule = self.table();
        format!("{} to {} characters: {}", rule.min, rule.max, rule.text)
    }

    /// Fewest characters.
    #[must_use]
    pub fn min_chars(self) -> usize {
        self.table().min
    }

    /// Most characters.
    #[must_use]
    pub fn max_chars(self) -> usize {
        self.table().max
    }

    /// The rule without the lengths, as a regular expression (ECMA-262 with the flag `u`).
    #[must_use]
    pub fn pattern(self) -> &'static str {
        self.table().pattern
    }

    fn table(self) -> &'static NameRule {
        // Every kind has its row, which a test proves; the first one is never the answer for another.
        RULES
            .iter()
            .find(|rule| rule.kind == self)
            .unwrap_or(&RULES[0])
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.table().what)
    }
}

/// Whether `name` is a valid name of its kind.
///
/// # Errors
/// [`InvalidName`] with the rule that it breaks.
pub fn check(kind: NameKind, name: &str) -> Result<(), InvalidName> {
    let rule = kind.table();
    let length = name.chars().count();
    let valid = (rule.min..=rule.max).contains(&length)
        && name.chars().all(rule.allowed)
        && (rule.whole)(name);
    if valid {
        Ok(())
    } else {
        Err(InvalidName {
            name: shown(name),
            what: rule.what,
            rule: kind.rule(),
        })
    }
}

/// At most 80 characters of a name, so that an error never repeats megabytes of input.
fn shown(name: &str) -> String {
    const SHOWN_CHARS: usize = 80;
    if name.chars().count() <= SHOWN_CHARS {
        name.to_owned()
    } else {
        format!("{}…", name.chars().take(SHOWN_CHARS).collect::<String>())
    }
}

fn anything(_: &str) -> bool {
    true
}

fn alnum_hyphen(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

fn lower_digit(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn starts_alnum(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn edges_alnum(name: &str) -> bool {
    starts_alnum(name) && name.ends_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_row() {
        for kind in NameKind::ALL {
            assert_eq!(kind.table().kind, *kind);
        }
    }

    #[test]
    fn names_at_their_limits_are_valid_and_beyond_them_are_not() {
        for kind in NameKind::ALL.iter().copied() {
            let rule = kind.table();
            assert_eq!(
                check(kind, &"a".repeat(rule.min)),
                Ok(()),
                "{kind} shortest"
            );
            assert_eq!(check(kind, &"a".repeat(rule.max)), Ok(()), "{kind} longest");
            assert!(
                check(kind, &"a".repeat(rule.min - 1)).is_err(),
                "{kind} too short"
            );
            assert!(
                check(kind, &"a".repeat(rule.max + 1)).is_err(),
                "{kind} too long"
            );
            for bad in ["a b!", "../..", "a/b", "ab\0c", ""] {
                assert!(check(kind, bad).is_err(), "{kind} {bad:?}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn the_pattern_of_a_rule_says_what_the_rule_says(
            name in "[a-bA-B0-1_().\\-äß٣Ⅷ\u{345} /!]{1,5}|\\PC{1,4}", kind in 0..NameKind::ALL.len()
        ) {
            let kind = NameKind::ALL[kind];
            let length = kind.min_chars()..=kind.max_chars();
            let pattern = regex::Regex::new(kind.pattern()).unwrap();
            let said = length.contains(&name.chars().count()) && pattern.is_match(&name);
            proptest::prop_assert_eq!(said, check(kind, &name).is_ok(), "{} {:?}", kind, name);
        }
    }

    #[test]
    fn each_rule_holds_for_its_own_examples() {
        use NameKind::*;
        let table: &[(NameKind, &str, bool)] = &[
            (BackupVault, "vault-1", true),
            (BackupVault, "-vault", false),
            (BackupVault, "1vault", false),
            (BackupVault, "vault-", false),
            (BackupVault, "vault_1", false),
            (ResourceGroup, "rg.(1)_x-y", true),
            (ResourceGroup, "rg.", false),
            (Cluster, "prod_1-a", true),
            (Cluster, "prod-", false),
            (StorageAccount, "store1", true),
            (StorageAccount, "Store1", false),
            (BlobContainer, "backup-1", true),
            (BlobContainer, "backup--1", false),
            (KubernetesNamespace, "shop-1", true),
            (KubernetesNamespace, "Shop", false),
            (BackupInstance, "prod-1-web-3f2a.x", true),
        ];
        for (kind, name, valid) in table {
            assert_eq!(check(*kind, name).is_ok(), *valid, "{kind} {name}");
        }
    }

    #[test]
    fn the_error_says_the_rule_and_does_not_repeat_megabytes() {
        let error = check(NameKind::BackupVault, &"!".repeat(1_000_000)).unwrap_err();
        assert!(error.to_string().len() < 400);
        insta::assert_snapshot!(
            check(NameKind::StorageAccount, "My Store").unwrap_err(),
            @r#""My Store" is not a valid storage account name: it must be 3 to 24 characters: lower-case letters and digits"#
        );
    }
}
