//! A relay on this machine: what is asked at one port is answered by whoever listens at another, as behind a
//! load balancer, until it is cut.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::process::{StageError, StageResult};

/// A running relay. Dropping it cuts every connection and frees its port.
#[derive(Debug)]
pub struct Relay {
    /// The port that it listens at.
    pub port: u16,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    is_open: bool,
    has_ended: bool,
    streams: Vec<TcpStream>,
}

impl Relay {
    /// A relay at a free port of 127.0.0.1 to another port of it.
    pub fn to(target: u16) -> StageResult<Self> {
        Self::at(0, target)
    }

    /// The same at a given port.
    pub fn at(port: u16, target: u16) -> StageResult<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .map_err(|source| failed("listening for the relay", source))?;
        let own = listener
            .local_addr()
            .map_err(|source| failed("reading the relay's port", source))?;
        let shared = Arc::new(Shared {
            target: SocketAddr::from(([127, 0, 0, 1], target)),
            state: Mutex::new(State {
                is_open: true,
                has_ended: false,
                streams: Vec::new(),
            }),
        });
        let accepting = Arc::clone(&shared);
        Ok(Self {
            port: own.port(),
            shared,
            accepting: Some(std::thread::spawn(move || accepting.accept(&listener))),
        })
    }

    /// Cuts every connection and lets no new one through.
    pub fn sever(&mut self) {
        self.shared.with(|state| {
            state.is_open = false;
            for stream in state.streams.drain(..) {
                let _already_closed = stream.shutdown(Shutdown::Both);
            }
        });
    }

    /// Lets connections through again.
    pub fn mend(&mut self) -> StageResult<()> {
        self.shared.with(|state| state.is_open = true);
        TcpStream::connect(self.shared.target)
            .map(drop)
            .map_err(|source| failed("reaching the other side again", source))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.sever();
        self.shared.with(|state| state.has_ended = true);
        // Wakes the thread that waits for the next connection.
        let _may_be_gone = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ended = accepting.join();
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming().flatten() {
            let (is_open, has_ended) = self.with(|state| (state.is_open, state.has_ended));
            if has_ended {
                return;
            }
            if !is_open {
                continue;
            }
            let Ok(server) = TcpStream::connect(self.target) else {
                continue;
            };
            let (Ok(client_again), Ok(server_again)) = (client.try_clone(), server.try_clone())
            else {
                continue;
            };
            for stream in [&client, &server] {
                if let Ok(stream) = stream.try_clone() {
                    self.with(|state| state.streams.push(stream));
                }
            }
            std::thread::spawn(move || pass_on(client, server));
            std::thread::spawn(move || pass_on(server_again, client_again));
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
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

fn failed(what: &str, source: io::Error) -> StageError {
    StageError::File {
        what: what.to_owned(),
        source,
    }
}
