//! Store descriptions keep their secrets, and errors are told apart.

use std::io;

use object_store::ObjectStoreExt as _;

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

#[tokio::test]
async fn a_range_behind_the_end_of_a_file_is_damage_and_nothing_to_wait_for() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("pack"), b"short").unwrap();
    let path = dir.path().to_owned();
    let config = StoreConfig {
        backend: Backend::Local { path },
        prefix: String::new(),
    };
    let store = config.connect().unwrap();
    for (range, is_damage) in [(5..6, true), (1000..2000, true), (4..5, false)] {
        let read = store.get_range(&Path::from("pack"), range.clone()).await;
        let damage = read.map_err(|error| classify(error, || "reading".into(), "pack"));
        let found = matches!(damage, Err(Error::Corrupt { .. }));
        assert_eq!(found, is_damage, "{range:?}: {damage:?}");
    }
}

/// A service that answers every request with this.
async fn answering(status: &'static str, body: &'static str) -> String {
    asked(status, body).await.0
}

/// Requests as they came: head and what came with it.
type Requests = Arc<std::sync::Mutex<Vec<String>>>;

/// A service that answers every request with this, and what it was asked.
async fn asked(status: &'static str, body: &'static str) -> (String, Requests) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let requests = Requests::default();
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 8192];
            let read = stream.read(&mut request).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            seen.lock().unwrap().push(text);
            let length = body.len();
            let reply = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(reply.as_bytes()).await;
        }
    });
    (format!("http://{address}"), requests)
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
        (
            "404 Not Found",
            "<Error><Code>NoSuchBucket</Code></Error>",
            "Unreachable",
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

/// A service account whose key is made for this test alone.
fn service_account() -> String {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
    let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der.as_ref());
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    let (begin, end) = ("-----BEGIN", "-----END");
    let pem = format!(
        "{begin} PRIVATE KEY-----\n{}\n{end} PRIVATE KEY-----\n",
        lines.join("\n")
    );
    serde_json::json!({
        "type": "service_account", "private_key": pem, "private_key_id": "one",
        "client_email": "backup@project.iam.example.org", "client_id": "1",
    })
    .to_string()
}

fn gcs(endpoint: &str, key: &str) -> StoreConfig {
    serde_json::from_value(serde_json::json!({ "backend": {
        "kind": "Gcs", "bucket": "box", "serviceAccountKey": key, "endpoint": endpoint,
    }}))
    .unwrap()
}

async fn create(config: &StoreConfig) -> object_store::Result<object_store::PutResult> {
    let options = object_store::PutMode::Create.into();
    let store = config.connect().unwrap();
    store
        .put_opts(&Path::from("a/b"), "x".into(), options)
        .await
}

#[tokio::test]
async fn cloud_storage_is_asked_to_create_only_and_its_answers_are_told_apart() {
    let key = service_account();
    let (endpoint, requests) = asked("412 Precondition Failed", "").await;
    let exists = create(&gcs(&endpoint, &key)).await.unwrap_err();
    let exists = classify(exists, || "writing a/b".into(), "a/b");
    assert!(matches!(exists, Error::Exists { .. }), "{exists:?}");
    let request = requests.lock().unwrap()[0].to_lowercase();
    for part in [
        "put /box/a%2fb",
        "x-goog-if-generation-match: 0",
        "authorization: bearer ",
    ] {
        assert!(request.contains(part), "{part} is missing in {request}");
    }
    for (status, body, expected) in [
        (
            "403 Forbidden",
            "<Error><Code>AccessDenied</Code></Error>",
            "Denied",
        ),
        (
            "403 Forbidden",
            "<Error><Code>RetentionPolicyNotMet</Code></Error>",
            "ReadOnly",
        ),
        (
            "404 Not Found",
            "<Error><Code>NoSuchBucket</Code></Error>",
            "Unreachable",
        ),
        (
            "404 Not Found",
            "<Error><Code>NoSuchKey</Code></Error>",
            "NotFound",
        ),
        (
            "429 Too Many Requests",
            "<Error><Code>SlowDown</Code></Error>",
            "Unreachable",
        ),
        ("503 Service Unavailable", "", "Unreachable"),
    ] {
        let (endpoint, requests) = asked(status, body).await;
        let error = create(&gcs(&endpoint, &key)).await.unwrap_err();
        let error = classify(error, || "writing a/b".into(), "a/b");
        let found = format!("{error:?}");
        assert!(found.starts_with(expected), "{status} {body}: {found}");
        let tried = requests.lock().unwrap().len();
        assert_eq!(
            tried > 1,
            status.starts_with("429") || status.starts_with("503")
        );
    }
}

#[tokio::test]
async fn the_codes_of_azure_reach_the_reader() {
    let azure = |endpoint: &str| -> StoreConfig {
        serde_json::from_value(serde_json::json!({ "backend": {
            "kind": "AzureBlob", "account": "acct", "container": "box",
            "accountKey": "a2V5", "endpoint": endpoint,
        }}))
        .unwrap()
    };
    for (status, code, expected) in [
        (
            "403 Forbidden",
            "<Error><Code>AuthenticationFailed</Code></Error>",
            "Denied",
        ),
        (
            "403 Forbidden",
            "<Error><Code>AuthorizationPermissionMismatch</Code></Error>",
            "Denied",
        ),
        (
            "404 Not Found",
            "<Error><Code>ContainerNotFound</Code></Error>",
            "Unreachable",
        ),
        (
            "409 Conflict",
            "<Error><Code>BlobAlreadyExists</Code></Error>",
            "Exists",
        ),
        (
            "409 Conflict",
            "<Error><Code>ContainerBeingDeleted</Code></Error>",
            "Unreachable",
        ),
        (
            "409 Conflict",
            "<Error><Code>BlobImmutableDueToPolicy</Code></Error>",
            "ReadOnly",
        ),
        (
            "503 Service Unavailable",
            "<Error><Code>ServerBusy</Code></Error>",
            "Unreachable",
        ),
    ] {
        let (endpoint, requests) = asked(status, code).await;
        let error = create(&azure(&endpoint)).await.unwrap_err();
        let error = classify(error, || "writing a/b".into(), "a/b");
        let found = format!("{error:?}");
        assert!(found.starts_with(expected), "{status} {code}: {found}");
        let request = requests.lock().unwrap()[0].to_lowercase();
        assert!(request.contains("if-none-match: *"), "{request}");
        assert!(
            request.contains("authorization: sharedkey acct:"),
            "{request}"
        );
    }
}

#[test]
fn a_token_is_never_sent_in_the_clear_and_credentials_must_be_ones() {
    let refused = |value: serde_json::Value| {
        let config: StoreConfig =
            serde_json::from_value(serde_json::json!({ "backend": value })).unwrap();
        matches!(config.connect(), Err(Error::InvalidConfig { .. }))
    };
    let key = r#"{"type":"service_account","private_key":"x","client_email":"x"}"#;
    let gcs = |endpoint: &str, key: &str| {
        refused(serde_json::json!({
            "kind": "Gcs", "bucket": "b", "serviceAccountKey": key, "endpoint": endpoint,
        }))
    };
    assert!(gcs("http://storage.example.org", key));
    assert!(gcs("http://127.0.0.1.example.org:80", key));
    assert!(gcs("https://x.example.org", "{}") && gcs("https://x.example.org", "nonsense"));
    let elsewhere = r#"{"type":"service_account","gcs_base_url":"http://elsewhere"}"#;
    assert!(gcs("https://x.example.org", elsewhere));
    let azure = |extra: serde_json::Value| {
        let mut value = serde_json::json!({"kind": "AzureBlob", "account": "a", "container": "c"});
        let members = extra.as_object().unwrap().clone();
        value.as_object_mut().unwrap().extend(members);
        refused(value)
    };
    assert!(azure(serde_json::json!({})), "without a credential");
    assert!(azure(
        serde_json::json!({"accountKey": "a2V5", "sharedAccessSignature": "sv=1"})
    ));
    assert!(azure(serde_json::json!({"accountKey": "no base64!"})));
    let signed = |endpoint: &str| {
        azure(serde_json::json!({"sharedAccessSignature": "?sv=1&sig=x", "endpoint": endpoint}))
    };
    assert!(signed("http://acct.example.org") && !signed("http://127.0.0.1:10000/acct"));
}
