//! The exit codes: part of the contract with scripts, never renumbered.

use strongroom_api::client::ClientError;
use strongroom_core::error::{Class, Code};

/// It was done.
pub const SUCCESS: u8 = 0;
/// A defect, ours or the server's.
pub const INTERNAL: u8 = 1;
/// The arguments make no sense (chosen by the argument parser).
pub const USAGE: u8 = 2;
/// What was named does not exist.
pub const NOT_FOUND: u8 = 3;
/// Not logged in, or not allowed to.
pub const DENIED: u8 = 4;
/// It collides with what exists or runs.
pub const CONFLICT: u8 = 5;
/// The server refused the request as it is; sending it again is no use.
pub const INVALID: u8 = 6;
/// The server cannot be reached, or is not the one that is trusted.
pub const UNREACHABLE: u8 = 7;
/// Not now: something is missing or busy; trying again later may help.
pub const NOT_READY: u8 = 8;
/// The job ran and failed.
pub const JOB_FAILED: u8 = 9;
/// The job was cancelled.
pub const JOB_CANCELLED: u8 = 10;
/// Stored data is damaged.
pub const CORRUPT: u8 = 11;
/// `doctor` found something to mend.
pub const UNHEALTHY: u8 = 12;

/// The list for `--help`.
pub const HELP: &str = "\
Exit codes:
   0  it was done (for a job: completed, with or without warnings)
   1  a defect, ours or the server's
   2  the arguments make no sense
   3  what was named does not exist
   4  not logged in, or not allowed to
   5  it collides with what exists or runs
   6  the request is refused as it is
   7  the server cannot be reached or is not trusted
   8  not now: something is missing or busy; try again later
   9  the job failed
  10  the job was cancelled
  11  stored data is damaged
  12  doctor found something to mend";

/// The exit code for what a call to the server ended in.
#[must_use]
pub fn of_client_error(error: &ClientError) -> u8 {
    match error {
        ClientError::Settings { .. } => USAGE,
        ClientError::Unreachable { .. } | ClientError::CertificateNotTrusted { .. } => UNREACHABLE,
        ClientError::Timeout { .. } => NOT_READY,
        ClientError::Protocol { .. } => INTERNAL,
        ClientError::Api(api) => of_code(&api.code, api.status),
    }
}

/// The exit code for an error code; one that this version does not know goes by the HTTP status.
#[must_use]
pub fn of_code(code: &str, status: u16) -> u8 {
    match code.parse::<Code>().map(Code::class) {
        Ok(Class::Invalid) => INVALID,
        Ok(Class::Denied) => DENIED,
        Ok(Class::NotFound) => NOT_FOUND,
        Ok(Class::Conflict) => CONFLICT,
        Ok(Class::NotReady | Class::Busy) => NOT_READY,
        Ok(Class::Corrupt) => CORRUPT,
        Ok(Class::Internal) => INTERNAL,
        Err(_) => match status {
            401 | 403 => DENIED,
            404 => NOT_FOUND,
            408 | 429 | 502..=504 => NOT_READY,
            409 | 412 => CONFLICT,
            500.. => INTERNAL,
            _ => INVALID,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_catalogue_has_an_exit_code_by_what_to_do() {
        for (code, expected) in [
            ("InvalidRequestContent", INVALID),
            ("AuthenticationFailed", DENIED),
            ("ResourceNotFound", NOT_FOUND),
            ("ResourceInUse", CONFLICT),
            ("ServiceUnavailable", NOT_READY),
            ("RecoveryPointCorrupt", CORRUPT),
            ("InternalServerError", INTERNAL),
        ] {
            assert_eq!(of_code(code, 418), expected, "{code}");
        }
    }

    #[test]
    fn what_this_machine_was_told_wrong_is_a_usage_error_as_the_help_says() {
        let message = "'ftp://x' is not a server URL".to_owned();
        assert_eq!(of_client_error(&ClientError::Settings { message }), USAGE);
    }

    #[test]
    fn a_code_that_is_not_ours_goes_by_the_status() {
        for (status, expected) in [
            (400, INVALID),
            (401, DENIED),
            (403, DENIED),
            (404, NOT_FOUND),
            (409, CONFLICT),
            (412, CONFLICT),
            (429, NOT_READY),
            (500, INTERNAL),
            (503, NOT_READY),
        ] {
            assert_eq!(of_code("SomethingNew", status), expected, "{status}");
        }
    }

    #[test]
    fn the_help_lists_every_code_once() {
        let listed: Vec<u8> = HELP
            .lines()
            .skip(1)
            .map(|line| line[..4].trim().parse().unwrap())
            .collect();
        let all = [
            SUCCESS,
            INTERNAL,
            USAGE,
            NOT_FOUND,
            DENIED,
            CONFLICT,
            INVALID,
            UNREACHABLE,
            NOT_READY,
            JOB_FAILED,
            JOB_CANCELLED,
            CORRUPT,
            UNHEALTHY,
        ];
        assert_eq!(listed, all);
    }
}
