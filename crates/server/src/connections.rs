//! How many connections there may be, and how long one may take over what it has to say.
//!
//! Contract: nobody needs a token to open a connection, so each has to earn its place: a handshake, the
//! header of the first request, the header of each further one, all within a time; and there is a most
//! of connections, beyond which new ones are told so, and closed at once when even that would be too many.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::response::Response;
use axum_server::Server;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use futures::future::Either;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

use crate::http::too_many_connections;

/// Connections at the same time: a thousand clients, and the jobs of a few hundred clusters with their few
/// connections each. An idle one costs some 50 KiB of memory, which makes 100 MiB of all. Each is an open
/// file too, see [`places`].
const MOST_CONNECTIONS: usize = 2_048;

/// Connections beyond those of which each is told that there are too many. A handshake for each costs a
/// millisecond of a core; whoever opens thousands at once is not owed one.
const REFUSED_AT_ONCE: usize = 64;

/// Files that are left for everything but connections of clients: the databases' connections, clusters and
/// stores that jobs speak to, and blobs that are read and written for extensions.
const OTHER_FILES: usize = 512;

/// Connections that wait in the kernel to be accepted: as many as come at once when a thousand clients find
/// the server again after its restart. Those beyond it would try anew after a second.
const WAITING: i32 = 1_024;

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
    // On a socket that listens already this sets how many may wait, which the standard library does not ask.
    rustix::net::listen(&listener, WAITING)?;
    let acceptor = RustlsAcceptor::new(certificates)
        .handshake_timeout(HANDSHAKE)
        .acceptor(Prompt(Counted::new(places(), REFUSED_AT_ONCE)));
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

/// How many connections this process may have: [`MOST_CONNECTIONS`], if it may open enough files. The soft
/// limit of 1024 that services get by default is raised as far as it needs to be and the hard one allows;
/// it is that low for programs that use `select`.
/// Source: <https://0pointer.net/blog/file-descriptor-limits.html>
fn places() -> usize {
    let wanted = MOST_CONNECTIONS + REFUSED_AT_ONCE + OTHER_FILES;
    let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
    let limit = getrlimit(Resource::Nofile);
    // None: there is no limit.
    let raised = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    if limit.current.is_some_and(|current| current < raised) {
        let new = Rlimit {
            current: Some(raised),
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, new) {
            tracing::warn!(error = %error, "the limit of open files could not be raised");
        }
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let places = places_of(usize::try_from(files).unwrap_or(usize::MAX));
    if places < MOST_CONNECTIONS {
        tracing::warn!(
            places,
            files,
            "fewer connections than usual are let in, because few files may be open (RLIMIT_NOFILE)"
        );
    }
    places
}

/// Connections of a process that may open this many files; where those are few, half of them.
fn places_of(files: usize) -> usize {
    let others = (OTHER_FILES + REFUSED_AT_ONCE).min(files / 2);
    MOST_CONNECTIONS.min(files - others)
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

/// Lets a number of connections in, tells some of those beyond it that they are too many, and closes the rest.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    places: Arc<Semaphore>,
    refused: Arc<Semaphore>,
}

impl Counted {
    /// Lets `most` connections in at a time, and tells `refused` of them that they are too many.
    #[must_use]
    pub(crate) fn new(most: usize, refused: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most)),
            refused: Arc::new(Semaphore::new(refused)),
        }
    }
}

impl<I, S> Accept<I, S> for Counted {
    type Stream = I;
    type Service = Holding<S>;
    type Future = Ready<io::Result<(I, Holding<S>)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let (place, is_refused) = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => (Ok(place), false),
            Err(_) => (Arc::clone(&self.refused).try_acquire_owned(), true),
        };
        ready(match place {
            Ok(place) => Ok((
                stream,
                Holding {
                    service,
                    is_refused,
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
    is_refused: bool,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S, R> Service<R> for Holding<S>
where
    S: Service<R, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        if self.is_refused {
            Either::Left(ready(Ok(too_many_connections())))
        } else {
            Either::Right(self.service.call(request))
        }
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
        let counted = Counted::new(2, 0);
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

    #[tokio::test]
    async fn who_connects_beyond_the_limit_is_told_so_and_to_close() {
        let counted = Counted::new(1, 1);
        let answers = tower::service_fn(async |(): ()| Ok(Response::default()));
        let (_, mut first) = counted.accept((), answers).await.unwrap();
        assert_eq!(first.call(()).await.unwrap().status(), 200);
        let (_, mut second) = counted.accept((), answers).await.unwrap();
        let refused = second.call(()).await.unwrap();
        assert_eq!(refused.status(), 503);
        let header = |name: &str| refused.headers()[name].to_str().unwrap();
        assert_eq!(header("x-ms-error-code"), "ServiceUnavailable");
        assert_eq!(header("connection"), "close");
        assert!(
            counted.accept((), answers).await.is_err(),
            "even that is too many"
        );
        // The place is free again, and who came too late has to connect anew.
        drop(first);
        assert_eq!(second.call(()).await.unwrap().status(), 503);
        let (_, mut third) = counted.accept((), answers).await.unwrap();
        assert_eq!(third.call(()).await.unwrap().status(), 200);
    }

    #[test]
    fn files_are_left_for_everything_else() {
        assert_eq!(places_of(usize::MAX), MOST_CONNECTIONS);
        assert_eq!(places_of(4_096), MOST_CONNECTIONS);
        assert_eq!(places_of(1_024), 512);
        assert_eq!(places_of(64), 32);
    }
}
