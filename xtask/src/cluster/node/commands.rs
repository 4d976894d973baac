//! The command line of each part of the node.

use std::path::{Path, PathBuf};

use super::super::network::{API_PORT, NODE_ADDRESS, NODE_NAME, SERVICE_NETWORK};
use super::super::place::Place;
use super::super::settings::{Programs, Settings};
use super::supervisor::Part;
use crate::tool;

const ETCD: &str = "http://127.0.0.1:2379";
const ETCD_PEER: &str = "http://127.0.0.1:2380";
/// The CSI driver's name, as in `tests/cluster/manifests/storage.yaml`.
const CSI_DRIVER: &str = "loop.csi.local";

/// What the controllers of storage may ask the API server and do at once. Their own defaults (5 requests a
/// second, 10 threads) would be what a benchmark of volume snapshots measures.
const UNTHROTTLED: [&str; 3] = [
    "--kube-api-qps=500",
    "--kube-api-burst=1000",
    "--worker-threads=100",
];

/// Group snapshots, which both the snapshot controller and the csi-snapshotter leave out by default.
/// Source: `defaultKubernetesFeatureGates` in external-snapshotter v8.6, `pkg/features/features.go`.
const GROUP_SNAPSHOTS: &str = "--feature-gates=CSIVolumeGroupSnapshot=true";

/// The command lines for one cluster.
pub(super) struct Commands {
    state: PathBuf,
    programs: Programs,
}

impl Commands {
    /// The command lines of a cluster's parts.
    pub(super) fn new(place: &Place, settings: &Settings) -> Self {
        Self {
            state: place.state.clone(),
            programs: settings.programs.clone(),
        }
    }

    pub(super) fn etcd(&self) -> Part {
        self.kubernetes(
            "etcd",
            vec![
                format!("--data-dir={}", self.path("etcd")),
                format!("--listen-client-urls={ETCD}"),
                format!("--advertise-client-urls={ETCD}"),
                format!("--listen-peer-urls={ETCD_PEER}"),
                format!("--initial-advertise-peer-urls={ETCD_PEER}"),
                format!("--initial-cluster=default={ETCD_PEER}"),
                // A test cluster survives the end of its processes, not the end of the machine: that
                // makes tests with many objects several times faster.
                "--unsafe-no-fsync".to_owned(),
                "--log-level=warn".to_owned(),
            ],
        )
    }

    pub(super) fn api_server(&self) -> Part {
        let pki = |file: &str| self.path(&format!("pki/{file}"));
        self.kubernetes(
            "kube-apiserver",
            vec![
                format!("--etcd-servers={ETCD}"),
                "--bind-address=0.0.0.0".to_owned(),
                format!("--secure-port={API_PORT}"),
                format!("--advertise-address={NODE_ADDRESS}"),
                format!("--service-cluster-ip-range={SERVICE_NETWORK}"),
                "--allow-privileged=true".to_owned(),
                "--authorization-mode=Node,RBAC".to_owned(),
                format!("--client-ca-file={}", pki("ca.crt")),
                format!("--tls-cert-file={}", pki("apiserver.crt")),
                format!("--tls-private-key-file={}", pki("apiserver.key")),
                format!(
                    "--kubelet-client-certificate={}",
                    pki("apiserver-kubelet.crt")
                ),
                format!("--kubelet-client-key={}", pki("apiserver-kubelet.key")),
                format!("--kubelet-certificate-authority={}", pki("ca.crt")),
                "--kubelet-preferred-address-types=InternalIP".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--service-account-key-file={}", pki("service-accounts.pub")),
                format!(
                    "--service-account-signing-key-file={}",
                    pki("service-accounts.key")
                ),
                format!(
                    "--requestheader-client-ca-file={}",
                    pki("front-proxy-ca.crt")
                ),
                "--requestheader-allowed-names=front-proxy-client".to_owned(),
                "--requestheader-username-headers=X-Remote-User".to_owned(),
                "--requestheader-group-headers=X-Remote-Group".to_owned(),
                "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
                format!("--proxy-client-cert-file={}", pki("front-proxy.crt")),
                format!("--proxy-client-key-file={}", pki("front-proxy.key")),
                "--enable-aggregator-routing=true".to_owned(),
                "--endpoint-reconciler-type=lease".to_owned(),
                "--profiling=false".to_owned(),
            ],
        )
    }

    pub(super) fn controller_manager(&self) -> Part {
        let mut arguments = self.kubeconfigs("kube-controller-manager");
        arguments.extend([
            format!(
                "--service-account-private-key-file={}",
                self.path("pki/service-accounts.key")
            ),
            format!("--root-ca-file={}", self.path("pki/ca.crt")),
            format!("--cluster-signing-cert-file={}", self.path("pki/ca.crt")),
            format!("--cluster-signing-key-file={}", self.path("pki/ca.key")),
            "--leader-elect=false".to_owned(),
            // Without it, namespaces never finish being deleted.
            "--use-service-account-credentials=true".to_owned(),
            // A namespace in which something is left is looked at again 5 s after the next of these, and not only
            // after half of the time that the slowest pod in it may take.
            "--namespace-sync-period=1s".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            "--profiling=false".to_owned(),
        ]);
        self.kubernetes("kube-controller-manager", arguments)
    }

    pub(super) fn scheduler(&self) -> Part {
        let mut arguments = self.kubeconfigs("kube-scheduler");
        arguments.extend([
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
        ]);
        self.kubernetes("kube-scheduler", arguments)
    }

    pub(super) fn containerd(&self) -> Part {
        Part {
            name: "containerd",
            program: tool::find("containerd").unwrap_or_else(|| "containerd".into()),
            arguments: vec!["--config".to_owned(), self.path("config/containerd.toml")],
        }
    }

    pub(super) fn kubelet(&self) -> Part {
        self.kubernetes(
            "kubelet",
            vec![
                format!("--config={}", self.path("config/kubelet.yaml")),
                format!("--kubeconfig={}", self.path("pki/kubelet.kubeconfig")),
                format!("--hostname-override={NODE_NAME}"),
                format!("--node-ip={NODE_ADDRESS}"),
            ],
        )
    }

    pub(super) fn kube_proxy(&self) -> Part {
        self.kubernetes(
            "kube-proxy",
            vec![format!("--config={}", self.path("config/kube-proxy.yaml"))],
        )
    }

    pub(super) fn coredns(&self) -> Part {
        part(
            "coredns",
            &self.programs.dns,
            vec!["-conf".to_owned(), self.path("config/Corefile")],
        )
    }

    pub(super) fn csi_loop(&self) -> Part {
        part(
            "csi-loop",
            &self.programs.storage,
            vec![
                format!("--name={CSI_DRIVER}"),
                format!("--node={NODE_NAME}"),
                format!("--endpoint={}", csi_socket()),
                format!("--dir={}", self.path("volumes")),
            ],
        )
    }

    pub(super) fn csi_provisioner(&self) -> Part {
        let more = [
            "--feature-gates=Topology=true",
            "--extra-create-metadata=true",
        ];
        self.sidecar("csi-provisioner", &more)
    }

    pub(super) fn csi_snapshotter(&self) -> Part {
        self.sidecar("csi-snapshotter", &[GROUP_SNAPSHOTS])
    }

    pub(super) fn snapshot_controller(&self) -> Part {
        let mut arguments = vec![format!(
            "--kubeconfig={}",
            self.path("pki/admin.kubeconfig")
        )];
        arguments.extend(UNTHROTTLED.map(str::to_owned));
        arguments.push(GROUP_SNAPSHOTS.to_owned());
        part("snapshot-controller", &self.programs.storage, arguments)
    }

    fn sidecar(&self, name: &'static str, more: &[&str]) -> Part {
        let mut arguments = vec![
            format!("--kubeconfig={}", self.path("pki/admin.kubeconfig")),
            format!("--csi-address={}", csi_socket()),
        ];
        let all = UNTHROTTLED.iter().chain(more);
        arguments.extend(all.map(ToString::to_string));
        part(name, &self.programs.storage, arguments)
    }

    fn kubernetes(&self, name: &'static str, arguments: Vec<String>) -> Part {
        part(name, &self.programs.kubernetes, arguments)
    }

    fn kubeconfigs(&self, user: &str) -> Vec<String> {
        let kubeconfig = self.path(&format!("pki/{user}.kubeconfig"));
        let flags = [
            "kubeconfig",
            "authentication-kubeconfig",
            "authorization-kubeconfig",
        ];
        flags.map(|flag| format!("--{flag}={kubeconfig}")).to_vec()
    }

    fn path(&self, file: &str) -> String {
        self.state.join(file).to_string_lossy().into_owned()
    }
}

fn part(name: &'static str, folder: &Path, arguments: Vec<String>) -> Part {
    Part {
        name,
        program: folder.join(name),
        arguments,
    }
}

fn csi_socket() -> String {
    format!("/var/lib/kubelet/plugins/{CSI_DRIVER}/csi.sock")
}
