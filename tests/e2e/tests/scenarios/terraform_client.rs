//! The client that Terraform's azurerm provider is made of configures a protection, signed in as a service
//! principal.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use strongroom_e2e::process;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{ACCOUNT, CLUSTER, CONTAINER, GROUP, LOCATION, SUBSCRIPTION};

use super::stage_of_tests::TestStage;

#[test]
fn terraforms_client_makes_a_vault_a_policy_and_an_instance_and_deletes_them() {
    let stage = TestStage::bare();
    LEDGER.deploy(&stage.kubectl).unwrap();
    stage.create_vault().unwrap();
    connect_managed_cluster(&stage);
    let made = stage
        .cli
        .json(&["service-principal", "create", "terraform"])
        .unwrap();
    let told = |name: &str| OsString::from(made[name].as_str().unwrap());
    let listed = stage.cli.json(&["service-principal", "list"]).unwrap();
    let object = listed[0]["properties"]["objectId"].as_str().unwrap();
    let scope = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}");
    let assign = ["role", "assignment", "create", "--assignee", object];
    let role = ["--role", "Contributor", "--scope", &scope];
    stage.cli.run(&[&assign[..], &role[..]].concat()).unwrap();

    // `cargo xtask test` sets it.
    let program = PathBuf::from(std::env::var_os("STRONGROOM_E2E_TERRAFORM_CLIENT").unwrap());
    let env: Vec<(&str, OsString)> = vec![
        ("SUBSCRIPTION", SUBSCRIPTION.into()),
        ("RESOURCE_GROUP", GROUP.into()),
        ("LOCATION", LOCATION.into()),
        ("CLUSTER", CLUSTER.into()),
        ("NAMESPACE", LEDGER.namespace.into()),
        ("SERVER_URL", stage.server.as_ref().unwrap().url().into()),
        ("TENANT_ID", told("tenantId")),
        ("CLIENT_ID", told("appId")),
        ("CLIENT_SECRET", told("secretText")),
        // Where Go looks for authorities.
        ("SSL_CERT_FILE", stage.data_dir().join("tls/ca.crt").into()),
    ];
    let env: Vec<(&str, &OsStr)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_os_str()))
        .collect();
    let words: [&OsStr; 0] = [];
    println!("{}", process::run(&program, &words, &env).unwrap());
    let left = stage.cli.json(&["vault", "list"]).unwrap();
    assert_eq!(left.as_array().unwrap().len(), 1, "{left:#}");
}

/// Terraform's ids name clusters of Azure's own type.
fn connect_managed_cluster(stage: &TestStage) {
    let kubeconfig = stage.kubectl.kubeconfig.to_string_lossy().into_owned();
    let register = ["cluster", "register", CLUSTER, "--kind", "managed"];
    let of = ["--kubeconfig", &kubeconfig];
    let cluster = stage.cli.json(&[&register[..], &of].concat()).unwrap();
    let cluster = cluster["id"].as_str().unwrap();
    let install = ["extension", "install", "--cluster", cluster];
    let into = ["--account", ACCOUNT, "--container", CONTAINER];
    let image = ["--image", &stage.props.image];
    let words = [&install[..], &into[..], &image[..]].concat();
    stage.cli.run(&words).unwrap();
}
