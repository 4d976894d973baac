//! The authority is kept, its key is private, and the leaf carries every name.

use super::*;

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

#[test]
fn the_authority_is_made_once_and_its_key_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path()).unwrap();
    let first = Authority::open(&dir, now()).unwrap();
    let second = Authority::open(&dir, now()).unwrap();
    assert_eq!(first.certificate_pem(), second.certificate_pem());
    let mode = std::fs::metadata(dir.ca_key())
        .unwrap()
        .permissions()
        .mode()
        & 0o777;
    assert_eq!(mode, 0o600);
}

#[test]
fn a_lost_key_is_not_silently_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path()).unwrap();
    Authority::open(&dir, now()).unwrap();
    std::fs::remove_file(dir.ca_key()).unwrap();
    let refused = Authority::open(&dir, now()).unwrap_err().to_string();
    assert!(
        refused.contains("ca.key") && refused.contains("missing"),
        "{refused}"
    );
}

#[test]
fn the_leaf_carries_every_name_the_server_is_reached_by() {
    let names = names(
        "Node1",
        "10.1.2.3".parse().unwrap(),
        Some("vault.example.org"),
        &["extra.example.org".to_owned()],
    );
    for expected in [
        "localhost",
        "127.0.0.1",
        "::1",
        "node1",
        "10.1.2.3",
        "vault.example.org",
        "extra.example.org",
    ] {
        assert!(names.contains(expected), "{expected}");
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = DataDir::open(folder.path()).unwrap();
    let authority = Authority::open(&dir, now()).unwrap();
    authority.issue(&names, now()).unwrap();
}

#[test]
fn a_given_certificate_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cert.pem");
    std::fs::write(&path, "nothing").unwrap();
    let section = TlsSection {
        certificate: Some(path.clone()),
        key: Some(path.clone()),
        names: Vec::new(),
    };
    let refused = given(&section).unwrap_err().to_string();
    assert!(refused.contains("cert.pem"), "{refused}");
    assert!(given(&TlsSection::default()).unwrap().is_none());
}
