//! The extension as a process beside its cluster, as its own service account: what stands for its pod.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use serde_json::{Value, json};
use strongroom_e2e::server::free_port;

use super::raw::Raw;
use crate::failure::{Doing, Result};

/// The extension's namespace and account, as its installation makes them.
pub(crate) const NAMESPACE: &str = "dataprotection-microsoft";
pub(crate) const ACCOUNT: &str = "backup-extension";

/// The extension's process. Killed when it is dropped.
pub(crate) struct Extension(Child);

impl Drop for Extension {
    fn drop(&mut self) {
        let _already_gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Extension {
    /// Starts it by a command that names the program. It gets the environment of its Deployment.
    pub(crate) fn start(
        raw: &Raw,
        mut command: Command,
        kubeconfig: &Path,
        log: &Path,
    ) -> Result<Self> {
        let doing = || "start the extension".to_owned();
        let log = File::options()
            .create(true)
            .append(true)
            .open(log)
            .doing(doing)?;
        let port = free_port().doing(doing)?;
        let deployed = raw.ask(Method::GET, &deployment(), None)?;
        command
            .envs(environment(&deployed))
            .args(["extension", "--kubeconfig"])
            .arg(kubeconfig)
            .args(["--health-listen", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone().doing(doing)?)
            .stderr(log);
        command.spawn().doing(doing).map(Self)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }
}

/// The path of its account.
pub(crate) fn account() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}")
}

/// The path of its Deployment.
pub(crate) fn deployment() -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{ACCOUNT}")
}

/// Writes a kubeconfig of its own service account, with a token for a day.
pub(crate) fn write_kubeconfig(raw: &Raw, file: &Path) -> Result<()> {
    let wanted = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"expirationSeconds": 86_400}});
    let path = format!("{}/token", account());
    let token = raw.ask(Method::POST, &path, Some(&wanted))?;
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {
            "server": raw.server(), "certificate-authority-data": raw.ca}}],
        "users": [{"name": "bench", "user": {"token": token["status"]["token"]}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    });
    fs::write(file, kubeconfig.to_string()).doing(|| format!("write {}", file.display()))
}

/// The variables that a Deployment gives to its container, but for those that name a field.
fn environment(deployment: &Value) -> Vec<(String, String)> {
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().into_iter().flatten();
    let value = |variable: &Value| {
        let text = |field: &str| variable[field].as_str().map(str::to_owned);
        Some((text("name")?, text("value")?))
    };
    variables.filter_map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_gets_the_values_that_the_deployment_names() {
        let variables = json!([
            {"name": "A", "value": "1"},
            {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        ]);
        let container = json!({"env": variables});
        let deployment = json!({"spec": {"template": {"spec": {"containers": [container]}}}});
        assert_eq!(environment(&deployment), [("A".to_owned(), "1".to_owned())]);
        assert!(environment(&Value::Null).is_empty());
    }
}
