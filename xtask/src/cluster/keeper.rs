//! The keeper: the one process of a cluster that stands outside of its namespaces. It starts the
//! node, holds the machine's ends of the relays, and the whole cluster ends with it.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::place::Place;
use super::relay;
use super::settings::Settings;
use crate::failure::{Doing, Failure, Result};

/// Runs until the node has ended. Called in a session of its own, with nothing but files as output.
pub(crate) fn run(place: &Place) -> Result<()> {
    let failed = keep(place);
    if let Err(failure) = &failed
        && !place.last_words().exists()
    {
        // `up` is waiting, and has no other way to learn of it. The node's own words say more.
        let _ = fs::write(place.last_words(), failure.to_string());
    }
    failed
}

fn keep(place: &Place) -> Result<()> {
    rustix::process::setsid().doing(|| "leave the terminal's session".to_owned())?;
    let settings = Settings::read(place)?
        .ok_or_else(|| Failure::new("start a cluster", "it has no settings; `up` writes them"))?;
    let doing = || format!("listen on 127.0.0.1:{}", settings.port);
    let api = TcpListener::bind((Ipv4Addr::LOCALHOST, settings.port)).doing(doing)?;
    relay::tcp_to_unix(api, place.api_socket(), Vec::new());
    let host = place.host_socket();
    let listener = UnixListener::bind(&host).doing(|| format!("listen on {}", host.display()))?;
    relay::unix_to_named_port(listener);

    // When this process ends, however it ends, the kernel kills unshare, and with it the node's
    // first process, and with that one everything inside.
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare"])
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .args(["--propagation", "private"])
        .arg(place.program())
        .args(["cluster", "inside", "--state"])
        .arg(&place.state)
        .status()
        .doing(|| "start the node's first process".to_owned())?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new("run the node", status))
}
