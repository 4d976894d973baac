//! JSON in the letters that Kubernetes' own controllers use.
//!
//! The data of a ControllerRevision are kept and compared as bytes: a StatefulSet or DaemonSet whose revision
//! says the same in other letters cannot adopt it ("data: field is immutable"), and makes no pods. Go writes
//! five characters of a text as escapes, which others write as they are.
//! Source: `Marshal` in <https://pkg.go.dev/encoding/json>; `ValidateControllerRevisionUpdate` in
//! `k8s.io/kubernetes/pkg/apis/apps/validation/validation.go`; seen on 1.36.

use serde_json::Value;

/// The bytes of an object as they are to be sent.
pub(super) fn bytes(object: &Value) -> serde_json::Result<Vec<u8>> {
    let plain = serde_json::to_vec(object)?;
    if object["kind"] == "ControllerRevision" {
        return Ok(escaped(&plain));
    }
    Ok(plain)
}

/// Outside of texts JSON has none of these characters.
fn escaped(json: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((first, others)) = rest.split_first() {
        rest = others;
        match (first, others) {
            (b'<', _) => bytes.extend_from_slice(b"\\u003c"),
            (b'>', _) => bytes.extend_from_slice(b"\\u003e"),
            (b'&', _) => bytes.extend_from_slice(b"\\u0026"),
            // U+2028 and U+2029 in UTF-8.
            (0xe2, [0x80, last @ (0xa8 | 0xa9), behind @ ..]) => {
                let text: &[u8] = if *last == 0xa8 {
                    b"\\u2028"
                } else {
                    b"\\u2029"
                };
                bytes.extend_from_slice(text);
                rest = behind;
            }
            _ => bytes.push(*first),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_revision_is_written_in_the_letters_of_its_controller() {
        let data = json!({"command": "a < b && c > d", "note": "\u{2028}\u{2029}\u{2026}é"});
        let revision = json!({"kind": "ControllerRevision", "data": data});
        let text = String::from_utf8(bytes(&revision).unwrap()).unwrap();
        let expected = "{\"kind\":\"ControllerRevision\",\"data\":{\"command\":\
            \"a \\u003c b \\u0026\\u0026 c \\u003e d\",\"note\":\"\\u2028\\u2029\u{2026}é\"}}";
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), revision);
    }

    #[test]
    fn other_objects_are_as_long_as_they_are() {
        let map = json!({"kind": "ConfigMap", "data": {"page": "<html>"}});
        assert_eq!(bytes(&map).unwrap(), serde_json::to_vec(&map).unwrap());
    }
}
