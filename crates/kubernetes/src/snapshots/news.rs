//! What changes of VolumeSnapshotContents, as soon as it does.
//!
//! Contract: news make lists rarer and never needless. They begin at the state that was the newest when
//! [`News::begin`] returned; when a watch breaks, what happened until the next one has begun is missing.

use std::pin::pin;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{Api, ApiResource, DynamicObject, WatchEvent, WatchParams};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::{ContentState, contents};
use crate::cluster::{Cluster, ClusterError, Failure};
use crate::collect::Collector;
use crate::limits::{NEWS_AGAIN, NEWS_WAITING, NEWS_WATCH};

/// News of contents. Dropping it ends the watch.
#[derive(Debug)]
pub struct News {
    changed: mpsc::Receiver<ContentState>,
    _watching: AbortOnDropHandle<()>,
}

impl News {
    /// Begins to watch those contents that `wanted` accepts.
    ///
    /// # Errors
    /// What keeps the newest state from being read.
    pub async fn begin(
        cluster: &Cluster,
        wanted: impl Fn(&ContentState) -> bool + Send + Sync + 'static,
    ) -> Result<Self, ClusterError> {
        let first = newest(cluster).await?;
        let (sender, changed) = mpsc::channel(NEWS_WAITING);
        let cluster = cluster.clone();
        let watching = tokio::spawn(async move {
            let mut first = Some(first);
            while !sender.is_closed() {
                let since = first.take();
                if let Err(error) = watch_since(&cluster, since, &wanted, &sender).await {
                    tracing::debug!(%error, "the watch of volume snapshots was interrupted");
                    if matches!(error.failure, Failure::Forbidden { .. }) {
                        return;
                    }
                }
                tokio::time::sleep(NEWS_AGAIN).await;
            }
        });
        Ok(Self {
            changed,
            _watching: AbortOnDropHandle::new(watching),
        })
    }

    /// Whether there may be news: the API server lets us watch.
    pub fn come(&self) -> bool {
        !self.changed.is_closed()
    }

    /// Waits for the next; none within that time.
    pub async fn within(&mut self, time: Duration) -> Option<ContentState> {
        let waited = tokio::time::timeout(time, async {
            match self.changed.recv().await {
                Some(changed) => changed,
                None => std::future::pending().await,
            }
        });
        waited.await.ok()
    }

    /// The next, when it is here already.
    pub fn here(&mut self) -> Option<ContentState> {
        self.changed.try_recv().ok()
    }
}

async fn newest(cluster: &Cluster) -> Result<String, ClusterError> {
    let (kind, collector) = (contents(), Collector::new(cluster.clone(), 1));
    let mut pages = pin!(collector.pages(&kind, None, None, None));
    let page = pages.try_next().await?;
    Ok(page.map(|page| page.resource_version).unwrap_or_default())
}

/// One watch, since that state or the newest; returns when the API server ends it or nobody listens any more.
async fn watch_since(
    cluster: &Cluster,
    since: Option<String>,
    wanted: &(impl Fn(&ContentState) -> bool + Send + Sync),
    sender: &mpsc::Sender<ContentState>,
) -> Result<(), ClusterError> {
    let doing = "watch volume snapshots";
    let since = match since {
        Some(since) => since,
        None => newest(cluster).await?,
    };
    let failed = |error: kube::Error| ClusterError::from_kube(&error, doing, cluster.server());
    let kind = contents();
    let resource = ApiResource {
        group: kind.group.clone(),
        version: kind.version.clone(),
        api_version: kind.api_version(),
        kind: kind.kind.clone(),
        plural: kind.plural.clone(),
    };
    let api: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
    let how = WatchParams::default().timeout(NEWS_WATCH);
    let mut events = pin!(api.watch(&how, &since).await.map_err(failed)?);
    while let Some(event) = events.next().await {
        let object = match event.map_err(failed)? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => object,
            WatchEvent::Error(status) => return Err(failed(kube::Error::Api(status))),
            WatchEvent::Deleted(_) | WatchEvent::Bookmark(_) => continue,
        };
        let Ok(object) = serde_json::to_value(&object) else {
            continue;
        };
        let content = ContentState::of(&object);
        if wanted(&content) && sender.send(content).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
