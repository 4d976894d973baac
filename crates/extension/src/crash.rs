//! Crash points: a test hook that kills the process at a chosen place of a job.
//!
//! `STRONGROOM_CRASH_AT=<step>[:before|during|after]` (default `before`) makes the process exit with
//! status 137, as SIGKILL would, the first time a job reaches that place. It happens only in a job's
//! first attempt, so the next process gets past it and the test can look at how the job ends. The
//! steps are those that a job's status names: `open`, `discover`, `plan`, `collect`, `report`,
//! `snapshot`, `seal` of a backup, its groups of snapshots (`group`, `before`: named in the ledger and not asked
//! for, `during`: asked for, `after`: cut), its hooks' `freeze` (`before`: journalled and nothing begun, `during`: a
//! command has run) and `thaw`, and `open`, `plan`, `apply`, `relink`, `hooks` (`during`: a command has run
//! and its end is not written down), `report` of a restore. The hook has no effect unless the variable is
//! set, and it can do nothing that a kill could not.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tokio::sync::Notify;

/// The environment variable.
pub const VARIABLE: &str = "STRONGROOM_CRASH_AT";

/// The exit status: 128 + SIGKILL, as a shell reports a killed process.
const EXIT_STATUS: i32 = 137;

/// Where within a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After the step was entered, before it did anything.
    Before,
    /// After a first part of its work: a type collected, a batch applied but not yet recorded.
    During,
    /// After all of its work, before the next step is entered.
    After,
}

/// A place of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The step's name.
    pub step: String,
    /// Where within it.
    pub moment: Moment,
}

/// A value of [`VARIABLE`] that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}={0}: expected <step>[:before|during|after]")]
pub struct UnknownPlace(String);

impl FromStr for Place {
    type Err = UnknownPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (step, moment) = text.split_once(':').unwrap_or((text, "before"));
        let moment = match moment {
            "before" => Moment::Before,
            "during" => Moment::During,
            "after" => Moment::After,
            _ => return Err(UnknownPlace(text.to_owned())),
        };
        if step.is_empty() {
            return Err(UnknownPlace(text.to_owned()));
        }
        Ok(Self {
            step: step.to_owned(),
            moment,
        })
    }
}

/// What happens at the place.
#[derive(Clone)]
enum Effect {
    Exit,
    /// Tells the test and never goes on; the test then drops the future.
    Hang(Arc<Notify>),
}

/// Where this process is to crash, if anywhere.
#[derive(Clone, Default)]
pub struct CrashPoints {
    at: Option<(Place, Effect)>,
}

impl fmt::Debug for CrashPoints {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.at.as_ref().map(|(place, _)| place);
        formatter.debug_tuple("CrashPoints").field(&place).finish()
    }
}

impl CrashPoints {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// As the environment says.
    ///
    /// # Errors
    /// When the variable is set to something that names no place: a test that means to crash and
    /// does not would prove nothing.
    pub fn from_env() -> Result<Self, UnknownPlace> {
        match std::env::var(VARIABLE) {
            Ok(text) if !text.is_empty() => Ok(Self {
                at: Some((text.parse()?, Effect::Exit)),
            }),
            _ => Ok(Self::none()),
        }
    }

    /// At the place, notify and hang instead of exiting.
    #[must_use]
    pub fn hang_at(place: Place, reached: Arc<Notify>) -> Self {
        Self {
            at: Some((place, Effect::Hang(reached))),
        }
    }

    /// What is told when the place is reached; none when there is no place, or the process exits there.
    #[must_use]
    pub fn reached(&self) -> Option<Arc<Notify>> {
        match &self.at {
            Some((_, Effect::Hang(reached))) => Some(Arc::clone(reached)),
            _ => None,
        }
    }

    /// Called by a job wherever it may be killed.
    pub async fn reach(&self, step: &str, moment: Moment, attempt: u32) {
        let Some((place, effect)) = &self.at else {
            return;
        };
        if attempt != 1 || place.moment != moment || !place.step.eq_ignore_ascii_case(step) {
            return;
        }
        match effect {
            Effect::Exit => {
                tracing::warn!(
                    job.step = step,
                    ?moment,
                    "crashing here because {VARIABLE} says so"
                );
                std::process::exit(EXIT_STATUS);
            }
            Effect::Hang(reached) => {
                reached.notify_one();
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_step_and_a_moment_and_before_is_the_default() {
        let place = |text: &str| text.parse::<Place>();
        assert_eq!(
            place("seal"),
            Ok(Place {
                step: "seal".into(),
                moment: Moment::Before
            })
        );
        assert_eq!(
            place("apply:during"),
            Ok(Place {
                step: "apply".into(),
                moment: Moment::During
            })
        );
        assert!(place("seal:sometimes").is_err());
        assert!(place(":after").is_err());
    }

    #[tokio::test]
    async fn only_the_first_attempt_crashes() {
        let reached = Arc::new(Notify::new());
        let points = CrashPoints::hang_at("seal".parse().unwrap(), Arc::clone(&reached));
        points.reach("seal", Moment::Before, 2).await;
        points.reach("seal", Moment::After, 1).await;
        points.reach("open", Moment::Before, 1).await;
        let crashed = tokio::spawn(async move { points.reach("Seal", Moment::Before, 1).await });
        reached.notified().await;
        assert!(!crashed.is_finished());
        crashed.abort();
    }
}
