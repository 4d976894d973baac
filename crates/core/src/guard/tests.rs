//! What is critical, who may approve it, and what a guard may leave out.

use super::*;
use crate::authorization::{
    BACKUP_MUA_ADMIN, BACKUP_MUA_OPERATOR, CONTRIBUTOR, READER, RoleDefinition,
};

const GUARD: &str =
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.DataProtection/resourceGuards/g";

#[test]
fn what_would_disarm_a_guard_cannot_be_left_out() {
    for operation in CriticalOperation::ALL {
        let names = [operation.name().to_uppercase()];
        let read = Exclusions::read(&names);
        assert_eq!(read.is_err(), operation.is_mandatory(), "{operation:?}");
        if let Ok(exclusions) = read {
            assert!(!exclusions.guards(operation));
            assert_eq!(exclusions.guarded().len(), CriticalOperation::ALL.len() - 1);
        }
    }
    let others = [
        "Microsoft.DataProtection/backupVaults/backupInstances/restore/action",
        "Microsoft.RecoveryServices/vaults/backupconfig/delete",
    ];
    let exclusions = Exclusions::read(&others.map(str::to_owned)).unwrap();
    assert_eq!(exclusions, Exclusions::default());
    assert!(Exclusions::read(&["Microsoft.Compute/disks/delete".to_owned()]).is_err());
}

#[test]
fn who_may_link_a_vault_may_not_approve() {
    let grants = |role, operation: CriticalOperation| {
        RoleDefinition::of_id(role)
            .unwrap()
            .grants(&operation.request_action())
    };
    for operation in CriticalOperation::ALL {
        assert!(grants(BACKUP_MUA_OPERATOR, operation), "{operation:?}");
        assert!(grants(CONTRIBUTOR, operation), "{operation:?}");
        assert!(!grants(READER, operation), "{operation:?}");
        assert!(!grants(BACKUP_MUA_ADMIN, operation), "{operation:?}");
    }
}

#[test]
fn a_request_names_its_operation_below_its_own_guard_only() {
    for operation in CriticalOperation::ALL {
        let request = format!("{GUARD}/{}/default", operation.request_type());
        let read = CriticalOperation::of_request(&GUARD.to_uppercase(), &request);
        assert_eq!(read, Some(operation));
        let other = format!("{GUARD}-2/{}/default", operation.request_type());
        assert_eq!(CriticalOperation::of_request(GUARD, &other), None);
    }
    assert_eq!(CriticalOperation::of_request(GUARD, GUARD), None);
    let told = not_approved(CriticalOperation::DeleteInstance, GUARD);
    assert!(
        told.message.contains("deleteBackupInstanceRequests/action"),
        "{told}"
    );
}
