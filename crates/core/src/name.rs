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
    what: &'static str,
    min: usize,
    max: usize,
    text: &'static str,
    allowed: fn(char) -> bool,
    /// What else must hold of the whole name.
    whole: fn(&str) -> bool,
}

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

    fn table(self) -> NameRule {
        let (what, min, max, text, allowed, whole): (
            _,
            _,
            _,
            _,
            fn(char) -> bool,
            fn(&str) -> bool,
        ) = match self {
            // A GUID in Azure; any such word here, so that one machine can use a speaking name.
            Self::Subscription => (
                "subscription id",
                1,
                64,
                "letters, digits and hyphens",
                alnum_hyphen,
                anything,
            ),
            Self::ResourceGroup => (
                "resource group name",
                1,
                90,
                "letters, digits, underscores, hyphens, periods and parentheses, not ending with a period",
                |c| c.is_alphanumeric() || "_-.()".contains(c),
                |name| !name.ends_with('.'),
            ),
            Self::Location => (
                "location",
                1,
                64,
                "letters and digits",
                |c| c.is_ascii_alphanumeric(),
                anything,
            ),
            Self::BackupVault => (
                "backup vault name",
                2,
                50,
                "letters, digits and hyphens, starting with a letter or digit",
                alnum_hyphen,
                starts_alnum,
            ),
            Self::BackupPolicy => (
                "backup policy name",
                3,
                150,
                "letters, digits and hyphens, starting with a letter or digit",
                alnum_hyphen,
                starts_alnum,
            ),
            // `az dataprotection` makes names of the datasource, its group and a GUID, joined by hyphens.
            Self::BackupInstance => (
                "backup instance name",
                1,
                260,
                "letters, digits, hyphens, underscores and periods, starting with a letter or digit",
                |c| c.is_ascii_alphanumeric() || "-_.".contains(c),
                starts_alnum,
            ),
            Self::PolicyRule => (
                "rule or tag name",
                1,
                150,
                "letters, digits, hyphens and underscores, starting with a letter or digit",
                |c| c.is_ascii_alphanumeric() || "-_".contains(c),
                starts_alnum,
            ),
            Self::Cluster => (
                "cluster name",
                1,
                63,
                "letters, digits, underscores and hyphens, starting and ending with a letter or digit",
                |c| c.is_ascii_alphanumeric() || "-_".contains(c),
                edges_alnum,
            ),
            // minLength 1, maxLength 24 in the published TrustedAccessRoleBindings_CreateOrUpdate.
            Self::TrustedAccessRoleBinding => (
                "trusted access role binding name",
                1,
                24,
                "letters, digits and hyphens",
                alnum_hyphen,
                anything,
            ),
            Self::Extension => (
                "extension name",
                1,
                63,
                "letters, digits and hyphens, starting and ending with a letter or digit",
                alnum_hyphen,
                edges_alnum,
            ),
            Self::StorageAccount => (
                "storage account name",
                3,
                24,
                "lower-case letters and digits",
                lower_digit,
                anything,
            ),
            Self::BlobContainer => (
                "blob container name",
                3,
                63,
                "lower-case letters, digits and single hyphens, starting and ending with a letter or digit",
                |c| lower_digit(c) || c == '-',
                |name| edges_alnum(name) && !name.contains("--"),
            ),
            // https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names
            Self::KubernetesNamespace => (
                "namespace name",
                1,
                63,
                "lower-case letters, digits and hyphens, starting and ending with a letter or digit",
                |c| lower_digit(c) || c == '-',
                edges_alnum,
            ),
        };
        NameRule {
            what,
            min,
            max,
            text,
            allowed,
            whole,
        }
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

    #[test]
    fn each_rule_holds_for_its_own_examples() {
        use NameKind::*;
        let table: &[(NameKind, &str, bool)] = &[
            (BackupVault, "vault-1", true),
            (BackupVault, "-vault", false),
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
