//! The schemas are what is checked in, structural as far as can be told without an API server, and
//! take the published samples.

use serde_json::{Value, json};

use super::*;
use crate::testing::crd_folder;

#[test]
fn the_checked_in_yaml_is_what_the_types_generate() {
    let update = std::env::var_os("STRONGROOM_UPDATE").is_some();
    for crd in all_crds() {
        let name = crd.metadata.name.clone().unwrap();
        let path = crd_folder().join(format!("{name}.yaml"));
        let generated = yaml(&crd).unwrap();
        if update {
            std::fs::create_dir_all(crd_folder()).unwrap();
            std::fs::write(&path, &generated).unwrap();
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            there,
            generated,
            "{} is not up to date: STRONGROOM_UPDATE=1 cargo test -p strongroom-kubernetes crd",
            path.display()
        );
    }
}

#[test]
fn there_is_no_stray_file_among_the_generated_ones() {
    let files = std::fs::read_dir(crd_folder()).unwrap();
    let mut there: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let names = all_crds()
        .into_iter()
        .map(|crd| format!("{}.yaml", crd.metadata.name.unwrap()));
    let mut expected: Vec<String> = names.collect();
    there.sort();
    expected.sort();
    assert_eq!(there, expected);
}

#[test]
fn every_kind_is_served_in_the_published_group_and_version() {
    let names: Vec<String> = all_crds()
        .into_iter()
        .map(|crd| crd.metadata.name.unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "backups",
            "restores",
            "backupextensions",
            "backuphooks",
            "restorehooks"
        ]
        .map(|plural| format!("{plural}.{GROUP}"))
    );
    for crd in all_crds() {
        assert_eq!(crd.spec.scope, "Namespaced");
        assert_eq!(crd.spec.versions.len(), 1);
        assert_eq!(crd.spec.versions[0].name, VERSION);
    }
    for crd in own_crds() {
        let version = &crd.spec.versions[0];
        assert!(version.subresources.as_ref().unwrap().status.is_some());
    }
}

/// What the API server demands of a structural schema
/// (<https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema>),
/// and what we demand: no string and no array without a limit.
fn walk(at: &str, schema: &Value, complaints: &mut Vec<String>) {
    let Some(fields) = schema.as_object() else {
        return;
    };
    let kind = schema["type"].as_str().unwrap_or_default();
    if kind.is_empty() && schema["x-kubernetes-int-or-string"] != true {
        complaints.push(format!("{at} has no type"));
    }
    for forbidden in ["$ref", "$defs", "oneOf", "anyOf", "allOf", "not"] {
        if fields.contains_key(forbidden) {
            complaints.push(format!("{at} has {forbidden}"));
        }
    }
    let bounded = ["maxLength", "enum", "format"]
        .iter()
        .any(|limit| fields.contains_key(*limit));
    if kind == "string" && !bounded {
        complaints.push(format!("{at} is a string without a limit"));
    }
    if kind == "array" && !fields.contains_key("maxItems") {
        complaints.push(format!("{at} is an array without a limit"));
    }
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{at}.{name}"), child, complaints);
    }
    walk(&format!("{at}[]"), &schema["items"], complaints);
    walk(
        &format!("{at}{{}}"),
        &schema["additionalProperties"],
        complaints,
    );
}

#[test]
fn schemas_are_structural_and_everything_in_them_is_bounded() {
    let mut complaints = Vec::new();
    for crd in all_crds() {
        let name = crd.spec.names.kind.clone();
        let whole = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        let properties = &whole["openAPIV3Schema"]["properties"];
        for part in ["spec", "status"] {
            if properties[part].is_object() {
                walk(
                    &format!("{name}.{part}"),
                    &properties[part],
                    &mut complaints,
                );
            }
        }
    }
    assert_eq!(complaints, Vec::<String>::new());
}

#[test]
fn the_published_backup_hook_is_read_in_both_shapes() {
    let hook = json!({
        "name": "hook1",
        "includedNamespaces": ["hrweb"],
        "excludedNamespaces": null,
        "labelSelector": null,
        "preHooks": [{"exec": {
            "command": ["/sbin/fsfreeze", "--freeze", "/var/lib/postgresql/data"],
            "container": "webcontainer", "onError": "Continue",
        }}],
        "postHooks": [{"exec": {
            "container": "webcontainer", "command": ["/sbin/fsfreeze", "--unfreeze"],
            "onError": "Fail", "timeout": "10s",
        }}],
    });
    let flat: BackupHookSpec = serde_json::from_value(hook.clone()).unwrap();
    let listed: BackupHookSpec = serde_json::from_value(json!({"backupHook": [hook]})).unwrap();
    assert_eq!(flat.hooks(), listed.hooks());
    let one = flat.hooks()[0];
    assert_eq!(one.name.as_deref(), Some("hook1"));
    assert_eq!(
        one.pre_hooks.as_ref().unwrap()[0].exec.command[0],
        "/sbin/fsfreeze"
    );
    assert_eq!(
        one.post_hooks.as_ref().unwrap()[0].exec.timeout.as_deref(),
        Some("10s")
    );
}

#[test]
fn the_published_restore_hook_is_read_in_both_shapes() {
    let hook = json!({
        "name": "myhook1",
        "includedNamespaces": ["hrweb"],
        "labelSelector": {"matchLabels": {"app": "web"}},
        "postHooks": [{"exec": {
            "container": "webcontainer", "command": ["/bin/bash", "-c", "echo hello"],
            "onError": "Fail", "execTimeout": "1m", "waitTimeout": "5m",
        }}],
    });
    let flat: RestoreHookSpec = serde_json::from_value(hook.clone()).unwrap();
    let listed: RestoreHookSpec = serde_json::from_value(json!({"restoreHook": [hook]})).unwrap();
    assert_eq!(flat.hooks(), listed.hooks());
    let exec = &flat.hooks()[0].post_hooks.as_ref().unwrap()[0].exec;
    assert_eq!(exec.wait_timeout.as_deref(), Some("5m"));
}

#[test]
fn a_backup_hook_is_understood_and_what_the_api_server_did_not_check_is_said() {
    let hook = |spec: Value| {
        let mut hook = BackupHook::new("freeze", serde_json::from_value(spec).unwrap());
        hook.metadata.namespace = Some("shop".to_owned());
        hook.understand()
    };
    let labels = |labels: &[(&str, &str)]| {
        let pairs = labels.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    };
    let understood = hook(json!({"backupHook": [{
        "name": "mysql", "includedNamespaces": ["shop"], "excludedNamespaces": null,
        "labelSelector": {"matchLabels": {"app": "db"},
            "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
        "preHooks": [{"exec": {"command": ["lock"], "timeout": "10s", "onError": "Continue"}}],
        "postHooks": [{"exec": {"command": ["unlock"], "container": "main"}}],
    }]}))
    .unwrap();
    let [mysql] = understood.as_slice() else {
        panic!("{understood:?}")
    };
    assert_eq!(mysql.name, "shop/freeze: mysql");
    assert_eq!(mysql.pre[0].timeout, std::time::Duration::from_secs(10));
    assert_eq!(
        mysql.pre[0].on_error,
        strongroom_core::hooks::OnError::Continue
    );
    assert_eq!(mysql.post[0].container.as_deref(), Some("main"));
    assert!(mysql.scope.selector.matches(&labels(&[("app", "db")])));
    assert!(
        !mysql
            .scope
            .selector
            .matches(&labels(&[("app", "db"), ("tier", "old")]))
    );
    assert!(!mysql.scope.selector.matches(&labels(&[])));

    let odd = json!({"name": "mysql",
        "postHooks": [{"exec": {"command": ["unlock"], "timeout": "10m"}}]});
    let problem = hook(odd).unwrap_err();
    assert_eq!(
        problem.message,
        "BackupHook shop/freeze, hook mysql, postHooks[0]: timeout: 10m is more than 300 s, the most \
         that is accepted"
    );
    let odd = json!({"name": "mysql",
        "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}});
    let problem = hook(odd).unwrap_err();
    assert!(
        problem
            .message
            .ends_with("labelSelector: a: it takes values and has none")
    );
}

#[test]
fn a_restore_hook_is_understood_with_the_published_defaults() {
    let hook = |exec: Value| {
        let spec = json!({"restoreHook": [{"name": "db", "postHooks": [{"exec": exec}]}]});
        let mut hook = RestoreHook::new("seed", serde_json::from_value(spec).unwrap());
        hook.metadata.namespace = Some("shop".to_owned());
        hook.understand()
    };
    let understood = hook(json!({"command": ["seed"]})).unwrap();
    assert_eq!(understood[0].name, "shop/seed: db");
    let action = &understood[0].post[0];
    assert_eq!(action.on_error, strongroom_core::hooks::OnError::Continue);
    assert_eq!(action.timeout, std::time::Duration::from_secs(30));
    assert_eq!(action.wait, std::time::Duration::from_secs(300));
    let problem = hook(json!({"command": ["seed"], "waitTimeout": "1h"})).unwrap_err();
    assert_eq!(
        problem.message,
        "RestoreHook shop/seed, hook db, postHooks[0]: waitTimeout: 1h is more than 1800 s, the most \
         that is accepted"
    );
}
