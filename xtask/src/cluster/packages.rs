//! The Debian packages that a cluster needs. Only what is missing is installed; on other systems it
//! is named.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::settings::Tier;
use crate::failure::{Doing, Failure, Result};
use crate::{talk, tool};

/// Where CNI plug-ins lie: Debian's folder, and the one of most others.
const CNI_FOLDERS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

/// One need: what is looked for, the package that has it, and what it is needed for.
struct Need {
    tool: &'static str,
    package: &'static str,
    why: &'static str,
    tier: Tier,
}

const fn need(tool: &'static str, package: &'static str, why: &'static str, tier: Tier) -> Need {
    Need {
        tool,
        package,
        why,
        tier,
    }
}

/// Looked for by file, not by package, so that what came another way is as good.
const NEEDS: [Need; 13] = [
    need(
        "openssl",
        "openssl",
        "makes the cluster's certificates",
        Tier::ControlPlane,
    ),
    need(
        "ip",
        "iproute2",
        "sets up the node's network",
        Tier::ControlPlane,
    ),
    need(
        "unshare",
        "util-linux",
        "gives the node namespaces of its own",
        Tier::ControlPlane,
    ),
    need(
        "nsenter",
        "util-linux",
        "loads images into a running node",
        Tier::ControlPlane,
    ),
    need(
        "setpriv",
        "util-linux",
        "ends the node with its keeper",
        Tier::ControlPlane,
    ),
    need(
        "losetup",
        "mount",
        "detaches what volumes leave behind",
        Tier::ControlPlane,
    ),
    need(
        "containerd",
        "containerd",
        "runs the containers",
        Tier::Node,
    ),
    need("runc", "runc", "starts the containers", Tier::Node),
    need(
        "nft",
        "nftables",
        "is how kube-proxy makes services",
        Tier::Node,
    ),
    need(
        "iptables",
        "iptables",
        "is how the portmap plug-in makes host ports",
        Tier::Node,
    ),
    need(
        "conntrack",
        "conntrack",
        "lets kube-proxy forget old connections",
        Tier::Node,
    ),
    need(
        "busybox",
        "busybox-static",
        "is the image of test workloads",
        Tier::Node,
    ),
    need(
        "mkfs.ext4",
        "e2fsprogs",
        "makes the volumes' file systems",
        Tier::Node,
    ),
];

const CNI: Need = need(
    "bridge",
    "containernetworking-plugins",
    "connects the pods",
    Tier::Node,
);

/// Makes sure that all that a tier needs is there; returns the folder of the CNI plug-ins.
pub(crate) fn ensure(tier: Tier) -> Result<PathBuf> {
    let absent = missing(tier);
    if !absent.is_empty() {
        install(&absent)?;
    }
    Ok(cni_folder().unwrap_or_else(|| CNI_FOLDERS[0].into()))
}

/// Installs one package that a command needs besides those of [`ensure`], when its tool is missing.
pub(crate) fn ensure_tool(
    tool: &'static str,
    package: &'static str,
    why: &'static str,
) -> Result<()> {
    if tool::find(tool).is_some() {
        return Ok(());
    }
    install(&[&need(tool, package, why, Tier::Node)])
}

fn missing(tier: Tier) -> Vec<&'static Need> {
    let mut absent = absent(&NEEDS, tier, |tool| tool::find(tool).is_some());
    if tier == Tier::Node && cni_folder().is_none() {
        absent.push(&CNI);
    }
    absent
}

/// The needs of a tier that are not met.
fn absent(
    needs: &'static [Need],
    tier: Tier,
    is_there: impl Fn(&str) -> bool,
) -> Vec<&'static Need> {
    needs
        .iter()
        .filter(|need| tier == Tier::Node || need.tier == Tier::ControlPlane)
        .filter(|need| !is_there(need.tool))
        .collect()
}

fn cni_folder() -> Option<PathBuf> {
    let mut folders = CNI_FOLDERS.iter().map(PathBuf::from);
    folders.find(|folder| folder.join(CNI.tool).is_file())
}

fn install(needs: &[&Need]) -> Result<()> {
    let packages = packages_of(needs);
    let list = packages.join(" ");
    let doing = || format!("install the packages {list}");
    if tool::find("apt-get").is_none() {
        let tools: Vec<&str> = needs.iter().map(|need| need.tool).collect();
        let cause = format!(
            "this is no Debian (apt-get is missing), and it lacks {}",
            tools.join(", ")
        );
        return Err(Failure::new(doing(), cause).way_out("install them by your system's own means"));
    }
    for need in needs {
        talk::say(format_args!(
            "missing: {} ({}), which {}",
            need.tool, need.package, need.why
        ));
    }
    talk::say(format_args!("installing with apt-get: {list}"));
    if !apt_get("install", &packages)? {
        talk::say("once more, with fresh package lists");
        apt_get("update", &[])?;
        if !apt_get("install", &packages)? {
            return Err(
                Failure::new(doing(), "apt-get failed; its own words stand above")
                    .way_out("look at the package sources and the network, then call this again"),
            );
        }
    }
    Ok(())
}

fn packages_of(needs: &[&Need]) -> Vec<&'static str> {
    let mut packages: Vec<_> = needs.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Runs apt-get with its talk on our stderr; tells whether it succeeded.
fn apt_get(verb: &str, packages: &[&str]) -> Result<bool> {
    let status = Command::new("apt-get")
        .args(["-qq", "-y", "--no-install-recommends", verb])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status();
    Ok(status.doing(|| format!("run apt-get {verb}"))?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_has_all_needs_nothing() {
        assert!(absent(&NEEDS, Tier::Node, |_| true).is_empty());
    }

    #[test]
    fn the_control_plane_needs_no_containers() {
        let absent = absent(&NEEDS, Tier::ControlPlane, |tool| tool == "openssl");
        let packages = packages_of(&absent);
        assert_eq!(packages, ["iproute2", "mount", "util-linux"]);
    }

    #[test]
    fn only_what_is_missing_is_asked_for_and_only_once() {
        let there = [
            "openssl",
            "ip",
            "containerd",
            "runc",
            "nft",
            "iptables",
            "losetup",
        ];
        let absent = absent(&NEEDS, Tier::Node, |tool| there.contains(&tool));
        let packages = packages_of(&absent);
        assert_eq!(
            packages,
            ["busybox-static", "conntrack", "e2fsprogs", "util-linux"]
        );
    }
}
