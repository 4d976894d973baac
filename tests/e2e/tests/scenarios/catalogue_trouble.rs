//! The disk of the catalogue is full: what would write is refused by code, what reads is answered, and nothing
//! is lost.

use strongroom_e2e::cli::Cli;
use strongroom_e2e::server::{self, Server, ServerOptions};
use strongroom_e2e::stage::{GROUP, Props};

use super::mounted_over::MountedOver;

#[test]
fn a_server_whose_disk_is_full_refuses_writes_and_goes_on_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().join("server");
    std::fs::create_dir(&data_dir).unwrap();
    let disk = MountedOver::small(&data_dir);
    let props = Props::from_environment().unwrap();
    let port = server::free_port().unwrap();
    let server = Server::start(ServerOptions {
        binary: props.binary.clone(),
        data_dir: data_dir.clone(),
        listen: "127.0.0.1".to_owned(),
        port,
        advertise_url: format!("https://127.0.0.1:{port}"),
        config: None,
        env: Vec::new(),
    })
    .unwrap();
    let cli = Cli {
        binary: props.binary,
        config: dir.path().join("contexts.yaml"),
    };
    cli.log_in(&server.url(), &data_dir, "stage").unwrap();
    cli.run(&["group", "create", GROUP]).unwrap();
    cli.run(&["vault", "create", "before"]).unwrap();

    disk.fill();
    let (_, told) = cli.fails(&["vault", "create", "meanwhile"]).unwrap();
    assert!(told.contains("ServiceUnavailable"), "{told}");
    let names = || {
        let listed = cli.json(&["vault", "list"]).unwrap();
        let names = listed.as_array().unwrap().iter();
        let names = names.map(|vault| vault["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(), ["before"]);

    disk.make_room();
    cli.run(&["vault", "create", "meanwhile"]).unwrap();
    let server = server.restart().unwrap();
    assert_eq!(names(), ["before", "meanwhile"]);
    drop(server);
}
