//! Programs sign in with the identity library of the official SDK and with the command line, and meet the
//! limits of their roles.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use strongroom_e2e::process;
use strongroom_e2e::stage::{GROUP, LOCATION, SUBSCRIPTION, VAULT};

use super::stage_of_tests::TestStage;

const PRINCIPAL: &str = "nightly";
const OTHER_VAULT: &str = "others-vault";

/// What a program signs in with.
struct Program {
    client: String,
    tenant: String,
    secret: String,
}

#[test]
fn a_service_principal_signs_in_with_azure_identity_and_may_what_its_role_says() {
    let stage = TestStage::bare();
    stage.create_vault().unwrap();
    stage.cli.run(&["vault", "create", OTHER_VAULT]).unwrap();
    let program = backup_contributor_of_the_first_vault(&stage);
    println!("{}", signs_in_with_the_sdk(&stage, &program));
    log_in(&stage, &program);
    let seen = stage.cli.json(&as_program(&["vault", "list"])).unwrap();
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen:#}");
    let delete = as_program(&["vault", "delete", VAULT]);
    let (_, denied) = stage.cli.fails(&delete).unwrap();
    assert!(denied.contains("AuthorizationFailed"), "{denied}");

    // Its end is the end of its tokens.
    let delete = ["service-principal", "delete", PRINCIPAL];
    let as_administrator = [&delete[..], &["--context", "stage"]].concat();
    stage.cli.run(&as_administrator).unwrap();
    let list = as_program(&["vault", "list"]);
    let (_, gone) = stage.cli.fails(&list).unwrap();
    assert!(gone.contains("InvalidAuthenticationToken"), "{gone}");
}

fn backup_contributor_of_the_first_vault(stage: &TestStage) -> Program {
    let made = stage
        .cli
        .json(&["service-principal", "create", PRINCIPAL])
        .unwrap();
    let told = |name: &str| made[name].as_str().unwrap().to_owned();
    let listed = stage.cli.json(&["service-principal", "list"]).unwrap();
    let object = listed[0]["properties"]["objectId"].as_str().unwrap();
    let vault = stage.cli.json(&["vault", "show", VAULT]).unwrap();
    let vault = vault["id"].as_str().unwrap();
    let create = ["role", "assignment", "create", "--assignee", object];
    let role = ["--role", "Backup Contributor", "--scope", vault];
    let assign = [&create[..], &role[..]].concat();
    // Twice is once.
    let first = stage.cli.json(&assign).unwrap();
    assert_eq!(stage.cli.json(&assign).unwrap()["name"], first["name"]);
    Program {
        client: told("appId"),
        tenant: told("tenantId"),
        secret: told("secretText"),
    }
}

/// Tells what the program said.
fn signs_in_with_the_sdk(stage: &TestStage, program: &Program) -> String {
    let env: Vec<(&str, OsString)> = vec![
        ("SUBSCRIPTION", SUBSCRIPTION.into()),
        ("RESOURCE_GROUP", GROUP.into()),
        ("VAULT", VAULT.into()),
        ("OTHER_VAULT", OTHER_VAULT.into()),
        ("SERVER_URL", stage.server.as_ref().unwrap().url().into()),
        ("CA_FILE", stage.data_dir().join("tls/ca.crt").into()),
        ("TENANT_ID", (&program.tenant).into()),
        ("CLIENT_ID", (&program.client).into()),
        ("CLIENT_SECRET", (&program.secret).into()),
    ];
    let env: Vec<(&str, &OsStr)> = env
        .iter()
        .map(|(name, value)| (*name, value.as_os_str()))
        .collect();
    // `cargo xtask test` sets it.
    let python = PathBuf::from(std::env::var_os("STRONGROOM_E2E_PYTHON").unwrap());
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("python/service_principal.py");
    process::run(&python, &[script.as_os_str()], &env).unwrap()
}

/// Stores the context `program`.
fn log_in(stage: &TestStage, program: &Program) {
    let secret = stage.data_dir().join("client.secret");
    std::fs::write(&secret, &program.secret).unwrap();
    let words: Vec<OsString> = vec![
        "login".into(),
        "--name=program".into(),
        "--server".into(),
        stage.server.as_ref().unwrap().url().into(),
        "--ca-file".into(),
        stage.data_dir().join("tls/ca.crt").into(),
        "--service-principal".into(),
        (&program.client).into(),
        "--tenant".into(),
        (&program.tenant).into(),
        "--client-secret-file".into(),
        secret.into(),
        "--subscription".into(),
        SUBSCRIPTION.into(),
        "--resource-group".into(),
        GROUP.into(),
        "--location".into(),
        LOCATION.into(),
    ];
    stage.cli.run(&words).unwrap();
}

fn as_program<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--context", "program"]].concat()
}
