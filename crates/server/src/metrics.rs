//! Counters for `/metrics`, named `strongroom_<noun>_<unit>_total`.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::data_plane::DataPlaneMetrics;

/// Labels of a request: few values each, so that the number of series stays small.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The method.
    pub method: String,
    /// The status, for example `200`.
    pub status: String,
    /// The error code, or nothing.
    pub code: String,
}

/// Labels of a job that ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct JobLabels {
    /// The operation, for example `Backup`.
    pub operation: String,
    /// The final status.
    pub status: String,
}

/// Labels of a repository whose turn to be pruned it was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct PruneLabels {
    /// `Pruned`, `Postponed` (a backup was under way) or `Failed`.
    pub result: String,
}

/// Labels of a moment of a schedule that was due at a look.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ScheduleLabels {
    /// `Started`, `Refused` (a failed job says why) or `Postponed` (another job was under way).
    pub result: String,
}

/// What pruning repositories did.
#[derive(Debug, Default)]
pub struct PruneMetrics {
    /// Repositories whose turn it was.
    pub repositories: Family<PruneLabels, Counter>,
    /// Packs removed.
    pub packs: Counter,
    /// Their bytes.
    pub bytes: Counter,
}

impl PruneMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "prune_repositories",
            "Repositories whose turn to be pruned it was",
            self.repositories.clone(),
        );
        registry.register("prune_packs", "Packs removed", self.packs.clone());
        registry.register("prune_bytes", "Bytes of packs removed", self.bytes.clone());
    }
}

/// All counters of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Requests answered.
    pub requests: Family<RequestLabels, Counter>,
    /// Seconds a request took.
    pub request_seconds: Histogram,
    /// Jobs that reached a final status.
    pub jobs: Family<JobLabels, Counter>,
    /// Seconds from a job's acceptance to its end.
    pub job_seconds: Histogram,
    /// Bytes through the data plane.
    pub data_plane: DataPlaneMetrics,
    /// Pruning.
    pub prune: PruneMetrics,
    /// Moments of schedules that were due.
    pub scheduled_backups: Family<ScheduleLabels, Counter>,
    /// Recovery points removed because their time was over.
    pub expired_points: Counter,
    /// 1 while this server does the work of its catalogue, else 0: 1 of all servers that share one has 1.
    pub working: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("strongroom");
        let requests = Family::default();
        let jobs = Family::default();
        // 1 ms to 32 s: from a read to the longest request.
        let request_seconds = Histogram::new(exponential_buckets(0.001, 2.0, 16));
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Seconds a request took",
            request_seconds.clone(),
        );
        registry.register("jobs", "Jobs that reached a final status", jobs.clone());
        // 0.5 s to 4.5 h: from a small backup to the longest job.
        let job_seconds = Histogram::new(exponential_buckets(0.5, 2.0, 16));
        registry.register(
            "job_duration_seconds",
            "Seconds from a job's acceptance to its end",
            job_seconds.clone(),
        );
        let data_plane = DataPlaneMetrics::default();
        data_plane.register(&mut registry);
        let prune = PruneMetrics::default();
        prune.register(&mut registry);
        let scheduled_backups = Family::default();
        registry.register(
            "scheduled_backups",
            "Moments of schedules that were due at a look",
            scheduled_backups.clone(),
        );
        let expired_points = Counter::default();
        registry.register(
            "expired_recovery_points",
            "Recovery points removed because their time was over",
            expired_points.clone(),
        );
        let working = Gauge::default();
        registry.register(
            "working",
            "Whether this server does the work of its catalogue",
            working.clone(),
        );
        Self {
            registry,
            requests,
            request_seconds,
            jobs,
            job_seconds,
            data_plane,
            prune,
            scheduled_backups,
            expired_points,
            working,
        }
    }
}

impl Metrics {
    /// The counters in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
