//! How many connections there may be, and how long one may take over what it has to say.
//!
//! Contract: nobody needs a token to open a connection, so each has to earn its place: a handshake, the
//! header of the first request, the header of each further one, all within a time; and there is a most
//! of connections, beyond which new ones are closed at once rather than left waiting.

use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_server::Server;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

/// Connections at the same time. The jobs of a hundred clusters hold a few each; beyond this the
/// process would run out of files (1024 is what systemd gives a service by default as its soft limit,
/// and the database and the stores need some).
pub(crate) const MOST_CONNECTIONS: usize = 768;

/// How long a TLS handshake may take: a slow line takes one or two seconds for it.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long the header of a request may take, from when the connection is free for it: also how long a
/// connection may be kept open without one. Longer than the 90 seconds for which the extension's and the
/// command line's HTTP client keeps an idle one (`pool_idle_timeout` of reqwest), so that it is the
/// client that closes it, and no request meets a connection that is just being closed.
const HEADER: Duration = Duration::from_secs(120);

/// How often a silent HTTP/2 connection is asked whether somebody is still there, and how long the
/// answer may take.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(20));

/// Requests of one HTTP/2 connection at the same time: what an extension has in flight to the embedded
/// store, several times over.
const MOST_STREAMS: u32 = 128;

/// A server on this listener with all of the limits.
///
/// # Errors
/// When the listener cannot be used.
pub(crate) fn bounded(
    listener: std::net::TcpListener,
    certificates: RustlsConfig,
) -> io::Result<Server<std::net::SocketAddr, RustlsAcceptor<Prompt<Counted>>>> {
    let acceptor = RustlsAcceptor::new(certificates)
        .handshake_timeout(HANDSHAKE)
        .acceptor(Prompt(Counted::new(MOST_CONNECTIONS)));
    let mut server = axum_server::from_tcp(listener)?
        .acceptor(acceptor)
        .first_request_timeout(HEADER);
    let builder = server.http_builder();
    builder.http1().header_read_timeout(HEADER);
    builder
        .http2()
        .keep_alive_interval(KEEP_ALIVE.0)
        .keep_alive_timeout(KEEP_ALIVE.1)
        .max_concurrent_streams(MOST_STREAMS);
    Ok(server)
}

/// Sends what is written at once (`TCP_NODELAY`). An answer is written in several pieces: the kernel would
/// hold the second back until the client has acknowledged the first, which it puts off for 40 ms.
/// Source: <https://www.rfc-editor.org/rfc/rfc9293#section-3.7.4>
#[derive(Clone, Debug)]
pub(crate) struct Prompt<A>(A);

impl<A: Accept<TcpStream, S>, S> Accept<TcpStream, S> for Prompt<A> {
    type Stream = A::Stream;
    type Service = A::Service;
    type Future = A::Future;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        // A connection that refuses it is a slower one, or is gone, which its first read tells.
        let _ = stream.set_nodelay(true);
        self.0.accept(stream, service)
    }
}

/// Lets a number of connections in, and closes those beyond it.
#[derive(Clone, Debug)]
pub(crate) struct Counted(Arc<Semaphore>);

impl Counted {
    /// Lets `most` connections in at a time.
    #[must_use]
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

impl<I, S> Accept<I, S> for Counted {
    type Stream = I;
    type Service = Holding<S>;
    type Future = Ready<io::Result<(I, Holding<S>)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        ready(match Arc::clone(&self.0).try_acquire_owned() {
            Ok(place) => Ok((
                stream,
                Holding {
                    service,
                    _place: Arc::new(place),
                },
            )),
            Err(_) => Err(io::Error::other("there are too many connections")),
        })
    }
}

/// The service of one connection, with the connection's place: both end together.
#[derive(Clone, Debug)]
pub(crate) struct Holding<S> {
    service: S,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S, R> Service<R> for Holding<S>
where
    S: Service<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_never_held_back_for_an_acknowledgement() {
        struct Looks;
        impl Accept<TcpStream, ()> for Looks {
            type Stream = ();
            type Service = bool;
            type Future = Ready<io::Result<((), bool)>>;

            fn accept(&self, stream: TcpStream, (): ()) -> Self::Future {
                ready(stream.nodelay().map(|set| ((), set)))
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let ((), set) = Prompt(Looks).accept(accepted.unwrap().0, ()).await.unwrap();
        assert!(set);
        drop(client);
    }

    #[tokio::test]
    async fn a_place_is_free_again_when_its_connection_ends() {
        let counted = Counted::new(2);
        let first = counted.accept((), ()).await.unwrap();
        let second = counted.accept((), ()).await.unwrap();
        // A clone serves the same connection.
        let of_second = second.1.clone();
        assert!(counted.accept((), ()).await.is_err());
        drop(second);
        assert!(counted.accept((), ()).await.is_err());
        drop(of_second);
        assert!(counted.accept((), ()).await.is_ok());
        drop(first);
    }
}
