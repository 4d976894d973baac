//! A real OpenID Connect provider that is not ours (`oidc-provider`, which is certified), on 127.0.0.1, and
//! people who sign in there with a browser.

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process::{self, StageError, StageResult};
use crate::server;

/// The client as which people sign in.
pub const CLIENT_ID: &str = "strongroom";

/// How long the provider may take until it answers. It takes about a second; this only bounds the wait on a
/// busy machine.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// A running provider. Dropping it ends it.
#[derive(Debug)]
pub struct IdentityProvider {
    packages: PathBuf,
    log: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl IdentityProvider {
    /// Starts the provider that `cargo xtask test` has installed; its log lies in `dir`.
    pub fn from_environment(dir: &Path) -> StageResult<Self> {
        let packages = std::env::var("STRONGROOM_E2E_NODE_PACKAGES").map_err(|_unset| {
            StageError::Unexpected(
                "STRONGROOM_E2E_NODE_PACKAGES is not set: run the end-to-end tests with `cargo xtask \
                 test --only e2e`"
                    .to_owned(),
            )
        })?;
        let [port] = server::free_ports()?;
        let mut provider = Self {
            packages: packages.into(),
            log: dir.join("identity-provider.log"),
            port,
            child: None,
        };
        provider.run()?;
        Ok(provider)
    }

    /// Its issuer.
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it again under the same name; it signs with a new key from then on.
    pub fn start_again(&mut self) -> StageResult<()> {
        self.stop();
        self.run()
    }

    /// Lets somebody open the provider's page, enter a code and sign in. What the page says at the end.
    pub fn sign_in(&self, user_code: &str, name: &str) -> StageResult<String> {
        let page = format!("{}/device", self.issuer());
        let script = script("browser.mjs");
        let words = [
            script.as_os_str(),
            page.as_ref(),
            user_code.as_ref(),
            name.as_ref(),
        ];
        process::run(Path::new("node"), &words, &[])
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _already_gone = child.kill();
            let _reaped = child.wait();
        }
    }

    fn run(&mut self) -> StageResult<()> {
        let log = || {
            let opened = File::options().create(true).append(true).open(&self.log);
            opened.map_err(|source| StageError::File {
                what: format!("opening {}", self.log.display()),
                source,
            })
        };
        let child = Command::new("node")
            .arg(script("identity_provider.mjs"))
            .args([self.port.to_string().as_str(), CLIENT_ID])
            .current_dir(&self.packages)
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .spawn()
            .map_err(|source| StageError::Start {
                program: "node".to_owned(),
                source,
            })?;
        self.child = Some(child);
        process::wait_for("the identity provider to answer", READY_WITHIN, || {
            let connected = TcpStream::connect(("127.0.0.1", self.port));
            connected.map(drop).map_err(|error| {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                format!("{error}: {log}")
            })
        })
    }
}

impl Drop for IdentityProvider {
    fn drop(&mut self) {
        self.stop();
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("node")
        .join(name)
}
