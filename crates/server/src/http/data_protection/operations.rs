//! Polling of long-running operations, in every form that clients use: below a location, below a
//! resource group and below a vault or an instance.

mod results;
mod status;

use strongroom_api::operation::OperationStatus;

use crate::http::route::{Reach, Route};

const READ: &str = "Microsoft.DataProtection/locations/operationStatus/read";
const RESULTS: &str = "Microsoft.DataProtection/locations/operationResults/read";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/providers/Microsoft.DataProtection/locations/{location}/operationStatus/{operation}")
            .reaching(Reach::Operation).get(READ, status::handle)
            .documented(|it| it.json::<OperationStatus>(200)),
        Route::new("/subscriptions/{subscription}/providers/Microsoft.DataProtection/locations/{location}/operationResults/{operation}")
            .reaching(Reach::Operation).get(RESULTS, results::handle)
            .documented(results::answers),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/operationStatus/{operation}")
            .reaching(Reach::Operation).get(READ, status::handle)
            .documented(|it| it.json::<OperationStatus>(200)),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/operationStatus/{operation}")
            .reaching(Reach::Operation).get(READ, status::handle)
            .documented(|it| it.json::<OperationStatus>(200)),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/operationResults/{operation}")
            .reaching(Reach::Operation).get(RESULTS, results::handle)
            .documented(results::answers),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances/{instance}/operationResults/{operation}")
            .reaching(Reach::Operation).get(RESULTS, results::handle)
            .documented(results::answers),
    ]
}
