//! People sign in at a real identity provider, with the command line and a browser, and meet the limits of
//! their groups' roles.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use strongroom_e2e::identity_provider::{CLIENT_ID, IdentityProvider};
use strongroom_e2e::process::wait_for;
use strongroom_e2e::stage::{GROUP, SUBSCRIPTION, VAULT};

use super::stage_of_tests::TestStage;

/// How long the server may take until it asks the provider again for a key that it did not have.
const NEW_KEY_WITHIN: Duration = Duration::from_secs(120);

#[test]
fn people_sign_in_at_their_identity_provider_and_may_what_their_groups_roles_say() {
    let mut stage = TestStage::bare();
    let mut provider = IdentityProvider::from_environment(stage.dir()).unwrap();
    let config = stage.dir().join("identity-provider.toml");
    let issuer = provider.issuer();
    let section =
        format!("[identity_provider]\nissuer = \"{issuer}\"\naudience = \"{CLIENT_ID}\"\n");
    std::fs::write(&config, section).unwrap();
    stage.server().unwrap().options.config = Some(config);
    stage.restart_server(&[]).unwrap();
    stage.create_vault().unwrap();
    let assign = ["role", "assignment", "create", "--role", "Reader"];
    let operators = [&assign[..], &["--assignee-group", "operators"]].concat();
    stage.cli.run(&operators).unwrap();

    log_in(&stage, &provider, "ada").unwrap();
    let ada = as_(&stage, "ada", &["whoami"]);
    assert_eq!(ada["name"], "ada", "{ada:#}");
    assert_eq!(ada["kind"], "User", "{ada:#}");
    assert_eq!(ada["groups"][0]["name"], "operators", "{ada:#}");
    let seen = as_(&stage, "ada", &["vault", "list"]);
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen:#}");
    let delete = ["vault", "delete", VAULT, "--context", "ada"];
    let (_, denied) = stage.cli.fails(&delete).unwrap();
    assert!(denied.contains("AuthorizationFailed"), "{denied}");

    // Bob is in no group, until he has a role of his own.
    log_in(&stage, &provider, "bob").unwrap();
    let show = ["vault", "show", VAULT, "--context", "bob"];
    let subscription = ["--subscription", SUBSCRIPTION];
    let show = [&show[..], &subscription].concat();
    let (_, denied) = stage.cli.fails(&show).unwrap();
    assert!(denied.contains("AuthorizationFailed"), "{denied}");
    let bob = [&assign[..], &["--assignee-user", "bob"]].concat();
    stage.cli.run(&bob).unwrap();
    stage.cli.run(&show).unwrap();

    // The provider signs with a new key; what the old one has signed is good for as long as it may be cached.
    provider.start_again().unwrap();
    wait_for(
        "a token by the new key to be believed",
        NEW_KEY_WITHIN,
        || log_in(&stage, &provider, "ada"),
    )
    .unwrap();
    let seen = as_(&stage, "ada", &["vault", "list"]);
    assert_eq!(seen.as_array().unwrap().len(), 1, "{seen:#}");
}

/// What a command answers to somebody.
fn as_(stage: &TestStage, name: &str, words: &[&str]) -> serde_json::Value {
    let words = [words, &["--context", name]].concat();
    stage.cli.json(&words).unwrap()
}

/// Signs somebody in as a context of their name; the administrator's stays the current one.
fn log_in(stage: &TestStage, provider: &IdentityProvider, name: &str) -> Result<(), String> {
    let ca = stage.data_dir().join("tls/ca.crt");
    let mut login = Command::new(&stage.cli.binary)
        .args(["login", "--identity-provider", "--name", name, "-g", GROUP])
        .arg("--server")
        .arg(stage.server.as_ref().unwrap().url())
        .arg("--ca-file")
        .arg(ca)
        .env("STRONGROOM_CLI_CONFIG", &stage.cli.config)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(login.stderr.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    let code = line.trim_end().rsplit(' ').next().unwrap_or_default();
    let signed_in = provider.sign_in(code, name);
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    let end = login.wait().unwrap();
    stage.cli.run(&["context", "use", "stage"]).unwrap();
    if end.success() {
        Ok(())
    } else {
        Err(format!("{line}{rest}{signed_in:?}"))
    }
}
