//! Store descriptions keep their secrets, and errors are told apart.

use std::io;

use super::*;

fn s3() -> StoreConfig {
    serde_json::from_value(serde_json::json!({
        "backend": {
            "kind": "S3", "endpoint": "http://127.0.0.1:9", "region": "local", "bucket": "b",
            "accessKeyId": "id", "secretAccessKey": "hidden-one", "sessionToken": "hidden-two",
        },
        "prefix": "instances/1",
    }))
    .unwrap()
}

#[test]
fn debug_shows_no_secret_and_serialisation_keeps_it() {
    let config = s3();
    let shown = format!("{config:?}");
    assert!(
        shown.contains("redacted") && !shown.contains("hidden"),
        "{shown}"
    );
    let back: StoreConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
    assert_eq!(back, config);
    let Backend::S3(s3) = back.backend else {
        panic!("another backend")
    };
    assert!(s3.path_style, "the default");
    assert_eq!(s3.secret_access_key.expose(), "hidden-one");
}

#[test]
fn a_configuration_that_cannot_work_is_refused_at_once() {
    let mut config = s3();
    if let Backend::S3(s3) = &mut config.backend {
        s3.ca_certificate = Some("no certificate".into());
    }
    assert!(matches!(config.connect(), Err(Error::InvalidConfig { .. })));
    let gone = StoreConfig {
        backend: Backend::Local {
            path: "/no/such/folder".into(),
        },
        prefix: String::new(),
    };
    assert!(matches!(gone.connect(), Err(Error::InvalidConfig { .. })));
    assert!(
        StoreConfig {
            prefix: "a//b".into(),
            ..gone
        }
        .prefix()
        .is_err()
    );
    let unknown = r#"{"backend":{"kind":"Tape"}}"#;
    assert!(serde_json::from_str::<StoreConfig>(unknown).is_err());
}

fn classified(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = object_store::Error::Generic {
        store: "Test",
        source: source.into(),
    };
    classify(error, || "writing x".into(), "x")
}

#[test]
fn errors_of_the_system_and_of_services_are_told_apart() {
    use io::ErrorKind::{
        PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull, TimedOut,
    };
    let of = |kind: io::ErrorKind| classified(io::Error::from(kind));
    assert!(matches!(of(StorageFull), Error::Full { .. }));
    assert!(matches!(of(QuotaExceeded), Error::Full { .. }));
    assert!(matches!(of(ReadOnlyFilesystem), Error::ReadOnly { .. }));
    assert!(matches!(of(PermissionDenied), Error::Denied { .. }));
    assert!(of(TimedOut).is_transient());
    let full = classified("Server returned non-2xx status code: 507 Insufficient Storage: ");
    assert!(matches!(full, Error::Full { .. }));
    assert!(matches!(
        classified("<Code>XMinioStorageFull</Code>"),
        Error::Full { .. }
    ));
    assert!(classified("status code: 503").is_transient());
}

/// A service that answers every request with this.
async fn answering(status: &'static str, body: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8192];
            let _ = stream.read(&mut request).await;
            let length = body.len();
            let reply = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn the_codes_of_an_s3_service_reach_the_reader() {
    let cases = [
        (
            "403 Forbidden",
            "<Error><Code>AccessDenied</Code></Error>",
            "Denied",
        ),
        (
            "403 Forbidden",
            "<Error><Code>QuotaExceeded</Code></Error>",
            "Full",
        ),
        (
            "400 Bad Request",
            "<Error><Code>XMinioStorageFull</Code></Error>",
            "Full",
        ),
        ("401 Unauthorized", "", "Denied"),
        (
            "404 Not Found",
            "<Error><Code>NoSuchKey</Code></Error>",
            "NotFound",
        ),
        ("412 Precondition Failed", "", "Exists"),
        ("416 Range Not Satisfiable", "", "Corrupt"),
    ];
    for (status, body, expected) in cases {
        let mut config = s3();
        if let Backend::S3(s3) = &mut config.backend {
            s3.endpoint = answering(status, body).await;
        }
        let store = config.connect().unwrap();
        let options = object_store::PutMode::Create.into();
        let error = store
            .put_opts(&Path::from("a/b"), "x".into(), options)
            .await
            .unwrap_err();
        let error = classify(error, || "writing a/b".into(), "a/b");
        let found = format!("{error:?}");
        assert!(found.starts_with(expected), "{status} {body}: {found}");
    }
}
