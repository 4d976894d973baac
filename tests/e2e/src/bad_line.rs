//! A bad line to an HTTP service that works: it refuses some requests, loses the answers to others and stalls
//! in the midst of some, in a fixed turn.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::process::{StageError, StageResult};

/// How long it stalls: longer than a healthy answer takes, shorter than any client waits.
const STALL: Duration = Duration::from_millis(300);

/// The longest head of a request or of one of its lines.
const HEAD_MAX: u64 = 64 * 1024;

/// What S3 answers when it wants its clients to slow down (`503 SlowDown`).
const REFUSAL: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SlowDown</Code><Message>Please \
                       reduce your request rate.</Message></Error>";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It reaches the service and is answered.
    Works,
    /// It is answered with 503 and never reaches the service.
    Refused,
    /// It reaches the service, and the line is cut instead of the answer.
    Lost,
    /// Half of the answer comes late.
    Stalled,
}

impl Turn {
    /// Of ten requests two are refused, two lose their answers and one stalls. No client that tries three
    /// times is ever refused for good.
    fn of(request: u64) -> Self {
        match request % 10 {
            2 | 7 => Self::Refused,
            4 | 9 => Self::Lost,
            5 => Self::Stalled,
            _ => Self::Works,
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
    stalled: AtomicU64,
}

/// The line. Dropping it cuts it.
#[derive(Debug)]
pub struct BadLine {
    at: SocketAddr,
    counts: Arc<Counts>,
    cut: Arc<AtomicBool>,
}

impl BadLine {
    /// A line to this port of 127.0.0.1.
    pub fn to(port: u16) -> StageResult<Self> {
        let failed = |source| StageError::File {
            what: "opening a bad line".to_owned(),
            source,
        };
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let at = listener.local_addr().map_err(failed)?;
        let line = Self {
            at,
            counts: Arc::default(),
            cut: Arc::default(),
        };
        let (counts, cut) = (Arc::clone(&line.counts), Arc::clone(&line.cut));
        thread::spawn(move || {
            for client in listener.incoming() {
                if cut.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(client) = client else { continue };
                let counts = Arc::clone(&counts);
                // A client that goes away in mid-request is its own affair.
                thread::spawn(move || pass(client, port, &counts));
            }
        });
        Ok(line)
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.at.port()
    }

    /// How many requests were refused, lost their answers, and stalled.
    pub fn faults(&self) -> [u64; 3] {
        let Counts {
            refused,
            lost,
            stalled,
            ..
        } = &*self.counts;
        [refused, lost, stalled].map(|count| count.load(Ordering::Relaxed))
    }
}

impl Drop for BadLine {
    fn drop(&mut self) {
        self.cut.store(true, Ordering::Relaxed);
        let _wakes_the_listener = TcpStream::connect(self.at);
    }
}

/// Takes one request and does with it what its turn is. One request for each connection: the service is told
/// to close it, and its answer is over when it does.
#[expect(
    clippy::disallowed_methods,
    reason = "a stall is what it makes, and waits for nothing"
)]
fn pass(client: TcpStream, port: u16, counts: &Counts) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let request = read_request(&mut reader)?;
    let number = counts.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let mut client = client;
    match Turn::of(number) {
        Turn::Refused => {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            let length = REFUSAL.len();
            write!(
                client,
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nContent-Length: \
                 {length}\r\nConnection: close\r\n\r\n{REFUSAL}"
            )?;
        }
        Turn::Lost => {
            answer(&request, port)?;
            counts.lost.fetch_add(1, Ordering::Relaxed);
        }
        Turn::Stalled => {
            let answer = answer(&request, port)?;
            let (first, rest) = answer.split_at(answer.len() / 2);
            client.write_all(first)?;
            thread::sleep(STALL);
            client.write_all(rest)?;
            counts.stalled.fetch_add(1, Ordering::Relaxed);
        }
        Turn::Works => client.write_all(&answer(&request, port)?)?,
    }
    client.shutdown(Shutdown::Both)
}

/// One request, its connection to be closed after the answer.
fn read_request(reader: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let mut line = Vec::new();
        reader.take(HEAD_MAX).read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line).to_ascii_lowercase();
        match text.trim_end().split_once(':') {
            None if text.trim_end().is_empty() => break,
            Some(("connection", _)) => continue,
            Some(("content-length", value)) => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            Some(("transfer-encoding", _)) => {
                return Err(io::Error::other("a body without a length is not passed on"));
            }
            _ => {}
        }
        request.extend_from_slice(&line);
    }
    if request.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    request.extend_from_slice(b"Connection: close\r\n\r\n");
    reader.take(length).read_to_end(&mut request)?;
    Ok(request)
}

/// What the service answers.
fn answer(request: &[u8], port: u16) -> io::Result<Vec<u8>> {
    let mut service = TcpStream::connect(("127.0.0.1", port))?;
    service.write_all(request)?;
    let mut answer = Vec::new();
    service.read_to_end(&mut answer)?;
    Ok(answer)
}
