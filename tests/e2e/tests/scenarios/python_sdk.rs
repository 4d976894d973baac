//! The official Azure SDK for Python, a client that this project did not write, does the main job.

use std::ffi::OsString;
use std::path::PathBuf;

use strongroom_e2e::process;
use strongroom_e2e::sample::SHOP;
use strongroom_e2e::stage::{CLUSTER, GROUP, LOCATION, SUBSCRIPTION};

use super::stage_of_tests::TestStage;

#[test]
fn the_azure_sdk_for_python_backs_up_and_restores() {
    let stage = TestStage::bare();
    SHOP.deploy(&stage.kubectl).unwrap();
    stage.create_vault().unwrap();
    stage.connect_cluster().unwrap();

    let python = PathBuf::from(
        std::env::var_os("STRONGROOM_E2E_PYTHON")
            .expect("cargo xtask test sets STRONGROOM_E2E_PYTHON"),
    );
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python/main_job.py");
    let data = stage.data_dir();
    let cluster = stage.cli.json(&["cluster", "show", CLUSTER]).unwrap();
    let cluster = cluster["id"].as_str().unwrap();
    let env: Vec<(&str, OsString)> = vec![
        ("SUBSCRIPTION", SUBSCRIPTION.into()),
        ("RESOURCE_GROUP", GROUP.into()),
        ("LOCATION", LOCATION.into()),
        ("CLUSTER_ID", cluster.into()),
        ("NAMESPACE", SHOP.namespace.into()),
        ("RESTORE_INTO", "shop-by-sdk".into()),
        ("SERVER_URL", stage.server.as_ref().unwrap().url().into()),
        ("TOKEN_FILE", data.join("admin.token").into()),
        ("CA_FILE", data.join("tls/ca.crt").into()),
    ];
    let env: Vec<(&str, &std::ffi::OsStr)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_os_str()))
        .collect();
    let operations = script.with_file_name("sdk_operations.py");
    let models = script.with_file_name("sdk_models.py");
    for script in [&script, &operations, &models] {
        let told = process::run(&python, &[script.as_os_str()], &env).unwrap();
        println!("{told}");
    }
    assert!(
        stage
            .kubectl
            .succeeds(&["-n", "shop-by-sdk", "get", "deployment", "web"])
            .unwrap()
    );
    stage.kubectl.delete_namespaces(&["shop-by-sdk"]).unwrap();
}
