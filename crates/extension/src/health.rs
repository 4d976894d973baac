//! `/healthz` and `/readyz` for the kubelet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;

/// Opens the port.
///
/// # Errors
/// When it is taken or not allowed.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Answers until dropped. `/healthz` says that the process runs; `/readyz` that its last heartbeat
/// reached the API server.
pub async fn serve(listener: TcpListener, ready: Arc<AtomicBool>) {
    let readiness = move || {
        let ready = ready.load(Ordering::Relaxed);
        async move {
            if ready {
                (StatusCode::OK, "ok\n")
            } else {
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the last heartbeat did not reach the API server\n",
                )
            }
        }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readiness));
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the health endpoints ended");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    async fn status_line(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn the_process_is_healthy_at_once_and_ready_after_a_heartbeat() {
        let listener = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let ready = Arc::new(AtomicBool::new(false));
        let server = tokio::spawn(serve(listener, Arc::clone(&ready)));
        assert_eq!(status_line(address, "/healthz").await, "HTTP/1.1 200 OK");
        assert_eq!(
            status_line(address, "/readyz").await,
            "HTTP/1.1 503 Service Unavailable"
        );
        ready.store(true, Ordering::Relaxed);
        assert_eq!(status_line(address, "/readyz").await, "HTTP/1.1 200 OK");
        server.abort();
    }
}
