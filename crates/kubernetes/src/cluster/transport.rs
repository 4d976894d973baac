//! What it means when no answer came: the server cannot be reached, or its certificate is not
//! trusted. The layers below (kube, tower, hyper, rustls, the operating system) each wrap the error
//! of the next; the first one in the chain that says something is what the user hears.

use std::error::Error;
use std::io;

use super::error::{Failure, chain};

/// The meaning of an error that came instead of an answer.
pub(super) fn classify(error: &(dyn Error + 'static), server: &str) -> Failure {
    let server = server.to_owned();
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(kube::Error::Auth(auth)) = current.downcast_ref::<kube::Error>() {
            return Failure::Unauthorized {
                message: chain(auth),
            };
        }
        if let Some(tls) = current.downcast_ref::<rustls::Error>() {
            return of_tls(tls, server);
        }
        if let Some(io) = current.downcast_ref::<io::Error>() {
            // An io::Error hides what it carries from `source()`; it must be opened by hand.
            if let Some(inner) = io.get_ref() {
                next = Some(inner);
                continue;
            }
            return Failure::Unreachable {
                server,
                cause: of_io(io),
            };
        }
        next = current.source();
    }
    Failure::Unreachable {
        server,
        cause: chain(error),
    }
}

fn of_tls(tls: &rustls::Error, server: String) -> Failure {
    use rustls::{AlertDescription, CertificateError, Error as Tls};
    let cause = match tls {
        Tls::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => {
                "it was not issued by the CA in the kubeconfig".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "it has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "it is not valid yet; do the clocks agree?".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("it is for another name or address ({reason})")
            }
            CertificateError::BadSignature => {
                "its signature does not match the CA in the kubeconfig".to_owned()
            }
            other => other.to_string(),
        },
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => {
            let message = format!("the server refuses our client certificate: {tls}");
            return Failure::Unauthorized { message };
        }
        other => {
            return Failure::Unreachable {
                server,
                cause: format!("no TLS: {other}"),
            };
        }
    };
    Failure::CertificateNotTrusted { server, cause }
}

fn of_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection is refused".to_owned(),
        io::ErrorKind::TimedOut => "no connection within the time limit".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            "the connection was cut".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "the connection ended in mid-answer".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "there is no route to it".to_owned()
        }
        _ => error.to_string(),
    }
}
