//! Hears what becomes of single snapshots, and makes their contents stand by themselves.

use futures::{FutureExt as _, StreamExt as _, stream};
use strongroom_core::Code;
use strongroom_core::volumes::name;
use strongroom_kubernetes::snapshots::{self, ContentState, News};
use tokio::time::Instant;

use super::{Taking, claim_of, refuse};
use crate::job::{JobFailure, is_unreachable};
use crate::limits::SNAPSHOT_CALLS_AT_ONCE;
use crate::volumes::wish::Wish;

impl Taking<'_> {
    /// Begins to listen for news of the recovery point's contents. Without them there are looks.
    pub(super) async fn begin_news(&self) -> Option<News> {
        let (extension, point) = (self.owner.extension.clone(), self.owner.recovery_point);
        let wanted = move |content: &ContentState| {
            name::recovery_point(&extension, &content.made_for.1) == Some(point)
        };
        let begun = News::begin(&self.attempt.environment.cluster, wanted).await;
        begun
            .inspect_err(|error| tracing::debug!(%error, "no news of volume snapshots"))
            .ok()
    }

    /// Waits for news, or for the time of the next look, and takes in what is heard.
    pub(super) async fn wait(&mut self, news: &mut Option<News>, until: Instant) {
        let Some(news) = news else {
            return tokio::time::sleep_until(until).await;
        };
        let mut heard = news
            .within(until.saturating_duration_since(Instant::now()))
            .await;
        // What the cluster said before the application is thawed is of the frozen state.
        self.heed_the_gate();
        while let Some(content) = heard {
            let made_for = |wish: &&mut Wish| {
                wish.group.is_none()
                    && wish.namespace == content.made_for.0
                    && wish.name == content.made_for.1
            };
            // One that is going was made for an earlier attempt.
            let wish = self.wishes.iter_mut().find(made_for);
            if let Some(wish) = wish.filter(|_| !content.terminating) {
                wish.hear(&content);
            }
            heard = news.here();
        }
    }

    /// Makes contents stand by themselves as soon as the driver is at work on them: from then on a snapshot
    /// survives the deletion of its claim's namespace.
    pub(super) async fn keep(&mut self) -> Result<(), JobFailure> {
        let (cluster, owner) = (&self.attempt.environment.cluster, self.owner);
        let now = Instant::now();
        let mut keeping = Vec::new();
        let wishes = self.wishes.iter().enumerate();
        for (at, wish) in wishes.filter(|(_, wish)| wish.is_to_keep(now)) {
            let call = async move {
                let content = wish.content.as_deref().unwrap_or_default();
                (
                    at,
                    snapshots::keep(cluster, owner, &claim_of(wish), content).await,
                )
            };
            keeping.push(call.boxed());
        }
        let keeping = stream::iter(keeping).buffer_unordered(SNAPSHOT_CALLS_AT_ONCE);
        let kept: Vec<_> = keeping.collect().await;
        self.heed_the_gate();
        for (at, outcome) in kept {
            let Some(wish) = self.wishes.get_mut(at) else {
                continue;
            };
            match outcome {
                Ok(content) if content.volume_handle == wish.volume_handle => {
                    wish.kept = true;
                    // Often it is cut by now, and the answer says so before the next look does.
                    wish.learn(&content);
                }
                Ok(_) => {
                    let reason = "the claim was replaced by another one while the backup ran";
                    wish.fail(Code::VolumeSnapshotFailed, reason);
                }
                // It is not there yet, or went with its VolumeSnapshot; the next look says so.
                Err(error) if error.is_not_found() => wish.keep_again(now),
                Err(error) if is_unreachable(&error) => return Err(error.into()),
                Err(error) => refuse(wish, &error),
            }
        }
        Ok(())
    }
}
