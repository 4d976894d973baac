//! What is asked of a location: names, features, and what lies in a secondary one.

mod check_feature_support;
mod check_name_availability;
mod cross_region;

use crate::http::route::Route;

const NAME: &str = "Microsoft.DataProtection/locations/checkNameAvailability/action";
const FEATURE: &str = "Microsoft.DataProtection/locations/checkFeatureSupport/action";
const POINTS: &str = "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchSecondaryRecoveryPoints/action";
const JOB: &str = "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJob/action";
const JOBS: &str = "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/fetchCrossRegionRestoreJobs/action";
const RESTORE: &str = "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/crossRegionRestore/action";
const VALIDATE: &str = "Microsoft.DataProtection/subscriptions/resourceGroups/providers/locations/validateCrossRegionRestore/action";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/locations/{location}/checkNameAvailability")
            .post(NAME, check_name_availability::handle),
        Route::new("/subscriptions/{subscription}/providers/Microsoft.DataProtection/locations/{location}/checkFeatureSupport")
            .post(FEATURE, check_feature_support::handle),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/locations/{location}/fetchSecondaryRecoveryPoints")
            .post(POINTS, cross_region::points),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/locations/{location}/fetchCrossRegionRestoreJob")
            .post(JOB, cross_region::job),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/locations/{location}/fetchCrossRegionRestoreJobs")
            .post(JOBS, cross_region::jobs),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/locations/{location}/crossRegionRestore")
            .post(RESTORE, cross_region::restore),
        Route::new("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/locations/{location}/validateCrossRegionRestore")
            .post(VALIDATE, cross_region::restore),
    ]
}
