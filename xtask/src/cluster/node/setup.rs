//! What a node needs before its parts start: network, mounts, cgroup, configuration files.

use std::fs;
use std::path::Path;

use rustix::mount::{MountFlags, MountPropagationFlags};

use super::super::cgroups;
use super::super::images;
use super::super::network::{NODE_ADDRESS, NODE_NAME, POD_NETWORK};
use super::super::place::Place;
use super::super::settings::{Settings, Tier};
use crate::failure::{Doing, Failure, Result};
use crate::tool;

/// Empty at each start and gone with the namespaces, as after a reboot of a machine.
const FRESH: [&str; 3] = ["/run/containerd", "/run/netns", "/var/lib/cni"];
/// Kept in the cluster's state between starts.
const KEPT: [&str; 3] = ["/var/lib/kubelet", "/var/log/pods", "/var/log/containers"];
/// The magic number of overlayfs, on which containerd's overlay snapshotter cannot work: statfs(2).
const OVERLAYFS_MAGIC: rustix::fs::FsWord = 0x794c_7630;

const CONTAINERD: &str = include_str!("../../../../tests/cluster/node/containerd.toml");
const KUBELET: &str = include_str!("../../../../tests/cluster/node/kubelet.yaml");
const KUBE_PROXY: &str = include_str!("../../../../tests/cluster/node/kube-proxy.yaml");
const COREFILE: &str = include_str!("../../../../tests/cluster/node/Corefile");
const POD_CNI: &str = include_str!("../../../../tests/cluster/node/pods.conflist");
const STORAGE: &str = include_str!("../../../../tests/cluster/manifests/storage.yaml");

/// Gives the node its address, on a bridge of its own, and lets it forward the pods' packets.
pub(super) fn network() -> Result<()> {
    let address = format!("{NODE_ADDRESS}/24");
    let steps: [&[&str]; 5] = [
        &["link", "set", "lo", "up"],
        &["link", "add", "node0", "type", "bridge"],
        &["addr", "add", &address, "dev", "node0"],
        &["link", "set", "node0", "up"],
        &["route", "add", "default", "dev", "node0"],
    ];
    for step in steps {
        tool::run("ip", step)?;
    }
    let switch = "/proc/sys/net/ipv4/ip_forward";
    fs::write(switch, "1").doing(|| format!("write {switch}"))?;
    // Present only with the module br_netfilter, without which there is nothing to switch.
    let _ = fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "1");
    Ok(())
}

/// Gives the node folders of its own where its parts expect the machine's.
pub(super) fn mounts(state: &Path) -> Result<()> {
    let shared = MountPropagationFlags::SHARED;
    let doing = || "share the mounts within the node".to_owned();
    rustix::mount::mount_change("/", shared | MountPropagationFlags::REC).doing(doing)?;
    for folder in FRESH {
        let doing = || format!("mount a tmpfs on {folder}");
        fs::create_dir_all(folder).doing(doing)?;
        rustix::mount::mount("tmpfs", folder, "tmpfs", MountFlags::empty(), None).doing(doing)?;
        rustix::mount::mount_change(folder, shared).doing(doing)?;
    }
    for folder in KEPT {
        let own = state.join("root").join(folder.trim_start_matches('/'));
        let doing = || format!("mount {} on {folder}", own.display());
        fs::create_dir_all(folder).doing(doing)?;
        fs::create_dir_all(&own).doing(doing)?;
        rustix::mount::mount_bind(&own, folder).doing(doing)?;
        rustix::mount::mount_change(folder, shared).doing(doing)?;
    }
    Ok(())
}

/// Writes the configuration files of the node's parts, and makes its cgroup.
pub(super) fn configuration(place: &Place, settings: &Settings) -> Result<()> {
    if settings.tier == Tier::ControlPlane {
        return Ok(());
    }
    cgroups::create(&place.cgroup())?;
    let state = place.state.to_string_lossy();
    let cni_plugins = settings.cni_plugins.to_string_lossy();
    let cgroup = place.cgroup();
    let values = [
        ("state", state.as_ref()),
        ("cgroup", &cgroup),
        ("cni_plugins", &cni_plugins),
        ("pause_image", images::PAUSE),
        ("snapshotter", snapshotter(&place.state)),
        ("node_name", NODE_NAME),
        ("node_address", NODE_ADDRESS),
        ("pod_network", POD_NETWORK),
    ];
    let resolver = "nameserver {{node_address}}\n";
    let files = [
        ("containerd.toml", CONTAINERD),
        ("kubelet.yaml", KUBELET),
        ("kube-proxy.yaml", KUBE_PROXY),
        ("Corefile", COREFILE),
        ("cni/10-pods.conflist", POD_CNI),
        ("storage.yaml", STORAGE),
        ("resolv.conf", resolver),
    ];
    let folder = place.configuration();
    let doing = || format!("write the node's configuration into {}", folder.display());
    fs::create_dir_all(folder.join("cni")).doing(doing)?;
    for (name, template) in files {
        let text = render(template, &values).map_err(|cause| Failure::new(doing(), cause))?;
        fs::write(folder.join(name), text).doing(doing)?;
    }
    Ok(())
}

/// The snapshotter that works on the state's file system: an overlay cannot lie on an overlay, which
/// is what a container's own file system often is.
fn snapshotter(state: &Path) -> &'static str {
    match rustix::fs::statfs(state) {
        Ok(found) if found.f_type == OVERLAYFS_MAGIC => "native",
        _ => "overlayfs",
    }
}

/// Puts values in place of `{{name}}`; a name without a value is an error.
fn render(template: &str, values: &[(&str, &str)]) -> std::result::Result<String, String> {
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("a {{ is not closed")?;
        let value = values.iter().find(|(known, _)| *known == name);
        text.push_str(before);
        match value {
            Some((_, value)) => text.push_str(value),
            // The hint in the files' heads, which says what the braces are.
            None if name == "…" => text.push_str("{{…}}"),
            None => return Err(format!("{{{{{name}}}}} has no value")),
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_gets_its_values() {
        let values = [("a", "1"), ("b", "2")];
        assert_eq!(render("x {{a}} {{b}}{{a}} y", &values).unwrap(), "x 1 21 y");
    }

    #[test]
    fn a_name_without_a_value_is_an_error() {
        assert_eq!(render("{{c}}", &[]).unwrap_err(), "{{c}} has no value");
        assert!(render("{{c", &[]).is_err());
    }
}
