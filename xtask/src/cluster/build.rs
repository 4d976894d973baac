//! The node's programs, built once from Go modules and kept in the user's cache.
//!
//! Each artifact's folder is named after a hash of its sources, `go.mod` and `go.sum` among them, so
//! that a fresh clone finds what another has built, and a changed source builds anew. A folder is
//! complete or absent: it is built beside and renamed.

mod go;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::settings::{Programs, Tier};
use crate::failure::{Doing, Failure, Result};
use crate::{talk, workspace};

/// The names that the multi-call binary answers to.
const KUBERNETES_PARTS: [&str; 7] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubelet",
    "kubectl",
];

/// The module that carries the CRDs of volume snapshots as files.
const SNAPSHOT_CRDS: &str = "github.com/kubernetes-csi/external-snapshotter/client/v8";

/// The main packages of the CSI sidecars, which are built as they are (`tools.go` pins them).
const SIDECARS: [&str; 3] = [
    "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner",
    "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter",
    "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller",
];

/// The folder of the modules that a cluster is built from.
const CLUSTER: &str = "tests/cluster";

/// The main packages of the peer that the benchmark measures beside us.
const VELERO_PROGRAMS: [&str; 2] = [
    "github.com/vmware-tanzu/velero/cmd/velero",
    "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws",
];

/// One thing to build.
struct Artifact {
    name: &'static str,
    /// The folder of its Go module in the work tree.
    module: &'static str,
    /// Files and folders below that which it is made of.
    sources: &'static [&'static str],
    /// What the first build costs, in honest words.
    cost: &'static str,
    build: fn(&Path) -> Result<()>,
}

const KUBERNETES: Artifact = Artifact {
    name: "kubernetes",
    module: CLUSTER,
    sources: &["go.mod", "go.sum", "kubernetes"],
    cost: "5 to 6 minutes on two idle cores and about 90 MiB to download when Go's caches are cold, half a minute when they are warm",
    build: build_kubernetes,
};

const STORAGE: Artifact = Artifact {
    name: "storage",
    module: CLUSTER,
    sources: &["go.mod", "go.sum", "tools.go", "csi-loop", "pause"],
    cost: "about a minute",
    build: build_storage,
};

const DNS: Artifact = Artifact {
    name: "dns",
    module: CLUSTER,
    sources: &["dns"],
    cost: "1 to 2 minutes when Go's caches are cold",
    build: build_dns,
};

const VELERO: Artifact = Artifact {
    name: "velero",
    module: "tests/peers/velero",
    sources: &["go.mod", "go.sum", "tools.go"],
    cost: "5 to 10 minutes on two idle cores when Go's caches are cold",
    build: build_velero,
};

/// Makes sure that Velero is built; returns the folder of its programs.
pub(crate) fn velero() -> Result<PathBuf> {
    built(&VELERO)
}

/// Makes sure that the programs of a tier are built; returns where they lie.
pub(crate) fn ensure(tier: Tier) -> Result<Programs> {
    let mut programs = Programs {
        kubernetes: built(&KUBERNETES)?,
        ..Programs::default()
    };
    if tier == Tier::Node {
        programs.storage = built(&STORAGE)?;
        programs.dns = built(&DNS)?;
    }
    Ok(programs)
}

/// The cache that all work trees of this user share.
pub(crate) fn cache() -> PathBuf {
    let home = || std::env::var_os("HOME").map_or_else(|| PathBuf::from("/root"), PathBuf::from);
    let root = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty());
    root.map_or_else(|| home().join(".cache"), PathBuf::from)
        .join("strongroom/cluster")
}

/// The folder with the Go modules.
fn sources() -> PathBuf {
    workspace::root().join(CLUSTER)
}

/// The folder of an artifact, built now if it is not there yet.
fn built(artifact: &Artifact) -> Result<PathBuf> {
    let module = workspace::root().join(artifact.module);
    let fingerprint = fingerprint(&module, artifact.sources).doing(|| {
        format!(
            "read the sources of {} in {}",
            artifact.name,
            module.display()
        )
    })?;
    let folder = cache().join(format!("{}-{fingerprint}", artifact.name));
    if folder.is_dir() {
        return Ok(folder);
    }
    let doing = || format!("build {}", artifact.name);
    fs::create_dir_all(cache()).doing(doing)?;
    let lock = File::create(cache().join("build.lock")).doing(doing)?;
    if lock.try_lock().is_err() {
        talk::say("another build of the cluster's programs is running; waiting for its end");
        lock.lock().doing(doing)?;
    }
    if folder.is_dir() {
        return Ok(folder);
    }
    go::check()?;
    talk::say(format_args!(
        "building {} from Go modules, once: {}",
        artifact.name, artifact.cost
    ));
    let watch = talk::Stopwatch::start();
    let next = tempfile::Builder::new()
        .prefix("building-")
        .tempdir_in(cache())
        .doing(doing)?;
    (artifact.build)(next.path())?;
    fs::rename(next.path(), &folder).doing(doing)?;
    talk::say(format_args!(
        "built {} in {}; kept in {}",
        artifact.name,
        watch.words(),
        folder.display()
    ));
    Ok(folder)
}

fn build_kubernetes(folder: &Path) -> Result<()> {
    let module = sources();
    let text = fs::read_to_string(module.join("go.mod")).doing(|| "read go.mod".to_owned())?;
    let version = required_version(&text, "k8s.io/kubernetes").ok_or_else(|| {
        Failure::new(
            "build kubernetes",
            "tests/cluster/go.mod does not require k8s.io/kubernetes",
        )
    })?;
    go::build(
        &module,
        &["./kubernetes"],
        &folder.join("kubernetes"),
        &version_flags(version),
    )?;
    for part in KUBERNETES_PARTS {
        std::os::unix::fs::symlink("kubernetes", folder.join(part))
            .doing(|| format!("link {part}"))?;
    }
    Ok(())
}

fn build_storage(folder: &Path) -> Result<()> {
    let module = sources();
    let packages: Vec<&str> = ["./csi-loop", "./pause"]
        .into_iter()
        .chain(SIDECARS)
        .collect();
    go::build(&module, &packages, folder, "")?;
    let crds = go::module_folder(&module, SNAPSHOT_CRDS)?.join("config/crd");
    let kept = folder.join("crds");
    let doing = || format!("copy the snapshot CRDs from {}", crds.display());
    fs::create_dir(&kept).doing(doing)?;
    for entry in fs::read_dir(&crds).doing(doing)? {
        let entry = entry.doing(doing)?;
        if entry
            .file_name()
            .to_string_lossy()
            .contains("snapshot.storage.k8s.io")
        {
            let text = fs::read(entry.path()).doing(doing)?;
            fs::write(kept.join(entry.file_name()), text).doing(doing)?;
        }
    }
    Ok(())
}

fn build_dns(folder: &Path) -> Result<()> {
    go::build(&sources().join("dns"), &["."], &folder.join("coredns"), "")
}

fn build_velero(folder: &Path) -> Result<()> {
    let module = workspace::root().join(VELERO.module);
    go::build(&module, &VELERO_PROGRAMS, folder, "")
}

/// Linker flags without which Kubernetes reports a made-up version.
fn version_flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or("1"), numbers.next().unwrap_or("0"));
    let mut flags = String::new();
    for package in [
        "k8s.io/component-base/version",
        "k8s.io/client-go/pkg/version",
    ] {
        let _ = write!(
            flags,
            " -X {package}.gitVersion={version} -X {package}.gitMajor={major} \
             -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
        );
    }
    flags
}

/// The version of a module that a go.mod requires directly.
fn required_version<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let mut words = line.split_whitespace().filter(|word| *word != "require");
        (words.next()? == module)
            .then(|| words.next())
            .flatten()
            .filter(|version| version.starts_with('v'))
    })
}

/// A hash of files: of their names within the base, and of their contents.
fn fingerprint(base: &Path, sources: &[&str]) -> std::io::Result<String> {
    let mut files = Vec::new();
    for source in sources {
        list_files(&base.join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(std::env::consts::ARCH);
    for file in files {
        let name = file
            .strip_prefix(base)
            .unwrap_or(&file)
            .to_string_lossy()
            .into_owned();
        let text = fs::read(&file)?;
        hash.update(format!("\0{name}\0{}\0", text.len()));
        hash.update(text);
    }
    let digest = hash.finalize();
    Ok(digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn list_files(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        list_files(&entry?.path(), files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_required_one_and_not_a_replacement() {
        let go_mod =
            "replace (\n\tk8s.io/kubernetes => ./x\n)\nrequire (\n\tk8s.io/kubernetes v1.36.3\n)\n";
        assert_eq!(
            required_version(go_mod, "k8s.io/kubernetes"),
            Some("v1.36.3")
        );
        assert_eq!(required_version(go_mod, "k8s.io/api"), None);
    }

    #[test]
    fn the_version_flags_name_both_packages() {
        let flags = version_flags("v1.36.3");
        assert!(
            flags.contains("component-base/version.gitMinor=36"),
            "{flags}"
        );
        assert!(
            flags.contains("client-go/pkg/version.gitVersion=v1.36.3"),
            "{flags}"
        );
    }

    #[test]
    fn a_changed_or_renamed_source_is_another_artifact() {
        let folder = tempfile::tempdir().unwrap();
        let print = || fingerprint(folder.path(), &["src"]).unwrap();
        fs::create_dir(folder.path().join("src")).unwrap();
        fs::write(folder.path().join("src/a.go"), "one").unwrap();
        let first = print();
        assert_eq!(first, print());
        fs::write(folder.path().join("src/a.go"), "two").unwrap();
        assert_ne!(first, print());
        fs::write(folder.path().join("src/a.go"), "one").unwrap();
        fs::rename(
            folder.path().join("src/a.go"),
            folder.path().join("src/b.go"),
        )
        .unwrap();
        assert_ne!(first, print());
    }
}
