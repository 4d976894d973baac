//! The inside of a cluster: the first process of the node's own network, mount and process
//! namespaces. It sets the node up, starts its parts and keeps them running until it is told to stop.

mod commands;
mod orders;
mod setup;
mod supervisor;

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use self::orders::Orders;
use self::supervisor::Supervisor;
use super::control::Phase;
use super::images;
use super::network::{API_PORT, NODE_NAME};
use super::place::Place;
use super::relay;
use super::settings::{Settings, Tier};
use crate::failure::{Doing, Failure, Result};
use crate::{talk, tool};

/// How long one step of the start may take: ten times what it takes on two busy cores.
const STEP_LIMIT: Duration = Duration::from_secs(120);
/// How often a step is asked whether it is done.
const STEP_PAUSE: Duration = Duration::from_millis(100);

/// Runs the node until it is told to stop.
pub(crate) fn run(place: &Place) -> Result<()> {
    let orders = Arc::new(Orders::default());
    let result = Node::new(place, Arc::clone(&orders)).and_then(|mut node| {
        let ended = node.live();
        node.supervisor.end_all();
        ended
    });
    match result {
        Err(_) if orders.stopped() => Ok(()),
        Err(failure) => {
            // Nobody reads this process's output; `up` looks here.
            let _ = fs::write(place.last_words(), failure.to_string());
            Err(failure)
        }
        Ok(()) => Ok(()),
    }
}

struct Node<'a> {
    place: &'a Place,
    settings: Settings,
    orders: Arc<Orders>,
    supervisor: Supervisor,
    /// What the API server says of the node from before this start: such a "Ready" does not count.
    heartbeat_before: String,
}

impl<'a> Node<'a> {
    fn new(place: &'a Place, orders: Arc<Orders>) -> Result<Self> {
        let settings = Settings::read(place)?
            .ok_or_else(|| Failure::new("start a node", "it has no settings; `up` writes them"))?;
        Ok(Self {
            place,
            settings,
            supervisor: Supervisor::new(place.logs()),
            orders,
            heartbeat_before: String::new(),
        })
    }

    /// The node's life: each step waits for what the next one needs.
    fn live(&mut self) -> Result<()> {
        self.take_orders()?;
        setup::network()?;
        setup::mounts(&self.place.state)?;
        setup::configuration(self.place, &self.settings)?;
        self.start_control_plane()?;
        if self.settings.tier == Tier::Node {
            self.start_node()?;
        }
        self.orders.enter(Phase::Ready);
        talk::poll(Duration::MAX, STEP_PAUSE, || {
            self.supervisor.look_after();
            Ok(self.orders.stopped().then_some(()))
        })
        .map(drop)
    }

    fn take_orders(&self) -> Result<()> {
        let socket = self.place.control_socket();
        let listener =
            UnixListener::bind(&socket).doing(|| format!("listen on {}", socket.display()))?;
        orders::serve(listener, Arc::clone(&self.orders), self.place.host_socket());
        Ok(())
    }

    fn start_control_plane(&mut self) -> Result<()> {
        let commands = commands::Commands::new(self.place, &self.settings);
        self.supervisor.start(commands.etcd())?;
        self.supervisor.start(commands.api_server())?;
        let socket = self.place.api_socket();
        let listener =
            UnixListener::bind(&socket).doing(|| format!("listen on {}", socket.display()))?;
        relay::unix_to_port(listener, API_PORT);
        if self.settings.tier == Tier::Node {
            // containerd needs no API server, so that its start is hidden behind the other's.
            self.supervisor.start(commands.containerd())?;
            self.wait_for("containerd", |_| {
                Ok(Path::new(images::CONTAINERD_SOCKET).exists())
            })?;
            for archive in &self.settings.images {
                images::import(archive)?;
            }
        }
        self.wait_for("the API server", |node| {
            let open = TcpStream::connect((Ipv4Addr::LOCALHOST, API_PORT)).is_ok();
            Ok(open && node.kubectl(&["get", "--raw", "/readyz"]).is_ok())
        })?;
        // Started earlier, the controller manager gives up on an API server that is not ready.
        self.supervisor.start(commands.controller_manager())?;
        if self.settings.tier == Tier::Node {
            self.heartbeat_before = self.node_heartbeat();
            self.supervisor.start(commands.scheduler())?;
            self.supervisor.start(commands.kubelet())?;
            self.supervisor.start(commands.coredns())?;
            self.supervisor.start(commands.kube_proxy())?;
        }
        self.wait_for("the controller manager", |node| {
            Ok(node
                .kubectl(&["-n", "default", "get", "serviceaccount", "default"])
                .is_ok())
        })
    }

    fn start_node(&mut self) -> Result<()> {
        let commands = commands::Commands::new(self.place, &self.settings);
        self.supervisor.start(commands.csi_loop())?;
        let crds = self.settings.programs.storage.join("crds");
        self.kubectl(&["apply", "-f", &crds.to_string_lossy()])?;
        let manifest = self
            .place
            .configuration()
            .join("storage.yaml")
            .to_string_lossy()
            .into_owned();
        self.wait_for("the snapshot CRDs", |node| {
            Ok(node.kubectl(&["apply", "-f", &manifest]).is_ok())
        })?;
        self.supervisor.start(commands.csi_provisioner())?;
        self.supervisor.start(commands.csi_snapshotter())?;
        self.supervisor.start(commands.snapshot_controller())?;
        self.wait_for("the node to be ready", |node| {
            let heartbeat = node.node_heartbeat();
            Ok(heartbeat.starts_with("True ") && heartbeat != node.heartbeat_before)
        })?;
        self.wait_for("the CSI driver's registration", |node| {
            let drivers = "jsonpath={.spec.drivers[*].name}";
            let said = node.kubectl(&["get", "csinode", NODE_NAME, "-o", drivers]);
            Ok(said.is_ok_and(|said| !said.is_empty()))
        })
    }

    /// Waits for one thing, looking after the parts meanwhile.
    fn wait_for(&mut self, what: &str, done: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        self.orders.enter(Phase::Starting(what.to_owned()));
        let doing = || format!("wait for {what}");
        let answer = talk::poll(STEP_LIMIT, STEP_PAUSE, || {
            if self.orders.stopped() {
                return Err(Failure::new(doing(), "the cluster was told to stop"));
            }
            self.supervisor.look_after();
            if let Some(part) = self.supervisor.hopeless() {
                return Err(Failure::new(doing(), part));
            }
            Ok(done(self)?.then_some(()))
        })?;
        answer.ok_or_else(|| {
            let cause = format!("it did not come in {} s", STEP_LIMIT.as_secs());
            Failure::new(doing(), cause)
                .way_out(format!("read the logs in {}", self.place.logs().display()))
        })
    }

    /// The node's condition "Ready" and when it was last confirmed, as in "True 2026-01-01T00:00:00Z".
    fn node_heartbeat(&self) -> String {
        let ready = "{.status.conditions[?(@.type==\"Ready\")]";
        let output = format!("jsonpath={ready}.status}} {ready}.lastHeartbeatTime}}");
        self.kubectl(&["get", "node", NODE_NAME, "-o", &output])
            .unwrap_or_default()
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let kubeconfig = self.place.pki().join("admin.kubeconfig");
        let mut command = Command::new(self.settings.programs.kubernetes.join("kubectl"));
        tool::output(command.arg("--kubeconfig").arg(kubeconfig).args(arguments))
    }
}
