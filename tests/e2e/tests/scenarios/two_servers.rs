//! Two servers on one PostgreSQL: either may die in the middle of a job, and the other one ends it.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use strongroom_core::lease::DURATION;
use strongroom_e2e::postgres::Postgres;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::relay::Relay;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::server::{self, Server, ServerOptions};
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

/// For a server to be found silent, and for the job then.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(DURATION.as_secs() + 120);

#[test]
fn either_of_two_servers_on_one_database_may_die_in_the_middle_of_a_job() {
    let dir = tempfile::tempdir().unwrap();
    let database = Postgres::start(&dir.path().join("postgresql")).unwrap();
    let mut stage = TestStage::with(&[("STRONGROOM_DATABASE_URL", &database.url())]);
    LEDGER.deploy(&stage.kubectl).unwrap();
    stage.set_up(&LEDGER).unwrap();
    let before = LEDGER.state(&stage.kubectl).unwrap();

    let first = stage.server().unwrap().options.clone();
    let mut second = second_beside(&first, dir.path());
    let told = std::fs::read_to_string(second.options.data_dir.with_extension("log")).unwrap();
    assert!(
        told.contains("is in the data directory of another server"),
        "{told}"
    );

    let words = ["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"];
    stage.cli.run(&words).unwrap();
    stage.server().unwrap().kill();
    // What clients and extensions ask goes to the other one from now on.
    let balancer = Relay::at(first.port, second.options.port).unwrap();
    let backup = end_of_newest_job(&stage);
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    assert_eq!(stage.recovery_points().unwrap().len(), 1);

    LEDGER.lose(&stage.kubectl).unwrap();
    let words = ["restore", "start", INSTANCE, "--vault", VAULT];
    let options = ["--recovery-point", "latest", "--no-wait"];
    stage.cli.run(&[&words[..], &options].concat()).unwrap();
    second.kill();
    drop(balancer);
    stage.server = Some(Server::start(first).unwrap());
    let restore = end_of_newest_job(&stage);
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
}

/// Another server of the same catalogue, with the keys, the certificates and the storage of the first.
fn second_beside(first: &ServerOptions, dir: &Path) -> Server {
    let data_dir = dir.join("second");
    for folder in ["keys", "tls"] {
        let (from, to) = (first.data_dir.join(folder), data_dir.join(folder));
        std::fs::create_dir_all(&to).unwrap();
        for file in std::fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    let config = dir.join("second.toml");
    let blobs = first.data_dir.join("blobs");
    std::fs::write(&config, format!("[server]\nblobs_dir = {blobs:?}\n")).unwrap();
    Server::start(ServerOptions {
        data_dir,
        config: Some(config),
        port: server::free_port().unwrap(),
        ..first.clone()
    })
    .unwrap()
}

fn end_of_newest_job(stage: &TestStage) -> Value {
    wait_for("the job to end", TAKEN_OVER_WITHIN, || {
        let jobs = stage
            .cli
            .json(&["job", "list", "--vault", VAULT])
            .map_err(|error| error.to_string())?;
        match status(&jobs[0]) {
            "InProgress" => Err(format!("{jobs:#}")),
            _ => Ok(jobs[0].clone()),
        }
    })
    .unwrap()
}
