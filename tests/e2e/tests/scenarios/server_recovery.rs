//! The server's own state is lost: its catalogue comes back from a copy, and without one from the stores.

use std::path::Path;
use std::time::Duration;

use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

/// Removes the database of a data directory, and the token that its catalogue knows.
fn lose_catalogue(data_dir: &Path) {
    for entry in std::fs::read_dir(data_dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("strongroom.db") || name == "admin.token" {
            std::fs::remove_file(path).unwrap();
        }
    }
}

/// Waits until the instance has these recovery points.
fn points(stage: &TestStage, count: usize) -> Vec<String> {
    let what = format!("{count} recovery points to be there");
    wait_for(&what, Duration::from_secs(60), || {
        let found = stage.recovery_points().map_err(|error| error.to_string())?;
        if found.len() == count {
            Ok(found)
        } else {
            Err(format!("{found:?}"))
        }
    })
    .unwrap()
}

fn restores_what_was_lost(stage: &TestStage) {
    let before = LEDGER.state(&stage.kubectl).unwrap();
    LEDGER.lose(&stage.kubectl).unwrap();
    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
}

#[test]
fn a_catalogue_that_is_lost_without_a_copy_is_rebuilt_from_the_store_and_restored_from() {
    let mut stage = TestStage::protected(&LEDGER);
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
    let made = stage.recovery_points().unwrap();
    let described = || stage.stored_files(|path| path.contains("/description/"));
    wait_for(
        "a description",
        Duration::from_secs(120),
        || match described().len() {
            1 => Ok(()),
            count => Err(format!("{count} descriptions")),
        },
    )
    .unwrap();

    stage.server().unwrap().kill();
    let data_dir = stage.data_dir();
    lose_catalogue(&data_dir);
    let dir = data_dir.to_string_lossy().into_owned();
    let told = stage
        .cli
        .output(&["server", "rebuild-catalog", "--data-dir", &dir])
        .unwrap();
    let words = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        told.status.success() && words.contains("1 recovery points"),
        "{words}"
    );
    let again = stage
        .cli
        .fails(&["server", "rebuild-catalog", "--data-dir", &dir])
        .unwrap();
    assert_eq!(again.0, 5, "{}", again.1);

    stage.restart_server(&[]).unwrap();
    stage.login().unwrap();
    assert_eq!(points(&stage, 1), made);
    let (_, refused) = stage
        .cli
        .fails(&[
            "restore",
            "start",
            INSTANCE,
            "--vault",
            VAULT,
            "--recovery-point",
            "latest",
        ])
        .unwrap();
    assert!(refused.contains("error["), "{refused}");
    stage.connect_cluster().unwrap();
    restores_what_was_lost(&stage);
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
    points(&stage, 2);
}

#[test]
fn a_catalogue_that_is_restored_from_an_older_copy_comes_to_what_the_store_holds() {
    let mut stage = TestStage::protected(&LEDGER);
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
    let data_dir = stage.data_dir();
    let dir = data_dir.to_string_lossy().into_owned();
    let copy = stage
        .dir()
        .join("catalogue.zst")
        .to_string_lossy()
        .into_owned();
    let words = [
        "server",
        "backup-catalog",
        "--data-dir",
        &dir,
        "--output",
        &copy,
    ];
    stage.cli.run(&words).unwrap();
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
    let made = stage.recovery_points().unwrap();

    stage.server().unwrap().kill();
    lose_catalogue(&data_dir);
    let words = [
        "server",
        "restore-catalog",
        "--data-dir",
        &dir,
        "--input",
        &copy,
    ];
    stage.cli.run(&words).unwrap();
    stage.restart_server(&[]).unwrap();
    stage.login().unwrap();
    assert_eq!(points(&stage, 2), made);
    restores_what_was_lost(&stage);
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
}
