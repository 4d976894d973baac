//! Who may do what, as roles and scopes decide it.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const GROUP: &str = "/subscriptions/s/resourceGroups/rg";
const VAULT: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/shop";
const BACKUP: &str = "Microsoft.DataProtection/backupVaults/backupInstances/backup/action";
const READ: &str = "Microsoft.DataProtection/backupVaults/read";
const ASSIGN: &str = "Microsoft.Authorization/roleAssignments/write";

fn assigned(role: Uuid, scope: &str) -> Assignment {
    Assignment {
        id: format!("{scope}/…/{role}"),
        scope: Scope::parse(scope).unwrap(),
        role,
    }
}

fn may(assignments: &[Assignment], action: &str, scope: &str) -> bool {
    decide(assignments, action, &Scope::of_resource(scope)).is_allowed()
}

#[test]
fn what_nothing_grants_is_denied_with_the_reason() {
    let vault = Scope::of_resource(VAULT);
    assert_eq!(
        decide(&[], READ, &vault),
        Decision::Denied(Denial::NothingAssigned)
    );
    let reader = [assigned(BACKUP_READER, VAULT), assigned(READER, GROUP)];
    let Decision::Denied(denial) = decide(&reader, BACKUP, &vault) else {
        panic!("a reader backs up");
    };
    assert_eq!(denial, Denial::NotIncluded(vec!["Backup Reader", "Reader"]));
    assert_eq!(
        denial.to_string(),
        "the action is not part of Backup Reader, Reader"
    );
    let unknown = [assigned(Uuid::from_u128(1), "/")];
    assert!(!may(&unknown, READ, VAULT));
}

#[test]
fn an_assignment_holds_at_its_scope_and_below_by_whole_segments() {
    let at_vault = [assigned(BACKUP_CONTRIBUTOR, VAULT)];
    let instance = format!("{VAULT}/backupInstances/i");
    for (scope, allowed) in [
        (VAULT, true),
        (&VAULT.to_uppercase(), true),
        (&instance, true),
        (&format!("{VAULT}-2"), false),
        (&format!("{VAULT}x/backupInstances/i"), false),
        (GROUP, false),
        ("/subscriptions/s", false),
        ("", false),
    ] {
        assert_eq!(may(&at_vault, BACKUP, scope), allowed, "{scope}");
    }
    for above in ["/", "/subscriptions/S", GROUP] {
        assert!(may(&[assigned(BACKUP_OPERATOR, above)], BACKUP, &instance));
    }
    assert!(!may(
        &[assigned(OWNER, "/subscriptions/other")],
        READ,
        VAULT
    ));
}

#[test]
fn what_a_role_takes_away_another_may_give() {
    let contributor = [assigned(CONTRIBUTOR, GROUP)];
    assert!(may(
        &contributor,
        "Microsoft.Storage/storageAccounts/delete",
        GROUP
    ));
    assert!(!may(&contributor, ASSIGN, GROUP));
    assert!(!may(
        &contributor,
        "Strongroom.Administration/servicePrincipals/write",
        GROUP
    ));
    assert!(may(
        &contributor,
        "Microsoft.Authorization/roleAssignments/read",
        GROUP
    ));
    let both = [
        assigned(CONTRIBUTOR, GROUP),
        assigned(USER_ACCESS_ADMINISTRATOR, GROUP),
    ];
    assert!(may(&both, ASSIGN, GROUP));
}

#[test]
fn each_backup_role_is_what_its_description_says() {
    let delete_vault = "Microsoft.DataProtection/backupVaults/delete";
    let stop = "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action";
    let restore = "Microsoft.DataProtection/backupVaults/backupInstances/restore/action";
    let jobs = "Microsoft.DataProtection/backupVaults/backupJobs/read";
    let cancel = "Microsoft.DataProtection/backupVaults/backupJobs/cancel/action";
    let policy = "Microsoft.DataProtection/backupVaults/backupPolicies/write";
    for (role, allowed, denied) in [
        (
            BACKUP_CONTRIBUTOR,
            vec![READ, BACKUP, restore, stop, jobs, cancel, policy],
            vec![delete_vault, ASSIGN],
        ),
        (
            BACKUP_OPERATOR,
            vec![READ, BACKUP, restore, jobs, cancel],
            vec![delete_vault, ASSIGN, stop, policy],
        ),
        (
            BACKUP_READER,
            vec![READ, jobs],
            vec![delete_vault, ASSIGN, stop, policy, BACKUP, restore, cancel],
        ),
    ] {
        let role = RoleDefinition::of_id(role).unwrap();
        for action in allowed {
            assert!(role.grants(action), "{}: {action}", role.name);
        }
        for action in denied {
            assert!(!role.grants(action), "{}: {action}", role.name);
        }
    }
}

#[test]
fn readers_are_granted_nothing_that_writes() {
    for role in [READER, BACKUP_READER] {
        let role = RoleDefinition::of_id(role).unwrap();
        for permission in role.permissions {
            for action in permission.actions {
                let asks = action.contains("/validate")
                    || action.contains("/find")
                    || action.contains("/fetch")
                    || action.contains("/get")
                    || action.contains("/check")
                    || action.contains("/exportBackupJobs");
                assert!(action.ends_with("/read") || asks, "{}: {action}", role.name);
            }
        }
    }
}

#[test]
fn definitions_are_found_by_id_and_name_and_are_distinct() {
    for role in DEFINITIONS {
        assert_eq!(RoleDefinition::of_id(role.id), Some(role));
        assert_eq!(
            RoleDefinition::of_name(&role.name.to_uppercase()),
            Some(role)
        );
    }
    assert_eq!(DEFINITIONS.len(), 13);
}

#[test]
fn wildcards_stand_for_any_text_and_case_does_not_matter() {
    for (pattern, action, fits) in [
        ("*", "a/b/read", true),
        ("*/read", "A/b/READ", true),
        ("*/read", "a/readers", false),
        ("A/*/read", "a/b/c/read", true),
        ("A/*/read", "a/read", false),
        ("A/*", "a/b/c", true),
        ("A/*", "ab/c", false),
        ("a/b/write", "a/b/write", true),
        ("a/b/write", "a/b/write/action", false),
        ("a*c*e", "abcde", true),
        ("a*c*e", "abcd", false),
        ("", "", true),
        ("", "a", false),
        ("**", "", true),
    ] {
        assert_eq!(matches(pattern, action), fits, "{pattern} {action}");
    }
}

#[test]
fn the_scope_of_an_address_ends_with_its_last_whole_resource() {
    let extension = format!("{VAULT}/providers/X.Y/extensions/e");
    for (path, scope) in [
        ("/", "/"),
        ("/metrics", "/"),
        ("/subscriptions", "/"),
        ("/subscriptions/s", "/subscriptions/s"),
        ("/subscriptions/s/resourceGroups", "/subscriptions/s"),
        (GROUP, GROUP),
        ("/subscriptions/s/providers", "/subscriptions/s"),
        (
            "/subscriptions/s/providers/Microsoft.Storage/register",
            "/subscriptions/s",
        ),
        (
            "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults",
            GROUP,
        ),
        (VAULT, VAULT),
        (&format!("{VAULT}/backupInstances"), VAULT),
        (
            &format!("{VAULT}/backupInstances/i/backup"),
            &format!("{VAULT}/backupInstances/i"),
        ),
        (&extension, &extension),
        (&format!("{VAULT}/providers/X.Y/extensions"), VAULT),
        (
            "/providers/X.Y/tokens/admin/rotate",
            "/providers/X.Y/tokens/admin",
        ),
    ] {
        assert_eq!(Scope::of_address(path).to_string(), scope, "{path}");
    }
    for bad in [
        "x",
        "/x",
        "/subscriptions",
        "/subscriptions/a//b",
        "/subscriptions/..",
    ] {
        assert!(Scope::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn who_has_a_role_below_sees_lists_and_the_subscription() {
    let at_vault = [assigned(BACKUP_READER, VAULT)];
    let subscription = Scope::parse("/subscriptions/s").unwrap();
    assert!(is_granted_below(&at_vault, READ, &subscription));
    assert!(!is_granted_below(&at_vault, BACKUP, &subscription));
    assert!(!is_granted_below(
        &at_vault,
        READ,
        &Scope::parse("/subscriptions/t").unwrap()
    ));
    assert!(is_present(&at_vault, &subscription));
    assert!(is_present(&[assigned(READER, "/")], &subscription));
    assert!(!is_present(
        &at_vault,
        &Scope::parse("/subscriptions/s2").unwrap()
    ));
}

proptest! {
    #[test]
    fn a_name_covers_itself_and_never_a_longer_one(name in "[a-z0-9-]{1,12}", more in "[a-z0-9-]{1,4}") {
        let at = |rest: String| Scope::of_resource(&format!("{GROUP}/providers/A/b/{rest}"));
        let scope = at(name.clone());
        prop_assert!(scope.covers(&scope));
        prop_assert!(scope.covers(&at(name.clone() + "/c/" + &more)));
        prop_assert!(!scope.covers(&at(name + &more)));
    }

    #[test]
    fn matching_ends_whatever_the_pattern(pattern in "[ab*]{0,20}", action in "[ab]{0,60}") {
        let _ = matches(&pattern, &action);
        prop_assert!(matches("*", &action));
        prop_assert!(matches(&action, &action));
    }
}
