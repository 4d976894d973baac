//! Orders to a running node: one line each on its control socket, one line as the answer.
//!
//! `status` answers the current [`Phase`]; `expose PORT` makes that port of the machine's 127.0.0.1
//! reachable for pods; `stop` ends the node.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::place::Place;
use crate::failure::{Doing, Failure, Result};

/// How long a node may take to answer. It answers from a thread that does nothing else.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How far a node's start has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for what the text says.
    Starting(String),
    /// All of its tier works.
    Ready,
}

impl Phase {
    /// The phase as an answer's text.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Starting(what) => format!("starting {what}"),
            Self::Ready => "ready".to_owned(),
        }
    }

    fn from_line(line: &str) -> Self {
        match line.strip_prefix("starting ") {
            Some(what) => Self::Starting(what.to_owned()),
            None => Self::Ready,
        }
    }
}

/// The phase of a node; an error when it takes no orders (yet).
pub(crate) fn phase(place: &Place) -> Result<Phase> {
    ask(place, "status").map(|line| Phase::from_line(&line))
}

/// Asks a node one thing. The answer `error …` is a failure with that cause.
pub(crate) fn ask(place: &Place, order: &str) -> Result<String> {
    let doing = || format!("ask the node of cluster {} to {order}", place.name);
    let mut connection = UnixStream::connect(place.control_socket()).doing(doing)?;
    connection
        .set_read_timeout(Some(ANSWER_TIMEOUT))
        .doing(doing)?;
    writeln!(connection, "{order}").doing(doing)?;
    let mut answer = String::new();
    BufReader::new(connection)
        .read_line(&mut answer)
        .doing(doing)?;
    match answer.trim_end().split_once(' ') {
        Some(("ok", said)) => Ok(said.to_owned()),
        Some(("error", cause)) => Err(Failure::new(doing(), cause)),
        _ => Err(Failure::new(doing(), format!("it answered {answer:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_passes_the_socket_unchanged() {
        for phase in [Phase::Starting("the API server".to_owned()), Phase::Ready] {
            assert_eq!(Phase::from_line(&phase.to_line()), phase);
        }
    }
}
