//! The two ways through the wall of a node's network namespace, which sockets on the file system do
//! not see: from the machine to the API server, and from pods to a server on the machine.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;

/// How much is read at once, in bytes: a backup's objects come in such pieces and larger ones.
const BUFFER: usize = 64 * 1024;

/// Hands each connection of a TCP listener to a unix socket; `greeting` is sent first.
pub(crate) fn tcp_to_unix(listener: TcpListener, socket: PathBuf, greeting: Vec<u8>) {
    thread::spawn(move || {
        for outer in listener.incoming().flatten() {
            let (socket, greeting) = (socket.clone(), greeting.clone());
            thread::spawn(move || {
                outer.set_nodelay(true)?;
                let mut inner = UnixStream::connect(&socket)?;
                inner.write_all(&greeting)?;
                join(outer, inner)
            });
        }
    });
}

/// Hands each connection of a unix socket to a port of 127.0.0.1.
pub(crate) fn unix_to_port(listener: UnixListener, port: u16) {
    unix_to_tcp(listener, move |_| Ok(port));
}

/// Hands each connection of a unix socket to the port of 127.0.0.1 that its first two bytes name,
/// the higher one first.
pub(crate) fn unix_to_named_port(listener: UnixListener) {
    unix_to_tcp(listener, |connection| {
        let mut port = [0; 2];
        connection.read_exact(&mut port)?;
        Ok(u16::from_be_bytes(port))
    });
}

/// The greeting that [`unix_to_named_port`] understands.
pub(crate) fn name_of_port(port: u16) -> Vec<u8> {
    port.to_be_bytes().to_vec()
}

fn unix_to_tcp<F>(listener: UnixListener, port_of: F)
where
    F: Fn(&mut UnixStream) -> io::Result<u16> + Clone + Send + 'static,
{
    thread::spawn(move || {
        for mut outer in listener.incoming().flatten() {
            let port_of = port_of.clone();
            thread::spawn(move || {
                let port = port_of(&mut outer)?;
                let inner = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
                inner.set_nodelay(true)?;
                join(inner, outer)
            });
        }
    });
}

/// Carries bytes both ways until both ends have said their last.
fn join(tcp: TcpStream, unix: UnixStream) -> io::Result<()> {
    let (mut tcp_in, mut unix_out) = (tcp.try_clone()?, unix.try_clone()?);
    let other_way = thread::spawn(move || {
        let _ = carry(&mut tcp_in, &mut unix_out);
        let _ = unix_out.shutdown(Shutdown::Write);
    });
    let (mut unix_in, mut tcp_out) = (unix, tcp);
    let _ = carry(&mut unix_in, &mut tcp_out);
    let _ = tcp_out.shutdown(Shutdown::Write);
    let _ = other_way.join();
    Ok(())
}

fn carry(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers what it was sent, in capitals, after the client's last word.
    fn shouting_server() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let mut words = String::new();
                connection.read_to_string(&mut words).unwrap();
                connection
                    .write_all(words.to_uppercase().as_bytes())
                    .unwrap();
            }
        });
        port
    }

    #[test]
    fn a_port_on_one_side_answers_on_the_other_through_a_unix_socket() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("host.sock");
        unix_to_named_port(UnixListener::bind(&socket).unwrap());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        tcp_to_unix(listener, socket, name_of_port(shouting_server()));

        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        client.write_all(&b"anyone there? ".repeat(10_000)).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).unwrap();
        assert_eq!(answer, b"ANYONE THERE? ".repeat(10_000));
    }
}
