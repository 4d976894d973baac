//! How the developer commands speak: data on stdout, talk on stderr, times from one clock.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

/// One line of talk on stderr. A closed stderr is nobody listening, which is no reason to stop.
pub(crate) fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// One line of data on stdout; a reader that went away (`… | head`) is no reason to stop.
pub(crate) fn data(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Time since a moment: the only clock of the developer commands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts counting.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the developer commands read a clock"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// The time since the start as people read it: `4.2 s`, `3 min 05 s`.
    pub(crate) fn words(self) -> String {
        words(self.elapsed())
    }
}

/// Asks again, with a pause between, until there is an answer (`Some`) or the limit has passed
/// (`None`). An error of the question ends the asking.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the developer commands wait: for processes, which have no event to wait for"
)]
pub(crate) fn poll<T, E>(
    limit: Duration,
    pause: Duration,
    mut question: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    let watch = Stopwatch::start();
    loop {
        if let Some(answer) = question()? {
            return Ok(Some(answer));
        }
        if watch.elapsed() >= limit {
            return Ok(None);
        }
        std::thread::sleep(pause);
    }
}

fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        return format!("{:.1} s", time.as_secs_f64());
    }
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        assert_eq!(words(Duration::from_millis(4_240)), "4.2 s");
        assert_eq!(words(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn polling_ends_with_the_answer_or_with_the_limit() {
        let mut left = 3;
        let answer: Result<Option<&str>, ()> = poll(Duration::MAX, Duration::ZERO, || {
            left -= 1;
            Ok((left == 0).then_some("done"))
        });
        assert_eq!(answer, Ok(Some("done")));
        let never: Result<Option<()>, ()> = poll(Duration::ZERO, Duration::ZERO, || Ok(None));
        assert_eq!(never, Ok(None));
    }
}
