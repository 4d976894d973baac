//! A way to the cluster that can be cut: a relay in front of its API server.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::process::{StageError, StageResult};

/// The relay, and the kubeconfig that goes through it.
#[derive(Debug)]
pub struct Cut {
    /// The same administrator's kubeconfig, pointing at the relay.
    pub kubeconfig: PathBuf,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    open: Mutex<bool>,
    streams: Mutex<Vec<TcpStream>>,
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
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .map_err(|source| file("listening for the relay", source))?;
        let own = listener
            .local_addr()
            .map_err(|source| file("reading the relay's port", source))?
            .port();
        let shared = Arc::new(Shared {
            target: SocketAddr::from(([127, 0, 0, 1], port)),
            open: Mutex::new(true),
            streams: Mutex::default(),
        });
        let changed = dir.join("kubeconfig-through-relay");
        let text = text.replace(
            &format!("https://127.0.0.1:{port}"),
            &format!("https://127.0.0.1:{own}"),
        );
        std::fs::write(&changed, text).map_err(|source| file("writing the kubeconfig", source))?;
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accepting.accept(&listener));
        Ok(Self {
            kubeconfig: changed,
            shared,
        })
    }

    /// Cuts every connection and lets no new one through.
    pub fn sever(&mut self) {
        self.shared.set_open(false);
        for stream in self.shared.drain() {
            let _already_closed = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets connections through again.
    pub fn mend(&mut self) -> StageResult<()> {
        self.shared.set_open(true);
        TcpStream::connect(self.shared.target)
            .map(drop)
            .map_err(|source| file("reaching the API server again", source))
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            if !self.is_open() {
                continue;
            }
            let Ok(server) = TcpStream::connect(self.target) else {
                continue;
            };
            let (Ok(client_again), Ok(server_again)) = (client.try_clone(), server.try_clone())
            else {
                continue;
            };
            self.remember(&client);
            self.remember(&server);
            std::thread::spawn(move || relay(client, server));
            std::thread::spawn(move || relay(server_again, client_again));
        }
    }

    fn is_open(&self) -> bool {
        *self
            .open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set_open(&self, open: bool) {
        *self
            .open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = open;
    }

    fn remember(&self, stream: &TcpStream) {
        if let Ok(stream) = stream.try_clone() {
            self.streams
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push(stream);
        }
    }

    fn drain(&self) -> Vec<TcpStream> {
        std::mem::take(
            &mut *self
                .streams
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    let mut pass = || -> io::Result<()> {
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok(()),
                read => to.write_all(&buffer[..read])?,
            }
        }
    };
    let _either_side_closed = pass();
    let _already_closed = to.shutdown(Shutdown::Both);
}

fn file(what: &str, source: io::Error) -> StageError {
    StageError::File {
        what: what.to_owned(),
        source,
    }
}
