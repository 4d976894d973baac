//! The node's end of the control socket: see [`super::super::control`] for what is understood.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::super::control::Phase;
use super::super::network::NODE_ADDRESS;
use super::super::relay;

/// How long a caller may take to say its line.
const LINE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the node's main thread and the orders' thread share.
#[derive(Default)]
pub(super) struct Orders {
    stop: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Option<Phase>,
    exposed: BTreeSet<u16>,
}

impl Orders {
    /// Whether the node was told to stop.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Tells how far the start has come.
    pub(super) fn enter(&self, phase: Phase) {
        self.state().phase = Some(phase);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn phase(&self) -> Phase {
        let phase = self.state().phase.clone();
        phase.unwrap_or_else(|| Phase::Starting("the node's own set-up".to_owned()))
    }

    /// Listens on the node's address and relays to the same port of the machine's 127.0.0.1. A port
    /// that is exposed already stays so.
    fn expose(&self, port: u16, host_socket: PathBuf) -> std::io::Result<()> {
        let mut state = self.state();
        if state.exposed.contains(&port) {
            return Ok(());
        }
        let listener = TcpListener::bind((NODE_ADDRESS, port))?;
        relay::tcp_to_unix(listener, host_socket, relay::name_of_port(port));
        state.exposed.insert(port);
        Ok(())
    }
}

/// Answers orders from now on.
pub(super) fn serve(listener: UnixListener, orders: Arc<Orders>, host_socket: PathBuf) {
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A caller that went away has no use for the answer.
            let _ = answer(connection, &orders, &host_socket);
        }
    });
}

fn answer(
    mut connection: UnixStream,
    orders: &Orders,
    host_socket: &std::path::Path,
) -> std::io::Result<()> {
    connection.set_read_timeout(Some(LINE_TIMEOUT))?;
    let mut line = String::new();
    BufReader::new(&connection).read_line(&mut line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let answer = match (
        words.as_slice(),
        words.get(1).map(|word| word.parse::<u16>()),
    ) {
        (["status"], _) => format!("ok {}", orders.phase().to_line()),
        (["stop"], _) => {
            orders.stop.store(true, Ordering::Relaxed);
            "ok stopping".to_owned()
        }
        (["expose", _], Some(Ok(port))) => match orders.expose(port, host_socket.to_path_buf()) {
            Ok(()) => format!("ok {NODE_ADDRESS}:{port}"),
            Err(error) => format!("error {error}"),
        },
        _ => "error this order is not known".to_owned(),
    };
    writeln!(connection, "{answer}")
}
