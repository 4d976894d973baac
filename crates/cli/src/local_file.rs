//! Reading the small files that a user names, `-` being standard input.

use std::io::Read;
use std::path::Path;

use strongroom_api::secret::Secret;

use crate::error::CliError;

/// The longest file that is read: kubeconfigs and policies are a few kilobytes, and the server takes
/// a body of 1 MiB at most.
const MAX_BYTES: u64 = 1024 * 1024;

/// The file's text.
pub(crate) fn read(path: &Path) -> Result<String, CliError> {
    let shown = path.display();
    let mut text = String::new();
    let outcome = if path == Path::new("-") {
        std::io::stdin()
            .take(MAX_BYTES + 1)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
    };
    outcome.map_err(|error| CliError::file(format!("'{shown}' cannot be read: {error}")))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(CliError::file(format!(
            "'{shown}' is longer than {MAX_BYTES} bytes"
        )));
    }
    Ok(text)
}

/// The secret in a file, without the line end that editors add.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, CliError> {
    let text = read(path)?;
    let secret = text.trim();
    if secret.is_empty() {
        return Err(CliError::file(format!("'{}' is empty", path.display())));
    }
    Ok(Secret::new(secret))
}
