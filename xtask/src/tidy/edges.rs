//! Which crate may know which: the table of `docs/adr/0002-crates-and-edges.md`, against what cargo
//! says.

use std::fs;
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};

use super::Violation;
use crate::failure::{Doing, Result};

/// The only allowed edges. A crate that is not here is an error, so that the table stays whole.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("strongroom-core", &[]),
    ("strongroom-repository", &["strongroom-core"]),
    ("strongroom-kubernetes", &["strongroom-core"]),
    ("strongroom-api", &["strongroom-core"]),
    (
        "strongroom-extension",
        &[
            "strongroom-core",
            "strongroom-kubernetes",
            "strongroom-repository",
        ],
    ),
    (
        "strongroom-server",
        &[
            "strongroom-core",
            "strongroom-api",
            "strongroom-kubernetes",
            "strongroom-repository",
        ],
    ),
    ("strongroom-cli", &["strongroom-core", "strongroom-api"]),
    (
        "strongroom",
        &[
            "strongroom-server",
            "strongroom-extension",
            "strongroom-cli",
        ],
    ),
    // For development only, below.
    (
        "strongroom-simulation",
        &[
            "strongroom-core",
            "strongroom-api",
            "strongroom-kubernetes",
            "strongroom-repository",
            "strongroom-extension",
            "strongroom-server",
        ],
    ),
    ("strongroom-e2e", &["strongroom-core", "strongroom-api"]),
    // It stays quick to build: the commands that build everything else must not wait for it. The
    // end-to-end tests' library is light, and the demo shows the same stage.
    ("xtask", &["strongroom-e2e"]),
];

/// Crates that no shipped crate may use, but for its tests.
const DEVELOPMENT_ONLY: [&str; 3] = ["strongroom-simulation", "strongroom-e2e", "xtask"];

const WAY_OUT: &str = "move the code to where the edge is allowed, or change the table in xtask/src/tidy/edges.rs with an ADR that says why";

/// An edge between two crates of the workspace.
#[derive(Clone, Copy)]
struct Edge<'a> {
    from: &'a str,
    to: &'a str,
    for_tests: bool,
}

/// Checks the workspace's crates.
pub(super) fn check(root: &Path) -> Result<Vec<Violation>> {
    let mut command = MetadataCommand::new();
    command.manifest_path(root.join("Cargo.toml")).no_deps();
    let metadata = command
        .exec()
        .doing(|| "read cargo's metadata".to_owned())?;
    let own: Vec<&str> = metadata
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut violations = Vec::new();
    for package in &metadata.packages {
        let manifest = package.manifest_path.as_std_path();
        let text = fs::read_to_string(manifest).doing(|| format!("read {}", manifest.display()))?;
        let file = manifest.strip_prefix(root).unwrap_or(manifest);
        let edges = package
            .dependencies
            .iter()
            .filter(|dependency| own.contains(&dependency.name.as_str()));
        for dependency in edges {
            let edge = Edge {
                from: &package.name,
                to: &dependency.name,
                for_tests: dependency.kind == DependencyKind::Development,
            };
            if let Some(what) = forbidden(edge) {
                violations.push(Violation::error(
                    file,
                    line_of(&text, &dependency.name),
                    what,
                    WAY_OUT,
                ));
            }
        }
        if allowed_of(&package.name).is_none() {
            let what = format!(
                "the crate {} is not in the table of allowed edges",
                package.name
            );
            violations.push(Violation::error(file, 1, what, WAY_OUT));
        }
    }
    Ok(violations)
}

/// Why an edge is not allowed; `None` when it is.
fn forbidden(edge: Edge<'_>) -> Option<String> {
    let Edge {
        from,
        to,
        for_tests,
    } = edge;
    let allowed = allowed_of(from)?;
    if allowed.contains(&to) || (for_tests && DEVELOPMENT_ONLY.contains(&to)) {
        return None;
    }
    if DEVELOPMENT_ONLY.contains(&to) {
        return Some(format!("{to} is for development only, and {from} ships it"));
    }
    Some(format!("{from} may not know {to}"))
}

fn allowed_of(name: &str) -> Option<&'static [&'static str]> {
    ALLOWED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, allowed)| *allowed)
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let position = manifest.lines().position(|line| {
        let rest = line.trim_start().strip_prefix(dependency);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    });
    position.map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge<'a>(from: &'a str, to: &'a str, for_tests: bool) -> Edge<'a> {
        Edge {
            from,
            to,
            for_tests,
        }
    }

    #[test]
    fn an_edge_of_the_table_is_allowed_and_its_reverse_is_not() {
        assert_eq!(
            forbidden(edge("strongroom-server", "strongroom-core", false)),
            None
        );
        let what = forbidden(edge("strongroom-core", "strongroom-server", false)).unwrap();
        assert_eq!(what, "strongroom-core may not know strongroom-server");
    }

    #[test]
    fn what_is_for_development_is_used_by_tests_only() {
        assert_eq!(
            forbidden(edge("strongroom-extension", "strongroom-simulation", true)),
            None
        );
        assert!(forbidden(edge("strongroom-extension", "strongroom-simulation", false)).is_some());
    }

    #[test]
    fn a_test_does_not_open_a_forbidden_edge() {
        assert!(forbidden(edge("strongroom-cli", "strongroom-server", true)).is_some());
    }

    #[test]
    fn the_table_has_no_cycle() {
        fn reaches(from: &str, goal: &str) -> bool {
            let next = allowed_of(from).unwrap();
            next.contains(&goal) || next.iter().any(|name| reaches(name, goal))
        }
        for (name, _) in ALLOWED {
            assert!(!reaches(name, name), "{name}");
        }
    }

    #[test]
    fn the_line_of_a_dependency_is_found() {
        let manifest =
            "[dependencies]\nstrongroom-core-x = \"1\"\nstrongroom-core.workspace = true\n";
        assert_eq!(line_of(manifest, "strongroom-core"), 3);
    }

    #[test]
    fn this_workspace_is_in_order() {
        let violations = check(&crate::workspace::root()).unwrap();
        let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
        assert_eq!(lines, Vec::<String>::new());
    }
}
