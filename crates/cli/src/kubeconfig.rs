//! Makes a kubeconfig self-contained before it is sent: one context, credentials inline.
//!
//! A server cannot read files of this machine, nor should it; so what the file points at is put
//! into it, as `kubectl config view --minify --flatten` does. What cannot be sent (a plugin that runs
//! on this machine) is left for the server to refuse with its own words.

use std::path::Path;

use serde_norway::{Mapping, Value};

use crate::error::CliError;
use crate::local_file;

/// Pairs of the key that names a file and the key that holds its content in base64.
const INLINED: [(&str, &str); 3] = [
    ("certificate-authority", "certificate-authority-data"),
    ("client-certificate", "client-certificate-data"),
    ("client-key", "client-key-data"),
];

/// Reads the file, keeps one context (the current one when none is named) and puts files inline.
pub(crate) fn load(path: &Path, context: Option<&str>) -> Result<String, CliError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    flatten(&local_file::read(path)?, context, folder).map_err(|error| prefix(error, path))
}

fn prefix(error: CliError, path: &Path) -> CliError {
    match error {
        CliError::Local {
            code,
            message,
            way_out,
            exit_code,
        } => CliError::Local {
            code,
            message: format!("'{}': {message}", path.display()),
            way_out,
            exit_code,
        },
        other => other,
    }
}

fn flatten(text: &str, context: Option<&str>, folder: &Path) -> Result<String, CliError> {
    let config: Value = serde_norway::from_str(text)
        .map_err(|error| refused(format!("it is not YAML: {error}")))?;
    let current = config.get("current-context").and_then(Value::as_str);
    let name = context.or(current).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| refused("it has no current context".to_owned()))?;
    let chosen = entry(&config, "contexts", name, "context")?;
    let part = |key: &str| {
        chosen
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let (cluster_name, user_name) = (part("cluster"), part("user"));
    let mut cluster = entry(&config, "clusters", &cluster_name, "cluster")?;
    inline(&mut cluster, folder)?;
    let mut user = entry(&config, "users", &user_name, "user")?;
    inline(&mut user, folder)?;
    inline_token(&mut user, folder)?;
    let named = |name: &str, key: &str, value: Mapping| {
        let entry: Mapping = [
            ("name".into(), name.into()),
            (key.into(), Value::Mapping(value)),
        ]
        .into_iter()
        .collect();
        Value::Sequence(vec![Value::Mapping(entry)])
    };
    let whole: Mapping = [
        ("apiVersion".into(), "v1".into()),
        ("kind".into(), "Config".into()),
        ("current-context".into(), name.into()),
        ("contexts".into(), named(name, "context", chosen)),
        ("clusters".into(), named(&cluster_name, "cluster", cluster)),
        ("users".into(), named(&user_name, "user", user)),
    ]
    .into_iter()
    .collect();
    crate::output::yaml(&whole)
}

fn entry(config: &Value, list: &str, name: &str, key: &str) -> Result<Mapping, CliError> {
    let entries = config
        .get(list)
        .and_then(Value::as_sequence)
        .map(Vec::as_slice)
        .unwrap_or_default();
    entries
        .iter()
        .find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))
        .and_then(|entry| entry.get(key)?.as_mapping().cloned())
        .ok_or_else(|| refused(format!("it has no {key} called '{name}'")))
}

fn inline(part: &mut Mapping, folder: &Path) -> Result<(), CliError> {
    for (file_key, data_key) in INLINED {
        let Some(file) = part
            .remove(file_key)
            .as_ref()
            .and_then(Value::as_str)
            .map(|file| folder.join(file))
        else {
            continue;
        };
        // kubectl's rule: data that is there wins over the file.
        if !part.contains_key(data_key) {
            use base64::Engine;
            let content =
                base64::engine::general_purpose::STANDARD.encode(local_file::read(&file)?);
            part.insert(data_key.into(), content.into());
        }
    }
    Ok(())
}

fn inline_token(user: &mut Mapping, folder: &Path) -> Result<(), CliError> {
    let file = user
        .remove("tokenFile")
        .as_ref()
        .and_then(Value::as_str)
        .map(|file| folder.join(file));
    if let (Some(file), false) = (file, user.contains_key("token")) {
        let token = local_file::read_secret(&file)?;
        user.insert("token".into(), token.expose().into());
    }
    Ok(())
}

fn refused(message: String) -> CliError {
    CliError::invalid(
        format!("the kubeconfig cannot be used: {message}"),
        "Give a kubeconfig that kubectl can use; choose a context in it with --kube-context.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "
current-context: one
contexts:
- {name: one, context: {cluster: c1, user: u1, namespace: ns}}
- {name: two, context: {cluster: c2, user: u2}}
clusters:
- {name: c1, cluster: {server: 'https://one', certificate-authority: ca.crt}}
- {name: c2, cluster: {server: 'https://two', certificate-authority-data: WA==, certificate-authority: ca.crt}}
users:
- {name: u1, user: {client-certificate: c.crt, client-key: c.key}}
- {name: u2, user: {tokenFile: token}}
";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("ca.crt", "CA"),
            ("c.crt", "CERT"),
            ("c.key", "KEY"),
            ("token", "t0ken\n"),
            ("config", TWO),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn the_current_context_alone_is_kept_with_its_files_inline() {
        let folder = folder();
        insta::assert_snapshot!(load(&folder.path().join("config"), None).unwrap());
    }

    #[test]
    fn another_context_can_be_chosen_and_data_wins_over_files() {
        let folder = folder();
        insta::assert_snapshot!(load(&folder.path().join("config"), Some("two")).unwrap());
    }

    #[test]
    fn what_cannot_be_used_is_told() {
        let folder = folder();
        for (text, expected) in [
            ("{", "it is not YAML"),
            ("a: b", "it has no current context"),
            ("current-context: x", "it has no context called 'x'"),
            (
                "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]",
                "it has no cluster called 'c'",
            ),
        ] {
            let error = flatten(text, None, folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let missing = load(&folder.path().join("nowhere"), None).unwrap_err();
        assert!(missing.to_string().contains("nowhere"), "{missing}");
    }
}
