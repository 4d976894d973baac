//! Reading a body: one function with one kind of error, for servers and clients alike.

use serde::de::{Deserialize, DeserializeOwned, Deserializer};

/// A body that is not what the contract says. The server answers it as 400 `InvalidRequestContent`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", if target.is_empty() { String::new() } else { format!(" (at {target})") })]
pub struct InvalidContent {
    /// What is wrong, for people; names the accepted values where there is a choice.
    pub message: String,
    /// The path to the wrong part, for example `properties.policyRules[1]`; empty for the whole.
    pub target: String,
}

/// Reads `bytes` as JSON of type `T`.
///
/// # Errors
/// [`InvalidContent`] with the path to the first part that does not fit.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InvalidContent> {
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut input).map_err(|error| {
        let path = error.path().to_string();
        InvalidContent {
            message: error.inner().to_string(),
            target: if path == "." { String::new() } else { path },
        }
    })?;
    input.end().map_err(|error| InvalidContent {
        message: error.to_string(),
        target: String::new(),
    })?;
    Ok(value)
}

/// Reads an already parsed value as type `T`.
///
/// # Errors
/// [`InvalidContent`] with the path to the first part that does not fit.
pub fn decode_value<T: DeserializeOwned>(value: serde_json::Value) -> Result<T, InvalidContent> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        InvalidContent {
            message: error.inner().to_string(),
            target: if path == "." { String::new() } else { path },
        }
    })
}

/// For fields where `null` means the default, as published clients send it.
pub(crate) fn null_as_default<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(input)?.unwrap_or_default())
}
