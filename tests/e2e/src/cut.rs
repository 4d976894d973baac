//! A way to the cluster that can be cut: a relay in front of its API server.

use std::io;
use std::path::{Path, PathBuf};

use crate::process::{StageError, StageResult};
use crate::relay::Relay;

/// The relay, and the kubeconfig that goes through it.
#[derive(Debug)]
pub struct Cut {
    /// The same administrator's kubeconfig, pointing at the relay.
    pub kubeconfig: PathBuf,
    relay: Relay,
}

impl Cut {
    /// Puts a relay before the API server that `kubeconfig` names, and writes the changed kubeconfig into `dir`.
    pub fn before(kubeconfig: &Path, dir: &Path) -> StageResult<Self> {
        let text = std::fs::read_to_string(kubeconfig)
            .map_err(|source| file("reading the kubeconfig", source))?;
        let port = text.split("https://127.0.0.1:").nth(1).map(|rest| {
            rest.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        });
        let port: u16 = port.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
            StageError::Unexpected("the kubeconfig names no port of 127.0.0.1".to_owned())
        })?;
        let relay = Relay::to(port)?;
        let changed = dir.join("kubeconfig-through-relay");
        let text = text.replace(
            &format!("https://127.0.0.1:{port}"),
            &format!("https://127.0.0.1:{}", relay.port),
        );
        std::fs::write(&changed, text).map_err(|source| file("writing the kubeconfig", source))?;
        Ok(Self {
            kubeconfig: changed,
            relay,
        })
    }

    /// Cuts every connection and lets no new one through.
    pub fn sever(&mut self) {
        self.relay.sever();
    }

    /// Lets connections through again.
    pub fn mend(&mut self) -> StageResult<()> {
        self.relay.mend()
    }
}

fn file(what: &str, source: io::Error) -> StageError {
    StageError::File {
        what: what.to_owned(),
        source,
    }
}
