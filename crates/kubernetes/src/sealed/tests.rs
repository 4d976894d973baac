//! What a box promises, and what it refuses.

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::*;

fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

fn secrets() -> JobSecrets {
    JobSecrets {
        store: serde_json::json!({"kind": "S3", "secretAccessKey": "do-not-print"}),
        prefix: "instances/1".into(),
        repository_key: BASE64.encode([7_u8; 32]),
    }
}

#[test]
fn what_was_sealed_opens_with_its_key_and_its_custom_resource() {
    let pair = KeyPair::generate(&mut rng(1));
    let info = info("dataprotection-microsoft", "backup-1");
    let envelope = seal_secrets(&pair.public_key_base64(), &info, &secrets(), &mut rng(2)).unwrap();
    assert_eq!(pair.open_secrets(&info, &envelope).unwrap(), secrets());
}

#[test]
fn a_stored_private_key_opens_what_was_sealed_to_its_public_key() {
    let pair = KeyPair::generate(&mut rng(1));
    let again = KeyPair::from_bytes(&pair.private_key()).unwrap();
    assert_eq!(again.public_key_base64(), pair.public_key_base64());
    let envelope = seal(
        &pair.public_key_base64(),
        "ns/name",
        b"content",
        &mut rng(2),
    )
    .unwrap();
    assert_eq!(
        again.open("ns/name", &envelope).unwrap().as_slice(),
        b"content"
    );
}

#[test]
fn another_key_does_not_open_it() {
    let pair = KeyPair::generate(&mut rng(1));
    let other = KeyPair::generate(&mut rng(3));
    let envelope = seal(
        &pair.public_key_base64(),
        "ns/name",
        b"content",
        &mut rng(2),
    )
    .unwrap();
    assert_eq!(
        other.open("ns/name", &envelope).unwrap_err(),
        SealedError::DoesNotOpen
    );
}

#[test]
fn a_box_copied_into_another_custom_resource_does_not_open() {
    let pair = KeyPair::generate(&mut rng(1));
    let envelope = seal(&pair.public_key_base64(), "ns/backup-1", b"x", &mut rng(2)).unwrap();
    assert_eq!(
        pair.open("ns/backup-2", &envelope).unwrap_err(),
        SealedError::DoesNotOpen
    );
}

#[test]
fn an_unknown_version_is_named_and_not_tried() {
    let pair = KeyPair::generate(&mut rng(1));
    let envelope = seal(&pair.public_key_base64(), "ns/name", b"x", &mut rng(2)).unwrap();
    let mut bytes = BASE64.decode(envelope).unwrap();
    bytes[0] = 2;
    assert_eq!(
        pair.open("ns/name", &BASE64.encode(bytes)).unwrap_err(),
        SealedError::Version { version: 2 }
    );
}

#[test]
fn the_largest_content_passes_and_one_byte_more_does_not() {
    let pair = KeyPair::generate(&mut rng(1));
    let key = pair.public_key_base64();
    let envelope = seal(&key, "a/b", &vec![1; SEALED_PLAINTEXT_BYTES], &mut rng(2)).unwrap();
    assert_eq!(
        pair.open("a/b", &envelope).unwrap().len(),
        SEALED_PLAINTEXT_BYTES
    );
    let bytes = SEALED_PLAINTEXT_BYTES + 1;
    assert_eq!(
        seal(&key, "a/b", &vec![1; bytes], &mut rng(2)).unwrap_err(),
        SealedError::TooLarge { bytes }
    );
    let oversized = "A".repeat(envelope.len() + 4);
    assert!(matches!(
        pair.open("a/b", &oversized).unwrap_err(),
        SealedError::TooLarge { .. }
    ));
}

#[test]
fn rubbish_is_malformed_and_a_bad_key_is_named() {
    let pair = KeyPair::generate(&mut rng(1));
    for rubbish in ["", "AQ==", "not base64!", "AQEB"] {
        assert_eq!(
            pair.open("a/b", rubbish).unwrap_err(),
            SealedError::Malformed,
            "{rubbish}"
        );
    }
    assert_eq!(
        seal("c2hvcnQ=", "a/b", b"x", &mut rng(2)).unwrap_err(),
        SealedError::PublicKey
    );
    assert_eq!(
        KeyPair::from_bytes(&[0; 31]).unwrap_err(),
        SealedError::PrivateKey
    );
}

#[test]
fn nothing_secret_is_printed() {
    let pair = KeyPair::generate(&mut rng(1));
    let printed = format!("{:?} {:?}", secrets(), pair);
    assert!(!printed.contains("do-not-print"));
    assert!(!printed.contains(&secrets().repository_key));
    assert!(!printed.contains(&BASE64.encode(&*pair.private_key())));
    let opened_rubbish = seal(
        &pair.public_key_base64(),
        "a/b",
        b"do-not-print",
        &mut rng(2),
    );
    let error = pair
        .open_secrets("a/b", &opened_rubbish.unwrap())
        .unwrap_err();
    assert!(!error.to_string().contains("do-not-print"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_flipped_bit_is_noticed(at in 0_usize..1 + KEY_BYTES + TAG_BYTES + 7, bit in 0_u8..8) {
        let pair = KeyPair::generate(&mut rng(1));
        let envelope = seal(&pair.public_key_base64(), "ns/name", b"content", &mut rng(2)).unwrap();
        let mut bytes = BASE64.decode(envelope).unwrap();
        bytes[at] ^= 1 << bit;
        let outcome = pair.open("ns/name", &BASE64.encode(bytes));
        // The top bit of an X25519 public key is ignored by the curve (RFC 7748, 5), but HPKE
        // hashes the encapsulated key as it was sent, so even that flip is noticed.
        prop_assert!(outcome.is_err());
    }
}
