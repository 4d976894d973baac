//! Polymorphism by `objectType`, as the published models do it.
//!
//! [`by_object_type`] declares an enum whose variants carry the type that the variant's name
//! stands for on the wire. It writes the tag first, reads it wherever it stands, and refuses an
//! unknown one with a message that names all that are accepted, so that the caller of the REST API
//! learns what to send instead.

/// Declares an enum selected by the JSON member `objectType`; the variant's name is the tag.
macro_rules! by_object_type {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident($inner:ty) ),+ $(,)?
        }
    ) => {
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::schemars::JsonSchema)]
        #[serde(tag = "objectType")]
        $(#[$meta])*
        $vis enum $name {
            $( $(#[$variant_meta])* $variant($inner) ),+
        }

        impl $name {
            /// The accepted values of `objectType`.
            pub const OBJECT_TYPES: &'static [&'static str] = &[$(stringify!($variant)),+];

            /// The `objectType` of this value.
            #[must_use]
            pub fn object_type(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => stringify!($variant) ),+
                }
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $name {
            fn deserialize<D: ::serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let (tag, body) = $crate::object_type::tagged(input, Self::OBJECT_TYPES)?;
                match tag.as_str() {
                    $( stringify!($variant) => <$inner as ::serde::Deserialize>::deserialize(body)
                        .map(Self::$variant)
                        .map_err(|error| $crate::object_type::within(&tag, &error)), )+
                    _ => Err($crate::object_type::unknown(&tag, Self::OBJECT_TYPES)),
                }
            }
        }
    };
}
pub(crate) use by_object_type;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::{Map, Value};

/// Reads an object and takes its `objectType` out of it.
pub(crate) fn tagged<'de, D: Deserializer<'de>>(
    input: D,
    accepted: &[&str],
) -> Result<(String, Value), D::Error> {
    let mut body = Map::<String, Value>::deserialize(input)?;
    match body.remove("objectType") {
        Some(Value::String(tag)) => Ok((tag, Value::Object(body))),
        Some(_) => Err(D::Error::custom(format!(
            "objectType must be a string, one of {}",
            list(accepted)
        ))),
        None => Err(D::Error::custom(format!(
            "objectType is missing; accepted here: {}",
            list(accepted)
        ))),
    }
}

/// The error for a tag that this place does not accept.
pub(crate) fn unknown<E: Error>(tag: &str, accepted: &[&str]) -> E {
    E::custom(format!(
        "objectType '{tag}' is not accepted here; accepted: {}",
        list(accepted)
    ))
}

/// Puts the type's name before an error that happened inside of it.
pub(crate) fn within<E: Error>(tag: &str, error: &serde_json::Error) -> E {
    E::custom(format!("{tag}: {error}"))
}

fn list(accepted: &[&str]) -> String {
    accepted
        .iter()
        .map(|name| format!("'{name}'"))
        .collect::<Vec<_>>()
        .join(", ")
}
