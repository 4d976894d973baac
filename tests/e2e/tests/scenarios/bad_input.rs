//! What is wrong is refused with a code, the cause and the way out, and changes nothing.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use strongroom_e2e::sample::SHOP;
use strongroom_e2e::stage::{ACCOUNT, CLUSTER, CONTAINER, INSTANCE, POLICY, VAULT};

use super::stage_of_tests::{TestStage, status};

#[test]
fn a_kubeconfig_that_does_not_work_is_refused_before_anything_is_kept() {
    let stage = TestStage::bare();
    stage.create_vault().unwrap();
    let other_ca = std::fs::read(stage.data_dir().join("tls/ca.crt")).unwrap();
    let changed = |pointer: &str, value: Value| {
        let mut config = stage.kubeconfig();
        *config.pointer_mut(pointer).unwrap() = value;
        config.to_string()
    };
    let server = "/clusters/0/cluster/server";
    let authority = "/clusters/0/cluster/certificate-authority-data";
    let plugin =
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/sh"}});

    stage.register_is_refused(
        &changed(server, json!("https://127.0.0.1:1")),
        "UserErrorClusterUnreachable",
    );
    stage.register_is_refused(
        &changed(authority, json!(STANDARD.encode(other_ca))),
        "UserErrorClusterCertificateNotTrusted",
    );
    stage.register_is_refused(
        &changed("/users/0/user", json!({"token": "wrong"})),
        "UserErrorClusterAuthenticationFailed",
    );
    stage.register_is_refused(
        &changed("/users/0/user", plugin),
        "UserErrorInvalidKubeconfig",
    );
    // What no server could use, the command line refuses by itself.
    stage.register_is_refused("apiVersion: v1\nkind: Config\n", "InvalidArgument");
    stage.register_is_refused("{{{", "InvalidArgument");
    assert_eq!(stage.cli.json(&["cluster", "list"]).unwrap(), json!([]));
}

#[test]
fn a_kubeconfig_with_too_few_rights_is_refused_with_the_rules_that_are_missing() {
    let stage = TestStage::bare();
    stage.create_vault().unwrap();
    let account = ["-n", "default", "create", "serviceaccount", "powerless"];
    stage
        .kubectl
        .run(&[
            "-n",
            "default",
            "delete",
            "serviceaccount",
            "powerless",
            "--ignore-not-found",
        ])
        .unwrap();
    stage.kubectl.run(&account).unwrap();
    let token = stage
        .kubectl
        .run(&["-n", "default", "create", "token", "powerless"])
        .unwrap();
    let mut config = stage.kubeconfig();
    config["users"][0]["user"] = json!({"token": token.trim()});
    stage.register_is_refused(&config.to_string(), "UserErrorClusterPermissionMissing");
    stage
        .kubectl
        .run(&["-n", "default", "delete", "serviceaccount", "powerless"])
        .unwrap();
}

#[test]
fn an_instance_on_a_cluster_without_the_extension_does_not_validate() {
    let stage = TestStage::bare();
    stage.create_vault().unwrap();
    let kubeconfig = stage.kubectl.kubeconfig.to_string_lossy().into_owned();
    stage
        .cli
        .run(&["cluster", "register", CLUSTER, "--kubeconfig", &kubeconfig])
        .unwrap();
    let told = stage.refused(&[
        "instance",
        "create",
        INSTANCE,
        "--vault",
        VAULT,
        "--policy",
        POLICY,
        "--cluster",
        CLUSTER,
    ]);
    assert!(
        told.contains("[UserErrorKubernetesBackupExtensionNotFoundError]"),
        "{told}"
    );
    // As in Azure, the instance stays with the reason, and the same request protects it once it is mended.
    let failed = stage
        .cli
        .json(&["instance", "show", INSTANCE, "--vault", VAULT])
        .unwrap();
    assert_eq!(
        failed["properties"]["protectionStatus"]["status"], "ConfiguringProtectionFailed",
        "{failed:#}"
    );
}

#[test]
fn a_selector_that_does_not_parse_and_a_bad_interval_are_refused() {
    let stage = TestStage::bare();
    stage.create_vault().unwrap();
    let kubeconfig = stage.kubectl.kubeconfig.to_string_lossy().into_owned();
    stage
        .cli
        .run(&["cluster", "register", CLUSTER, "--kubeconfig", &kubeconfig])
        .unwrap();
    let told = stage.refused(&[
        "instance",
        "create",
        INSTANCE,
        "--vault",
        VAULT,
        "--policy",
        POLICY,
        "--cluster",
        CLUSTER,
        "--label-selector",
        "app in (web",
    ]);
    assert!(told.contains("error["), "{told}");
    let told = stage.refused(&[
        "policy",
        "create",
        "broken",
        "--vault",
        VAULT,
        "--interval",
        "every day",
        "--retention",
        "P7D",
    ]);
    assert!(told.contains("error["), "{told}");
    let told = stage.refused(&[
        "policy",
        "create",
        "broken",
        "--vault",
        VAULT,
        "--interval",
        "PT1M",
        "--retention",
        "P7D",
    ]);
    assert!(told.contains("error["), "{told}");
}

#[test]
fn what_is_in_use_is_not_deleted() {
    let stage = TestStage::protected(&SHOP);
    stage.back_up().unwrap();
    for words in [
        &["vault", "delete", VAULT][..],
        &["policy", "delete", POLICY, "--vault", VAULT],
        &["cluster", "unregister", CLUSTER],
        &[
            "storage",
            "container",
            "delete",
            CONTAINER,
            "--account",
            ACCOUNT,
        ],
        &["storage", "account", "delete", ACCOUNT],
    ] {
        let told = stage.refused(words);
        assert!(told.contains("error["), "{words:?}: {told}");
    }
    assert_eq!(stage.recovery_points().unwrap().len(), 1);
    assert_eq!(status(&stage.back_up().unwrap()), "Completed");
}

#[test]
fn namespaces_that_do_not_exist_are_told_as_warnings_of_the_job() {
    let stage = TestStage::bare();
    SHOP.deploy(&stage.kubectl).unwrap();
    stage.create_vault().unwrap();
    stage.connect_cluster().unwrap();
    stage
        .cli
        .run(&[
            "instance",
            "create",
            INSTANCE,
            "--vault",
            VAULT,
            "--policy",
            POLICY,
            "--cluster",
            CLUSTER,
            "--include-namespaces",
            "shop,no-such-namespace",
        ])
        .unwrap();
    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "CompletedWithWarnings", "{backup:#}");
    assert!(
        backup.to_string().contains("no-such-namespace"),
        "{backup:#}"
    );
}

#[test]
fn a_wrong_token_is_refused_and_named() {
    let stage = TestStage::bare();
    let wrong = stage.file("wrong-token", "not-the-token");
    let (code, told) = stage
        .cli
        .fails(&["vault", "list", "--token-file", &wrong.to_string_lossy()])
        .unwrap();
    assert!(
        told.contains("error[InvalidAuthenticationToken]"),
        "{code}: {told}"
    );
}

#[test]
fn a_token_that_was_rotated_is_refused_as_expired_and_the_new_one_works() {
    let mut stage = TestStage::bare();
    let token_file = stage.data_dir().join("admin.token");
    let old = std::fs::read_to_string(&token_file).unwrap();
    stage.cli.run(&["token", "rotate"]).unwrap();
    let new = std::fs::read_to_string(&token_file).unwrap();
    assert_ne!(new, old);
    let old = stage.file("old-token", &old);
    // A start reads what is remembered of tokens anew.
    for started in ["once", "again"] {
        stage
            .cli
            .run(&["group", "list"])
            .unwrap_or_else(|error| panic!("with the new token, started {started}: {error}"));
        let (code, told) = stage
            .cli
            .fails(&["group", "list", "--token-file", &old.to_string_lossy()])
            .unwrap();
        assert_eq!(code, 4, "started {started}: {told}");
        assert!(
            told.contains("error[ExpiredAuthenticationToken]") && told.contains("not valid since"),
            "started {started}: {told}"
        );
        stage.restart_server(&[]).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&token_file).unwrap(), new);
}

impl TestStage {
    /// Runs a command that must be refused, and returns what it says.
    fn refused(&self, words: &[&str]) -> String {
        self.cli.fails(words).unwrap().1
    }

    fn register_is_refused(&self, kubeconfig: &str, code: &str) {
        let path = self.file("bad-kubeconfig", kubeconfig);
        let told = self.refused(&[
            "cluster",
            "register",
            CLUSTER,
            "--kubeconfig",
            &path.to_string_lossy(),
        ]);
        assert!(
            told.contains(&format!("error[{code}]")),
            "expected {code}: {told}"
        );
    }

    /// The administrator's kubeconfig, to be spoilt.
    fn kubeconfig(&self) -> Value {
        self.kubectl
            .json(&["config", "view", "--raw", "--minify"])
            .unwrap()
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.data_dir().with_file_name(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}
