//! Entries reach their receiver in order, also one that comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::*;
use crate::testing::Harness;

/// A receiver by HTTP that can be away.
#[derive(Default)]
struct Siem {
    is_away: AtomicBool,
    lines: Mutex<Vec<Entry>>,
    tokens: Mutex<Vec<String>>,
}

async fn take(
    State(siem): State<Arc<Siem>>,
    headers: axum::http::HeaderMap,
    body: String,
) -> StatusCode {
    if siem.is_away.load(Ordering::Relaxed) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let token = headers["authorization"].to_str().unwrap().to_owned();
    siem.tokens.lock().unwrap().push(token);
    let read = body.lines().map(|line| serde_json::from_str(line).unwrap());
    siem.lines.lock().unwrap().extend(read);
    StatusCode::ACCEPTED
}

impl Siem {
    fn numbers(&self) -> Vec<u64> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().map(|entry| entry.sequence).collect()
    }
}

fn settings(url: &str, protocol: Protocol) -> ReceiverSettings {
    ReceiverSettings {
        protocol,
        url: url.parse().unwrap(),
        ca_pem: None,
        token: Some(strongroom_api::secret::Secret::new("t0ken")),
    }
}

/// Leaves so many entries.
async fn denied(harness: &Harness, count: usize) {
    for _ in 0..count {
        harness.anonymous("GET", "/subscriptions").await;
    }
}

#[tokio::test]
async fn a_receiver_by_http_gets_each_entry_once_and_one_that_was_away_gets_what_it_missed() {
    let harness = Harness::new().await;
    let siem = Arc::new(Siem::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in", listener.local_addr().unwrap());
    let router = axum::Router::new()
        .route("/in", post(take))
        .with_state(Arc::clone(&siem));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let settings = settings(&url, Protocol::Http);
    let mut receiver = Receiver::open(&settings).unwrap();
    let app = &harness.app;

    assert!(!forward(app, &mut receiver).await.unwrap().unwrap());
    denied(&harness, 3).await;
    assert!(!forward(app, &mut receiver).await.unwrap().unwrap());
    assert_eq!(siem.numbers(), [1, 2, 3]);
    assert!(!forward(app, &mut receiver).await.unwrap().unwrap());
    assert_eq!(siem.numbers(), [1, 2, 3], "nothing new");

    siem.is_away.store(true, Ordering::Relaxed);
    denied(&harness, 2).await;
    let refused = forward(app, &mut receiver).await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("503"), "{refused}");
    siem.is_away.store(false, Ordering::Relaxed);
    // A new process goes on where the last one was.
    let mut receiver = Receiver::open(&settings).unwrap();
    forward(app, &mut receiver).await.unwrap().unwrap();
    assert_eq!(siem.numbers(), [1, 2, 3, 4, 5]);
    let tokens = siem.tokens.lock().unwrap().clone();
    assert!(tokens.iter().all(|token| token == "Bearer t0ken"));
}

#[tokio::test]
async fn a_receiver_by_syslog_gets_framed_messages_and_the_last_page_again_after_a_break() {
    let harness = Harness::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("syslog+tcp://{}", listener.local_addr().unwrap());
    let settings = settings(&url, Protocol::SyslogTcp);
    let mut receiver = Receiver::open(&settings).unwrap();
    denied(&harness, 2).await;
    forward(&harness.app, &mut receiver).await.unwrap().unwrap();
    let (mut connection, _) = listener.accept().await.unwrap();
    assert_eq!(messages(&mut connection, 2).await, [1, 2]);
    denied(&harness, 1).await;
    forward(&harness.app, &mut receiver).await.unwrap().unwrap();
    assert_eq!(messages(&mut connection, 1).await, [3]);
    drop(receiver);
    let mut receiver = Receiver::open(&settings).unwrap();
    forward(&harness.app, &mut receiver).await.unwrap().unwrap();
    let (mut connection, _) = listener.accept().await.unwrap();
    assert_eq!(messages(&mut connection, 3).await, [1, 2, 3]);
}

/// Numbers of so many messages.
async fn messages(connection: &mut tokio::net::TcpStream, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let mut length = String::new();
        loop {
            match connection.read_u8().await.unwrap() {
                b' ' => break,
                digit => length.push(digit.into()),
            }
        }
        let mut message = vec![0; length.parse().unwrap()];
        connection.read_exact(&mut message).await.unwrap();
        let message = String::from_utf8(message).unwrap();
        let (_, json) = message.split_once("] ").unwrap();
        let entry: Entry = serde_json::from_str(json).unwrap();
        numbers.push(entry.sequence);
    }
    numbers
}
