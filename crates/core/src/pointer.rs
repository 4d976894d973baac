//! JSON pointers (RFC 6901) with which decisions name the fields that they change.
//!
//! Contract: a pointer that leads nowhere is not an error; removing or reading it gives `None`. In a
//! *pattern* the token `*` stands for every element of an array or every member of an object; patterns
//! appear in tables only, results always carry expanded pointers.

use serde_json::Value;

/// Escapes one token: `~` becomes `~0` and `/` becomes `~1`.
#[must_use]
pub fn escape(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

/// Removes the field at `pointer` and returns it.
pub fn remove(root: &mut Value, pointer: &str) -> Option<Value> {
    let (parent, last) = pointer.rsplit_once('/')?;
    match root.pointer_mut(parent)? {
        Value::Object(map) => map.shift_remove(&unescape(last)),
        Value::Array(items) => {
            let index: usize = last.parse().ok()?;
            (index < items.len()).then(|| items.remove(index))
        }
        _ => None,
    }
}

/// Writes `value` at `pointer`, making the objects on the way; `false` when something on the way is
/// neither an object nor an existing array element.
pub fn set(root: &mut Value, pointer: &str, value: Value) -> bool {
    let Some((parent, last)) = pointer.rsplit_once('/') else {
        return false;
    };
    let mut at = root;
    for token in parent.split('/').skip(1) {
        at = match at {
            Value::Object(map) => map
                .entry(unescape(token))
                .or_insert_with(|| Value::Object(serde_json::Map::new())),
            Value::Array(items) => {
                match token
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get_mut(index))
                {
                    Some(item) => item,
                    None => return false,
                }
            }
            _ => return false,
        };
    }
    match at {
        Value::Object(map) => {
            map.insert(unescape(last), value);
            true
        }
        Value::Array(items) => {
            match last
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index))
            {
                Some(item) => {
                    *item = value;
                    true
                }
                None => false,
            }
        }
        _ => false,
    }
}

/// Applies a JSON merge patch (RFC 7386): null removes a member, objects merge, all else replaces.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(map) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            map.shift_remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Every pointer in `root` that `pattern` stands for, in document order; only existing fields.
#[must_use]
pub fn expand(root: &Value, pattern: &str) -> Vec<String> {
    let mut found = vec![(String::new(), root)];
    for token in pattern.split('/').skip(1) {
        found = found
            .into_iter()
            .flat_map(|(path, value)| step(path, value, token))
            .collect();
    }
    found.into_iter().map(|(path, _)| path).collect()
}

fn step<'a>(path: String, value: &'a Value, token: &str) -> Vec<(String, &'a Value)> {
    match (value, token) {
        (Value::Array(items), "*") => items
            .iter()
            .enumerate()
            .map(|(i, item)| (format!("{path}/{i}"), item))
            .collect(),
        (Value::Object(map), "*") => map
            .iter()
            .map(|(key, item)| (format!("{path}/{}", escape(key)), item))
            .collect(),
        (Value::Object(map), _) => map
            .get(&unescape(token))
            .map(|item| (format!("{path}/{token}"), item))
            .into_iter()
            .collect(),
        (Value::Array(items), _) => token
            .parse::<usize>()
            .ok()
            .and_then(|index| items.get(index))
            .map(|item| (format!("{path}/{token}"), item))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_expands_to_existing_fields_only() {
        let value = json!({"spec": {"ports": [{"nodePort": 1}, {"port": 2}, {"nodePort": 3}]}});
        assert_eq!(
            expand(&value, "/spec/ports/*/nodePort"),
            ["/spec/ports/0/nodePort", "/spec/ports/2/nodePort"]
        );
        assert!(expand(&value, "/spec/other/*").is_empty());
    }

    #[test]
    fn a_key_with_a_slash_is_reached_by_its_escaped_form() {
        let mut value = json!({"annotations": {"a/b~c": 1}});
        let pointer = format!("/annotations/{}", escape("a/b~c"));
        assert_eq!(
            expand(&value, "/annotations/*"),
            std::slice::from_ref(&pointer)
        );
        assert_eq!(remove(&mut value, &pointer), Some(json!(1)));
        assert_eq!(remove(&mut value, &pointer), None);
        assert_eq!(remove(&mut value, "/nowhere/at/all"), None);
    }

    #[test]
    fn a_merge_patch_removes_with_null_and_merges_objects() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(
            &mut value,
            &json!({"a": {"b": null, "x": {"y": 1}}, "d": [2]}),
        );
        assert_eq!(value, json!({"a": {"c": 2, "x": {"y": 1}}, "d": [2]}));
    }

    #[test]
    fn setting_makes_the_objects_on_the_way() {
        let mut value = json!({});
        assert!(set(&mut value, "/spec/suspend", json!(true)));
        assert_eq!(value, json!({"spec": {"suspend": true}}));
        assert!(!set(&mut value, "/spec/suspend/deeper", json!(1)));
    }
}
