//! A vault's credential can do what it is for, and nothing else.

use std::time::Duration;

use http::Request;
use strongroom_core::selection::Selection;
use strongroom_kubernetes::access::{self, trusted_access};
use strongroom_kubernetes::crd::{self, BackupMode, BackupSpec};
use strongroom_kubernetes::{Cluster, Failure, jobs};
use uuid::Uuid;

const VAULT: &str = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg\
     /providers/Microsoft.DataProtection/backupVaults/real-api-server";

fn spec() -> BackupSpec {
    BackupSpec {
        job_id: Uuid::from_u128(7),
        mode: BackupMode::Backup,
        recovery_point_id: Uuid::from_u128(8),
        backup_instance_id: format!("{VAULT}/backupInstances/i"),
        selection: Selection::default(),
        snapshot_classes: Vec::new(),
        parent_recovery_point_id: None,
        sealed: "c2VhbGVk".into(),
        deadline: None,
    }
}

/// What whoever steals a vault's token would try first: method, path, body, user to impersonate.
/// `NS` stands for the extension's namespace, `ACCOUNT` for the vault's service account, `JOB` for a
/// Backup that the vault itself has made.
const FORBIDDEN: &[(&str, &str, &str, &str)] = &[
    // Secrets, the extension's key first of all.
    ("GET", "/api/v1/namespaces/NS/secrets", "", ""),
    (
        "GET",
        "/api/v1/namespaces/NS/secrets/backup-extension-key",
        "",
        "",
    ),
    ("GET", "/api/v1/secrets", "", ""),
    (
        "POST",
        "/api/v1/namespaces/NS/secrets",
        r#"{"metadata":{"name":"x"}}"#,
        "",
    ),
    ("GET", "/api/v1/namespaces/NS/configmaps", "", ""),
    // Pods, and what is in them.
    ("GET", "/api/v1/namespaces/NS/pods", "", ""),
    ("GET", "/api/v1/pods", "", ""),
    (
        "POST",
        "/api/v1/namespaces/NS/pods",
        r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#,
        "",
    ),
    ("GET", "/api/v1/namespaces/NS/pods/p/log", "", ""),
    (
        "POST",
        "/api/v1/namespaces/NS/pods/p/exec?command=sh&stdout=true",
        "",
        "",
    ),
    (
        "GET",
        "/api/v1/namespaces/NS/pods/p/exec?command=sh&stdout=true",
        "",
        "",
    ),
    ("GET", "/api/v1/namespaces/NS/pods/p/portforward", "", ""),
    ("GET", "/apis/apps/v1/deployments", "", ""),
    (
        "PATCH",
        "/apis/apps/v1/namespaces/NS/deployments/backup-extension",
        "{}",
        "",
    ),
    // Namespaces and nodes.
    ("GET", "/api/v1/namespaces", "", ""),
    ("GET", "/api/v1/namespaces/kube-system", "", ""),
    (
        "POST",
        "/api/v1/namespaces",
        r#"{"metadata":{"name":"x"}}"#,
        "",
    ),
    ("DELETE", "/api/v1/namespaces/NS", "", ""),
    ("GET", "/api/v1/nodes", "", ""),
    ("GET", "/api/v1/nodes/n/proxy/pods", "", ""),
    // More rights than it has.
    (
        "POST",
        "/api/v1/namespaces/NS/serviceaccounts/ACCOUNT/token",
        r#"{"spec":{}}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/namespaces/NS/serviceaccounts/backup-extension/token",
        r#"{"spec":{}}"#,
        "",
    ),
    (
        "PATCH",
        "/api/v1/namespaces/NS/serviceaccounts/ACCOUNT",
        "{}",
        "",
    ),
    (
        "GET",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
        "",
        "",
    ),
    (
        "POST",
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        r#"{"metadata":{"name":"x"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io",
            "kind":"ClusterRole","name":"cluster-admin"}}"#,
        "",
    ),
    (
        "PATCH",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/roles/ACCOUNT",
        r#"{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}"#,
        "",
    ),
    (
        "DELETE",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/NS/rolebindings/ACCOUNT",
        "",
        "",
    ),
    ("GET", "/api/v1/namespaces/NS/secrets", "", "system:admin"),
    (
        "GET",
        "/api/v1/namespaces/NS/secrets",
        "",
        "system:serviceaccount:kube-system:default",
    ),
    // Our own custom resources beyond what it is for.
    (
        "GET",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "",
        "",
    ),
    (
        "DELETE",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/backups.GROUP",
        "",
        "",
    ),
    (
        "PATCH",
        "/apis/GROUP/v1alpha1/namespaces/NS/backups/JOB",
        "{}",
        "",
    ),
    (
        "PATCH",
        "/apis/GROUP/v1alpha1/namespaces/NS/backups/JOB/status",
        "{}",
        "",
    ),
    (
        "PUT",
        "/apis/GROUP/v1alpha1/namespaces/NS/backups/JOB/status",
        "{}",
        "",
    ),
    (
        "DELETE",
        "/apis/GROUP/v1alpha1/namespaces/NS/backups",
        "",
        "",
    ),
    ("GET", "/apis/GROUP/v1alpha1/backups", "", ""),
    (
        "POST",
        "/apis/GROUP/v1alpha1/namespaces/default/backups",
        "{}",
        "",
    ),
    (
        "POST",
        "/apis/GROUP/v1alpha1/namespaces/NS/backupextensions",
        "{}",
        "",
    ),
    (
        "PATCH",
        "/apis/GROUP/v1alpha1/namespaces/NS/backupextensions/backup-extension/status",
        r#"{"status":{"publicKey":"eA=="}}"#,
        "",
    ),
    (
        "DELETE",
        "/apis/GROUP/v1alpha1/namespaces/NS/backupextensions/backup-extension",
        "",
        "",
    ),
    (
        "GET",
        "/apis/GROUP/v1alpha1/namespaces/NS/backuphooks",
        "",
        "",
    ),
    // The API server itself.
    ("GET", "/metrics", "", ""),
    ("GET", "/logs/", "", ""),
];

async fn try_it(
    cluster: &Cluster,
    (method, path, body, user): (&str, &str, &str, &str),
) -> Result<(), Failure> {
    let kind = if method == "PATCH" {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", kind);
    if !user.is_empty() {
        request = request.header("impersonate-user", user);
    }
    let request = request.body(body.as_bytes().to_vec()).unwrap();
    cluster
        .raw(request)
        .await
        .map(|_| ())
        .map_err(|error| error.failure)
}

/// What a vault's credential is for.
async fn the_allowed_calls_succeed(vault: &Cluster, namespace: &str) {
    let job = spec().job_id;
    let made = jobs::create_backup(vault, namespace, &spec())
        .await
        .unwrap();
    let again = jobs::create_backup(vault, namespace, &spec())
        .await
        .unwrap();
    assert_eq!(made.metadata.uid, again.metadata.uid);
    assert!(
        jobs::get_backup(vault, namespace, job)
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(jobs::list_backups(vault, namespace).await.unwrap().len(), 1);
    assert_eq!(
        jobs::list_restores(vault, namespace).await.unwrap().len(),
        0
    );
    assert_eq!(jobs::extension(vault, namespace).await.unwrap(), None);
}

async fn the_forbidden_calls_are_refused(vault: &Cluster, namespace: &str) {
    assert!(FORBIDDEN.len() >= 20);
    for (method, path, body, user) in FORBIDDEN {
        let path = path
            .replace("NS", namespace)
            .replace("ACCOUNT", &trusted_access::account_name(VAULT))
            .replace("JOB", &jobs::backup_name(spec().job_id))
            .replace("GROUP", crd::GROUP);
        let outcome = try_it(vault, (method, &path, body, user)).await;
        assert!(
            matches!(outcome, Err(Failure::Forbidden { .. })),
            "{method} {path} {user}: {outcome:?}"
        );
    }
    let permission = access::Permission::in_namespace;
    let wished = [
        permission("list", "", "secrets", namespace),
        permission("delete", crd::GROUP, "backups", namespace),
    ];
    let missing = access::review(vault, &wished).await.unwrap();
    assert_eq!(missing.len(), 1);
    assert_eq!(missing[0].permission, wished[0]);
}

/// The authorizer hears of a revoked binding within moments.
async fn the_revoked_credential_is_refused(vault: &Cluster, namespace: &str) {
    let refused = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            match jobs::list_backups(vault, namespace).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return error.failure,
            }
        }
    });
    let failure = refused.await.unwrap();
    assert!(
        matches!(
            failure,
            Failure::Forbidden { .. } | Failure::Unauthorized { .. }
        ),
        "{failure}"
    );
}

#[tokio::test]
async fn a_vaults_credential_makes_reads_and_removes_jobs_and_nothing_else() {
    let Some((admin, _crds)) = super::cluster_with_crds().await else {
        return;
    };
    let namespace = super::namespace(&admin, "trusted").await;
    trusted_access::grant(&admin, &namespace, VAULT)
        .await
        .unwrap();
    trusted_access::grant(&admin, &namespace, VAULT)
        .await
        .unwrap();
    assert!(
        trusted_access::is_granted(&admin, &namespace, VAULT)
            .await
            .unwrap()
    );
    let ttl = Duration::from_secs(600);
    let token = trusted_access::token(&admin, &namespace, VAULT, ttl)
        .await
        .unwrap();
    let vault = admin.with_bearer_token(&token.token).unwrap();

    the_allowed_calls_succeed(&vault, &namespace).await;
    the_forbidden_calls_are_refused(&vault, &namespace).await;
    assert!(
        jobs::delete_backup(&vault, &namespace, spec().job_id)
            .await
            .unwrap()
    );
    assert!(
        !jobs::delete_backup(&vault, &namespace, spec().job_id)
            .await
            .unwrap()
    );

    assert!(
        trusted_access::revoke(&admin, &namespace, VAULT)
            .await
            .unwrap()
    );
    assert!(
        !trusted_access::revoke(&admin, &namespace, VAULT)
            .await
            .unwrap()
    );
    assert!(
        !trusted_access::is_granted(&admin, &namespace, VAULT)
            .await
            .unwrap()
    );
    the_revoked_credential_is_refused(&vault, &namespace).await;
    super::remove_namespace(&admin, &namespace).await;
}

#[tokio::test]
async fn the_administrator_lacks_nothing_and_a_wrong_token_is_unauthorized() {
    let Some(admin) = super::cluster() else {
        return;
    };
    let needed = strongroom_kubernetes::install::needed_to_install("any");
    assert_eq!(access::review(&admin, &needed).await.unwrap(), vec![]);
    let needed = trusted_access::needed_to_grant("any");
    assert_eq!(access::review(&admin, &needed).await.unwrap(), vec![]);

    let stranger = admin.with_bearer_token("not-a-token").unwrap();
    let error = access::review(&stranger, &needed).await.unwrap_err();
    assert!(
        matches!(error.failure, Failure::Unauthorized { .. }),
        "{error}"
    );
}
