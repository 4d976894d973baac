//! Tokens that are ours, and those that only look like it.

use super::*;

fn key() -> (TokenKey, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let key = TokenKey::open(&folder.path().join("token.key")).unwrap();
    (key, folder)
}

fn server() -> Url {
    "https://vault.example.org:8443".parse().unwrap()
}

fn terms(server: &Url) -> Terms<'_> {
    Terms {
        server,
        tenant: Uuid::from_u128(7),
        now: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

const APP: Uuid = Uuid::from_u128(1);
const OBJECT: Uuid = Uuid::from_u128(2);

fn parts(token: &str) -> Vec<String> {
    token.split('.').map(str::to_owned).collect()
}

#[test]
fn a_token_of_ours_says_who_it_is() {
    let (key, folder) = key();
    let server = server();
    let token = key.issue(terms(&server), APP, OBJECT).unwrap();
    assert!(has_the_form_of_one(&token));
    let claims = key.accept(terms(&server), &token).unwrap();
    assert_eq!((claims.appid, claims.oid), (APP, OBJECT));
    assert_eq!(claims.exp - claims.iat, 3600);
    assert_eq!(
        claims.iss,
        format!("https://vault.example.org:8443/{}/v2.0", claims.tid)
    );
    // The same key is read again, and another one is not the same.
    let again = TokenKey::open(&folder.path().join("token.key")).unwrap();
    assert_eq!(again.published(), key.published());
    assert!(again.accept(terms(&server), &token).is_ok());
    let (other, _folder) = self::key();
    let refused = other.accept(terms(&server), &token).unwrap_err();
    assert_eq!(refused.code, Code::InvalidAuthenticationToken);
}

#[test]
fn a_forged_token_is_worth_nothing() {
    let (key, _folder) = key();
    let (other, _other) = self::key();
    let server = server();
    let real = parts(&key.issue(terms(&server), APP, OBJECT).unwrap());
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let head =
        |alg: &str, kid: &str| encoded(&format!(r#"{{"typ":"JWT","alg":"{alg}","kid":"{kid}"}}"#));
    let stolen_name = TokenKey {
        id: key.id.clone(),
        ..other
    };
    let theirs = stolen_name.issue(terms(&server), APP, OBJECT).unwrap();
    // HMAC with the public key as its secret: what a verifier falls for that lets the header choose.
    let public = key.pair.public_key().as_ref().to_vec();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &public);
    let signed = format!("{}.{}", head("HS256", &key.id), real[1]);
    let tag = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
    let with_hmac = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    let escalated = encoded(r#"{"oid":"00000000-0000-0000-0000-000000000001"}"#);
    for token in [
        format!("{}.{}.", head("none", &key.id), real[1]),
        format!("{}.{}.{}", head("none", &key.id), real[1], real[2]),
        format!("{}.{}.{}", head("ES256", "other"), real[1], real[2]),
        format!("{}.{}.{}", real[0], escalated, real[2]),
        format!("{}.{}.", real[0], real[1]),
        format!("{}.{}.{}x", real[0], real[1], real[2]),
        with_hmac,
        theirs,
        "..".to_owned(),
        "a.b.c".to_owned(),
    ] {
        let refused = key.accept(terms(&server), &token).unwrap_err();
        assert_eq!(refused.code, Code::InvalidAuthenticationToken, "{token}");
    }
}

#[test]
fn a_token_is_for_this_server_this_tenant_and_its_hour() {
    let (key, _folder) = key();
    let server = server();
    let ours = terms(&server);
    let token = key.issue(ours, APP, OBJECT).unwrap();
    let elsewhere: Url = "https://other.example.org".parse().unwrap();
    let other_tenant = Terms {
        tenant: Uuid::from_u128(8),
        ..ours
    };
    let code = |terms: Terms<'_>, token: &str| key.accept(terms, token).err().map(|told| told.code);
    let invalid = Some(Code::InvalidAuthenticationToken);
    assert_eq!(code(other_tenant, &token), invalid);
    assert_eq!(
        code(
            Terms {
                server: &elsewhere,
                ..ours
            },
            &token
        ),
        invalid
    );
    let claims = key.accept(ours, &token).unwrap();
    let audience = Claims {
        aud: "https://other".to_owned(),
        ..claims.clone()
    };
    assert_eq!(code(ours, &key.sign(&audience).unwrap()), invalid);
    let issuer = Claims {
        iss: "https://other".to_owned(),
        ..claims
    };
    assert_eq!(code(ours, &key.sign(&issuer).unwrap()), invalid);
    let at = |seconds: i64| Terms {
        now: ours.now + jiff::SignedDuration::from_secs(seconds),
        ..ours
    };
    let skew = i64::try_from(CLOCK_SKEW.as_secs()).unwrap();
    assert_eq!(code(at(-skew), &token), None);
    assert_eq!(code(at(-skew - 1), &token), invalid);
    assert_eq!(code(at(3600 + skew - 1), &token), None);
    assert_eq!(
        code(at(3600 + skew), &token),
        Some(Code::ExpiredAuthenticationToken)
    );
}

#[test]
fn the_published_keys_hold_no_secret() {
    let (key, folder) = key();
    let published = key.published();
    let names: Vec<&String> = published["keys"][0].as_object().unwrap().keys().collect();
    assert_eq!(names, ["kty", "crv", "use", "alg", "kid", "x", "y"]);
    std::fs::write(folder.path().join("bad"), "no key").unwrap();
    let bad = folder.path().join("bad");
    std::fs::set_permissions(&bad, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(matches!(
        TokenKey::open(&bad),
        Err(SigningKeyError::NotAKey)
    ));
}
