//! The catalogue in PostgreSQL: a backup outlives the death of the database, and what was there is there
//! again for another start of the server.

use std::time::Duration;

use strongroom_e2e::postgres::Postgres;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

#[test]
fn a_backup_outlives_the_death_of_the_database_that_holds_the_catalogue() {
    let dir = tempfile::tempdir().unwrap();
    let mut database = Postgres::start(&dir.path().join("postgresql")).unwrap();
    let url = database.url();
    let mut stage = TestStage::with(&[("STRONGROOM_DATABASE_URL", &url)]);
    LEDGER.deploy(&stage.kubectl).unwrap();
    stage.set_up(&LEDGER).unwrap();
    let kept = stage.data_dir().join("strongroom.db");
    assert!(!kept.exists(), "the catalogue is in the data directory");
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");

    let words = ["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"];
    stage.cli.run(&words).unwrap();
    database.kill();
    let (_, told) = stage.cli.fails(&["vault", "list"]).unwrap();
    assert!(told.contains("ServiceUnavailable"), "{told}");
    database.start_again().unwrap();
    let jobs = wait_for("both backups to end", Duration::from_secs(120), || {
        let jobs = stage.cli.json(&["job", "list", "--vault", VAULT]);
        let jobs = jobs.map_err(|error| error.to_string())?;
        let open = |job: &&serde_json::Value| status(job) == "InProgress";
        match jobs.as_array().unwrap().iter().find(open) {
            Some(job) => Err(format!("{job:#}")),
            None => Ok(jobs),
        }
    })
    .unwrap();
    let ends: Vec<&str> = jobs.as_array().unwrap().iter().map(status).collect();
    assert_eq!(ends, ["Completed", "Completed"], "{jobs:#}");

    stage
        .restart_server(&[("STRONGROOM_DATABASE_URL", &url)])
        .unwrap();
    assert_eq!(stage.recovery_points().unwrap().len(), 2);
    let before = LEDGER.state(&stage.kubectl).unwrap();
    LEDGER.lose(&stage.kubectl).unwrap();
    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
}
