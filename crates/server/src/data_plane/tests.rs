//! The data plane driven by the client that extensions use, over a real socket.

mod served;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::path::Path as Location;
use object_store::{GetOptions, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use uuid::Uuid;

use self::served::{BACKUP, ENDED, RESTORE, Served, UNKNOWN, at, code_of, create, served};
use super::*;

#[tokio::test]
async fn an_object_is_created_once_and_read_back_over_tls() {
    let served = served(true).await;
    let client = served.client(BACKUP);
    let content = Bytes::from((0..3_000_000_u32).map(|n| n as u8).collect::<Vec<u8>>());
    client
        .put_opts(&at("points/p1/manifest"), content.clone().into(), create())
        .await
        .unwrap();
    assert_eq!(
        client
            .get(&at("points/p1/manifest"))
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        content
    );
    assert_eq!(
        std::fs::read(served.file("instances/one/points/p1/manifest")).unwrap(),
        content
    );
    assert_eq!(served.metrics.received_bytes.get(), 3_000_000);
    assert_eq!(served.metrics.sent_bytes.get(), 3_000_000);

    let again = client
        .put_opts(&at("points/p1/manifest"), "other".into(), create())
        .await
        .unwrap_err();
    assert!(
        matches!(again, object_store::Error::AlreadyExists { .. }),
        "{again:?}"
    );
    assert_eq!(
        std::fs::read(served.file("instances/one/points/p1/manifest")).unwrap(),
        content
    );
}

#[tokio::test]
async fn replacing_is_refused_but_sending_the_same_again_is_not() {
    let served = served(false).await;
    let client = served.client(BACKUP);
    let first = client.put(&at("a"), "content".into()).await.unwrap();
    let same = client.put(&at("a"), "content".into()).await.unwrap();
    assert_eq!(first.e_tag, same.e_tag);
    let other = client.put(&at("a"), "CONTENT".into()).await.unwrap_err();
    assert!(
        matches!(other, object_store::Error::PermissionDenied { .. }),
        "{other:?}"
    );
    assert_eq!(
        std::fs::read(served.file("instances/one/a")).unwrap(),
        b"content"
    );
}

#[tokio::test]
async fn of_two_creators_at_once_one_succeeds() {
    let served = served(false).await;
    let client = served.client(BACKUP);
    let attempts = (0..8).map(|n| {
        let client = &client;
        async move {
            client
                .put_opts(&at("m"), format!("writer {n}").into(), create())
                .await
                .is_ok()
        }
    });
    let winners = futures::future::join_all(attempts)
        .await
        .into_iter()
        .filter(|won| *won)
        .count();
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn ranges_heads_and_conditions_are_answered() {
    let served = served(false).await;
    let client = served.client(BACKUP);
    client.put(&at("a"), "0123456789".into()).await.unwrap();
    assert_eq!(client.get_range(&at("a"), 2..5).await.unwrap(), "234");
    assert_eq!(client.get_range(&at("a"), 8..50).await.unwrap(), "89");
    assert!(client.get_range(&at("a"), 10..11).await.is_err());
    let meta = client.head(&at("a")).await.unwrap();
    assert_eq!(meta.size, 10);
    let unchanged = GetOptions {
        if_match: meta.e_tag.clone(),
        ..Default::default()
    };
    assert!(client.get_opts(&at("a"), unchanged).await.is_ok());
    let changed = GetOptions {
        if_match: Some("\"x\"".to_owned()),
        ..Default::default()
    };
    let refused = client.get_opts(&at("a"), changed).await.unwrap_err();
    assert!(
        matches!(refused, object_store::Error::Precondition { .. }),
        "{refused:?}"
    );
    for missing in ["b", "a/b", "folder"] {
        let error = client.head(&at(missing)).await.unwrap_err();
        assert!(
            matches!(error, object_store::Error::NotFound { .. }),
            "{missing}: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_listing_of_many_pages_is_complete_and_in_order() {
    let served = served(false).await;
    let client = served.client(RESTORE);
    let mut expected = Vec::new();
    std::fs::create_dir_all(served.file("instances/one/packs")).unwrap();
    for n in 0..2345 {
        let key = format!("instances/one/packs/{n:05}");
        std::fs::write(served.file(&key), b"x").unwrap();
        expected.push(key);
    }
    let listed: Vec<String> = client
        .list(Some(&Location::from("instances/one/packs")))
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed, expected);
    let folders = client
        .list_with_delimiter(Some(&Location::from("instances/one")))
        .await
        .unwrap();
    assert_eq!(
        folders.common_prefixes,
        [Location::from("instances/one/packs")]
    );
}

#[tokio::test]
async fn a_multipart_upload_becomes_one_object() {
    let served = served(false).await;
    let client = served.client(BACKUP);
    let mut upload = client.put_multipart(&at("packs/1")).await.unwrap();
    let part = vec![1_u8; 5 * 1024 * 1024];
    upload
        .put_part(PutPayload::from(part.clone()))
        .await
        .unwrap();
    upload
        .put_part(PutPayload::from_static(b"end"))
        .await
        .unwrap();
    upload.complete().await.unwrap();
    let whole = client
        .get(&at("packs/1"))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(whole.len(), part.len() + 3);
    assert!(whole.ends_with(b"end"));

    assert!(
        client.put_multipart(&at("packs/1")).await.is_err(),
        "an object was about to be replaced"
    );
    let mut dropped = client.put_multipart(&at("packs/2")).await.unwrap();
    dropped
        .put_part(PutPayload::from_static(b"never"))
        .await
        .unwrap();
    dropped.abort().await.unwrap();
    assert!(client.head(&at("packs/2")).await.is_err());
    assert_eq!(
        std::fs::read_dir(served.dir.path().join(".staging/uploads"))
            .unwrap()
            .count(),
        0
    );
    assert_eq!(
        std::fs::read_dir(served.dir.path().join(".staging/objects"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_credential_opens_nothing_but_its_own_prefix() {
    let served = served(false).await;
    let client = served.client(BACKUP);
    std::fs::create_dir_all(served.file("instances/two")).unwrap();
    std::fs::write(served.file("instances/two/secret"), b"x").unwrap();
    for outside in [
        "instances/two/secret",
        "instances/oneself/a",
        "instances/one",
        "a",
    ] {
        let outside = Location::from(outside);
        assert_eq!(
            code_of(client.get(&outside).await.unwrap_err()),
            "AccessDenied",
            "{outside}"
        );
        assert_eq!(
            code_of(client.put(&outside, "x".into()).await.unwrap_err()),
            "AccessDenied",
            "{outside}"
        );
    }
    for prefix in ["instances", "instances/two", "instances/oneself"] {
        let listed = client
            .list(Some(&Location::from(prefix)))
            .try_collect::<Vec<_>>()
            .await;
        assert_eq!(code_of(listed.unwrap_err()), "AccessDenied", "{prefix}");
    }
    assert_eq!(
        code_of(client.list(None).try_collect::<Vec<_>>().await.unwrap_err()),
        "AccessDenied"
    );
    let other_bucket = served.client_with(&served.issuer.credential(BACKUP), "acct.other");
    assert_eq!(
        code_of(other_bucket.get(&at("a")).await.unwrap_err()),
        "AccessDenied"
    );
}

#[tokio::test]
async fn a_key_cannot_climb_out_of_its_folder() {
    let served = served(false).await;
    std::fs::write(served.dir.path().join("server.key"), b"x").unwrap();
    let client = served.client(BACKUP);
    for key in [
        "..",
        "../../../server.key",
        "a/../../../x",
        ".",
        "a\\..\\b",
        ".hidden",
        "a b",
        "ü",
    ] {
        // `Location::from` would encode these; a hostile client does not.
        let location = Location::parse(format!("instances/one/{key}")).unwrap_or_else(|_| at(key));
        assert!(client.get(&location).await.is_err(), "{key}");
        let error = client.put(&location, "x".into()).await.unwrap_err();
        assert!(
            matches!(code_of(error).as_str(), "InvalidArgument" | "AccessDenied"),
            "{key}"
        );
    }
    assert_eq!(
        std::fs::read_dir(served.dir.path().join("acct/box"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn deleting_is_refused() {
    let served = served(false).await;
    let client = served.client(BACKUP);
    client.put(&at("a"), "x".into()).await.unwrap();
    assert!(client.delete(&at("a")).await.is_err());
    assert!(client.copy(&at("a"), &at("b")).await.is_err());
    assert!(served.file("instances/one/a").exists());
    assert!(!served.file("instances/one/b").exists());
}

#[tokio::test]
async fn a_restore_reads_and_creates_only_reports() {
    let served = served(false).await;
    served
        .client(BACKUP)
        .put(&at("a"), "x".into())
        .await
        .unwrap();
    let client = served.client(RESTORE);
    assert!(client.get(&at("a")).await.is_ok());
    assert_eq!(
        code_of(client.put(&at("b"), "x".into()).await.unwrap_err()),
        "AccessDenied"
    );
    assert!(client.put_multipart(&at("b")).await.is_err());
    assert!(client.put(&at("reports/j/1/0"), "x".into()).await.is_ok());
}

#[tokio::test]
async fn the_credential_ends_with_its_job() {
    let served = served(false).await;
    let client = served.client(BACKUP);
    client.put(&at("a"), "x".into()).await.unwrap();
    served
        .jobs
        .0
        .lock()
        .unwrap()
        .insert(BACKUP, JobScope::Ended);
    assert_eq!(
        code_of(client.get(&at("a")).await.unwrap_err()),
        "AccessDenied"
    );
    assert_eq!(
        code_of(served.client(ENDED).get(&at("a")).await.unwrap_err()),
        "AccessDenied"
    );
    assert_eq!(
        code_of(served.client(UNKNOWN).get(&at("a")).await.unwrap_err()),
        "InvalidAccessKeyId"
    );
}

#[tokio::test]
async fn a_wrong_secret_or_a_foreign_key_is_refused() {
    let served = served(false).await;
    let mut wrong = served.issuer.credential(BACKUP);
    wrong.secret_access_key = served.issuer.credential(RESTORE).secret_access_key;
    let client = served.client_with(&wrong, "acct.box");
    assert_eq!(
        code_of(client.get(&at("a")).await.unwrap_err()),
        "SignatureDoesNotMatch"
    );
    let foreign = JobCredential {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "x".to_owned(),
    };
    let client = served.client_with(&foreign, "acct.box");
    assert_eq!(
        code_of(client.get(&at("a")).await.unwrap_err()),
        "InvalidAccessKeyId"
    );
}

#[tokio::test]
async fn an_unsigned_or_differently_signed_request_never_reaches_the_store() {
    let served = served(false).await;
    let plane = DataPlane::open(
        served.dir.path().to_path_buf(),
        served.issuer.clone(),
        Arc::clone(&served.jobs) as Arc<dyn JobScopes>,
        DataPlaneMetrics::default(),
    )
    .unwrap();
    let signed = "AWS4-HMAC-SHA256 Credential=x";
    for (uri, authorization) in [
        ("/acct.box/instances/one/a", ""),
        ("/acct.box/instances/one/a", "AWS key:signature"),
        ("/acct.box/instances/one/a?X-Amz-Signature=1", signed),
        (
            "/acct.box/instances/one/a?Signature=1&Expires=9999999999&AWSAccessKeyId=x",
            signed,
        ),
        ("/acct.box/instances/one/a?%53ignature=1", signed),
        (
            "/",
            "AWS4-HMAC-SHA256 Credential=SR/20260101/r/sts/aws4_request, SignedHeaders=host",
        ),
    ] {
        let request = Request::get(uri)
            .header(header::AUTHORIZATION, authorization)
            .body(Body::empty())
            .unwrap();
        assert!(!is_served(&request), "{uri} {authorization}");
        assert_eq!(
            plane.handle(request).await.status(),
            StatusCode::BAD_REQUEST,
            "{uri} {authorization}"
        );
    }
}

#[tokio::test]
async fn a_container_that_is_gone_is_said_to_be_gone() {
    let served = served(false).await;
    remove_container(served.dir.path(), &Bucket::new("acct", "box").unwrap()).unwrap();
    let error = served
        .client(BACKUP)
        .put(&at("a"), "x".into())
        .await
        .unwrap_err();
    assert_eq!(code_of(error), "NoSuchBucket");
}

#[test]
fn the_control_planes_bearer_requests_are_not_the_data_planes() {
    let with = |value: &str| {
        Request::get("/")
            .header(header::AUTHORIZATION, value)
            .body(())
            .unwrap()
    };
    assert!(is_data_plane_request(&with(
        "AWS4-HMAC-SHA256 Credential=…"
    )));
    assert!(!is_data_plane_request(&with("Bearer AWS4-HMAC-SHA256")));
    assert!(!is_data_plane_request(&Request::get("/").body(()).unwrap()));
}

/// The client that the extension has, over TLS and without a digest of each body.
async fn as_the_extension_connects(served: &Served) -> Arc<dyn ObjectStore> {
    let credential = served.issuer.credential(BACKUP);
    let config = strongroom_repository::S3Config {
        endpoint: served.endpoint.clone(),
        region: "strongroom".to_owned(),
        bucket: "acct.box".to_owned(),
        access_key_id: credential.access_key_id,
        secret_access_key: credential.secret_access_key.into(),
        session_token: None,
        ca_certificate: served.ca_pem.clone(),
        path_style: true,
        unsigned_payload: true,
    };
    let config = strongroom_repository::StoreConfig {
        backend: strongroom_repository::Backend::S3(config),
        prefix: String::new(),
    };
    config.connect().unwrap()
}

#[tokio::test]
async fn a_repository_lives_behind_it_as_the_extension_reaches_it() {
    use strongroom_repository::{Repository, RepositoryKey, SystemEntropy, WriterOptions};
    let served = served(true).await;
    let store = as_the_extension_connects(&served).await;
    let prefix = object_store::path::Path::from("instances/one");
    let key = RepositoryKey::new([5; 32]);
    let repository = Repository::open_or_create(store, prefix, &key, &SystemEntropy)
        .await
        .unwrap();
    let mut parent = None;
    for point in [Uuid::from_u128(21), Uuid::from_u128(22)] {
        let options = WriterOptions { parent, attempt: 1 };
        let mut writer = repository.begin(point, options).await.unwrap();
        writer.start_run("a", serde_json::json!({})).await.unwrap();
        for number in 0..50_u8 {
            let body = vec![number; 9000];
            let name = format!("{number:03}");
            writer.put(name, vec![], body.into()).await.unwrap();
        }
        writer.finish_run().await.unwrap();
        let created = jiff::Timestamp::UNIX_EPOCH;
        writer.seal(serde_json::json!({}), created).await.unwrap();
        // The same point again, and the same report again: nothing is replaced.
        let mut report = repository.report_writer(point, 1);
        report.append(b"{}").await.unwrap();
        report.finish().await.unwrap();
        let again = repository.report_writer(point, 1);
        let again = again.finish().await.unwrap_err();
        assert!(matches!(again, strongroom_repository::Error::Exists { .. }));
        parent = Some(point);
    }
    assert_eq!(repository.points().await.unwrap().len(), 2);
    let point = repository.point(Uuid::from_u128(22)).await.unwrap();
    let entries: Vec<_> = point.entries("a").try_collect().await.unwrap();
    assert_eq!(entries.len(), 50);
    assert_eq!(point.read(&entries[7]).await.unwrap(), vec![7_u8; 9000]);
    let verified = repository.verify(Uuid::from_u128(22)).await.unwrap();
    assert!(verified.is_whole(), "{verified:?}");
    // Deleting is the server's, past the data plane.
    assert!(repository.delete_point(Uuid::from_u128(22)).await.is_err());
}
