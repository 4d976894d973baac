//! What the client trusts, and what it refuses to send anything to.

use super::*;

#[test]
fn only_tls_is_spoken_except_to_this_machine() {
    for (server, fine) in [
        ("https://backup.example.org", true),
        ("http://127.0.0.1:1", true),
        ("http://[::1]:1", true),
        ("http://localhost:1/prefix", true),
        ("http://10.0.0.1", false),
        ("http://localhost.example.org", false),
        ("https://user:pass@host", false),
        ("https://host/?q=1", false),
        ("ftp://host", false),
        ("host", false),
        ("", false),
    ] {
        assert_eq!(
            Client::new(ClientOptions::new(server)).is_ok(),
            fine,
            "{server}"
        );
    }
}

#[test]
fn a_token_that_cannot_be_one_is_refused_without_showing_it() {
    for token in ["", "two words", "line\nend", "caf\u{e9}"] {
        let mut options = ClientOptions::new("https://localhost");
        options.token = Some(Secret::new(token));
        let error = Client::new(options).unwrap_err().to_string();
        assert!(
            error.contains("the token is not one") && (token.is_empty() || !error.contains(token))
        );
    }
}

#[tokio::test]
async fn a_pinned_ca_is_the_only_one_that_is_trusted() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (pem, key) = (server.cert.pem(), server.signing_key.serialize_pem());
    let config =
        axum_server::tls_rustls::RustlsConfig::from_pem(pem.clone().into_bytes(), key.into_bytes())
            .await
            .unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().fallback(|| async { axum::Json(json!({"value": []})) });
    let serving = axum_server::from_tcp_rustls(listener, config)
        .unwrap()
        .serve(router.into_make_service());
    tokio::spawn(serving);
    let client = |ca: Option<String>| {
        let mut options = ClientOptions::new(format!("https://localhost:{port}"));
        options.ca_certificate = ca;
        options.pace = QUICK;
        Client::new(options).unwrap()
    };
    let list = |client: Client| async move { client.subscriptions().list().unwrap().all().await };
    list(client(Some(pem))).await.unwrap();
    for ca in [None, Some(other.cert.pem())] {
        let error = list(client(ca)).await.unwrap_err();
        assert!(
            matches!(error, ClientError::CertificateNotTrusted { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_pinned_ca_must_be_one() {
    for pem in [
        "",
        "no pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let mut options = ClientOptions::new("https://localhost");
        options.ca_certificate = Some(pem.to_owned());
        assert!(
            matches!(Client::new(options), Err(ClientError::Settings { .. })),
            "{pem:?}"
        );
    }
}
