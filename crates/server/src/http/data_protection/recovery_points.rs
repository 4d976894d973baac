//! Collection `recoveryPoints` of a backup instance.

mod get;
mod list;
mod verify;

use crate::http::openapi::contract::accepted;
use crate::http::route::Route;

const READ: &str = "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/read";

const VERIFY: &str =
    "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints/verify/action";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/recoveryPoints/{point}")
            .get(READ, get::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/recoveryPoints")
            .get(READ, list::handle)
            .documented(|it| it.filter("comparisons of the time, joined by and")),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/recoveryPoints/{point}/verify")
            .post(VERIFY, verify::handle)
            .documented(accepted),
    ]
}
