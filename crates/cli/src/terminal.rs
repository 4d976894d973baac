//! Where a command writes to: data here, talk there.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};

use crate::error::CliError;

/// Standard output and standard error, or what stands for them in a test.
pub struct Terminal {
    out: RefCell<Box<dyn Write>>,
    err: RefCell<Box<dyn Write>>,
    interactive: bool,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal")
            .field("interactive", &self.interactive)
            .finish_non_exhaustive()
    }
}

impl Terminal {
    /// The process's own.
    #[must_use]
    pub fn process() -> Self {
        Self {
            out: RefCell::new(Box::new(io::BufWriter::new(io::stdout()))),
            err: RefCell::new(Box::new(io::stderr())),
            interactive: io::stderr().is_terminal(),
        }
    }

    /// Two writers; nothing moves on them.
    #[must_use]
    pub fn plain(out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self {
            out: RefCell::new(out),
            err: RefCell::new(err),
            interactive: false,
        }
    }

    /// May progress move on standard error?
    #[must_use]
    pub fn is_interactive(&self) -> bool {
        self.interactive
    }

    /// Writes data, as it is.
    pub(crate) fn data(&self, text: &str) -> Result<(), CliError> {
        self.bytes(text.as_bytes())
    }

    /// Writes a part of data that need not end where a character does.
    pub(crate) fn bytes(&self, part: &[u8]) -> Result<(), CliError> {
        let mut out = self.out.borrow_mut();
        out.write_all(part)
            .and_then(|()| out.flush())
            .map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => CliError::OutputClosed,
                _ => CliError::file(format!("standard output cannot be written: {error}")),
            })
    }

    /// Says a line. That nobody can hear it is no reason to stop working.
    pub(crate) fn say(&self, line: &str) {
        let _ = writeln!(self.err.borrow_mut(), "{line}");
    }

    /// Says an error; the empty one stands for nothing to say.
    pub(crate) fn complain(&self, text: &str) {
        if !text.is_empty() {
            self.say(text);
        }
    }
}
