//! Progress: a moving line on a terminal, plain lines anywhere else, nothing with `--quiet`.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::terminal::Terminal;

/// How often the moving line is drawn anew; fast enough to look alive.
const TICK: Duration = Duration::from_millis(120);

/// Something that takes time. Dropping it clears the moving line.
pub(crate) struct Progress<'t> {
    terminal: &'t Terminal,
    title: String,
    bar: Option<ProgressBar>,
    last: String,
    quiet: bool,
}

impl<'t> Progress<'t> {
    pub(crate) fn start(terminal: &'t Terminal, quiet: bool, title: &str) -> Self {
        let bar = (terminal.is_interactive() && !quiet).then(|| {
            let bar = ProgressBar::new_spinner()
                .with_style(spinner())
                .with_prefix(title.to_owned());
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            terminal,
            title: title.to_owned(),
            bar,
            last: String::new(),
            quiet,
        }
    }

    /// Says where it stands; the same thing twice is said once.
    pub(crate) fn tell(&mut self, state: &str, percent: Option<u64>) {
        if let Some(bar) = &self.bar {
            if let Some(percent) = percent.filter(|percent| *percent <= 100) {
                bar.set_style(gauge());
                bar.set_length(100);
                bar.set_position(percent);
            }
            bar.set_message(state.to_owned());
        } else if state != self.last && !self.quiet {
            self.terminal.say(&format!("{}: {state}", self.title));
        }
        state.clone_into(&mut self.last);
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressStyle {
    styled("{spinner} {prefix}: {msg} ({elapsed})")
}

fn gauge() -> ProgressStyle {
    styled("{spinner} {prefix} [{bar:30}] {pos:>3} % {msg} ({elapsed})")
}

/// A template that does not parse (a test would show it) is no reason not to work.
fn styled(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_parse() {
        for template in [
            "{spinner} {prefix}: {msg} ({elapsed})",
            "{spinner} {prefix} [{bar:30}] {pos:>3} % {msg} ({elapsed})",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
