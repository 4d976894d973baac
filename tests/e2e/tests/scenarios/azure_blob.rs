//! Recovery points in a container of Azure Blob Storage, which here is Azurite.

use std::fs;

use strongroom_e2e::azurite::{ACCOUNT, ACCOUNT_KEY, Azurite};
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{CONTAINER, GROUP};

use super::stage_of_tests::{TestStage, status};

/// Base64 of a key that the service never gave out.
const WRONG_KEY: &str = "bm90LXRoZS1rZXktb2YtdGhlLWFjY291bnQ=";

#[test]
fn a_lost_application_comes_back_from_a_container_of_azure() {
    let stage = TestStage::bare();
    let azurite = Azurite::from_environment(&stage.dir().join("azurite")).unwrap();
    azurite.create_container(CONTAINER).unwrap();
    LEDGER.deploy(&stage.kubectl).unwrap();
    let key = key_file(&stage, ACCOUNT_KEY);
    // Pods reach the service by another address than the server.
    let pods = stage.props.reach.of_port(azurite.port()).unwrap();
    stage
        .create_vault_on(&[
            "--backend",
            "azure-blob",
            "--azure-account",
            ACCOUNT,
            "--account-key-file",
            &key,
            "--endpoint",
            &azurite.endpoint(),
            "--extension-endpoint",
            &format!("http://{pods}/{ACCOUNT}"),
        ])
        .unwrap();
    stage.connect_cluster().unwrap();
    stage.protect(&LEDGER).unwrap();
    let before = LEDGER.state(&stage.kubectl).unwrap();

    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    LEDGER.lose(&stage.kubectl).unwrap();
    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
}

#[test]
fn a_wrong_key_and_a_missing_container_of_azure_are_refused_by_code() {
    let stage = TestStage::bare();
    let azurite = Azurite::from_environment(&stage.dir().join("azurite")).unwrap();
    azurite.create_container(CONTAINER).unwrap();
    stage.cli.run(&["group", "create", GROUP]).unwrap();
    for (account, key, container, code) in [
        (
            "wrongkey",
            WRONG_KEY,
            CONTAINER,
            "UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation",
        ),
        (
            "rightkey",
            ACCOUNT_KEY,
            "nobody-made-this",
            "UserErrorBackupStorageLocationNotReady",
        ),
    ] {
        let file = key_file(&stage, key);
        let endpoint = azurite.endpoint();
        let options = [
            "--backend",
            "azure-blob",
            "--azure-account",
            ACCOUNT,
            "--account-key-file",
            &file,
            "--endpoint",
            &endpoint,
        ];
        let create = ["storage", "account", "create", account];
        stage.cli.run(&[&create[..], &options].concat()).unwrap();
        let create = ["storage", "container", "create", container];
        let create = [&create[..], &["--account", account]].concat();
        let (_exit, told) = stage.cli.fails(&create).unwrap();
        assert!(told.contains(&format!("error[{code}]")), "{told}");
        assert!(!told.contains(key), "the refusal tells the key: {told}");
        let kept = ["storage", "container", "list", "--account", account];
        let kept = stage.cli.json(&kept).unwrap();
        assert_eq!(kept, serde_json::json!([]), "a refused container was kept");
    }
    let create = ["storage", "container", "create", CONTAINER];
    let create = [&create[..], &["--account", "rightkey"]].concat();
    stage.cli.run(&create).unwrap();
}

fn key_file(stage: &TestStage, key: &str) -> String {
    let file = stage.dir().join("azure-key");
    fs::write(&file, key).unwrap();
    file.display().to_string()
}
