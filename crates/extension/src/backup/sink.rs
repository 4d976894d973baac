//! Where collected objects and the lines about them go.

use bytes::Bytes;
use serde_json::Value;
use strongroom_core::report::ObjectOutcome;
use strongroom_repository::PointWriter;

use crate::job::JobFailure;
use crate::reporting::Report;

/// Takes what is collected, in the order of the recovery point.
pub(super) trait Sink: Send {
    /// Begins the run of a type, with its first object.
    fn start_run(
        &mut self,
        group: String,
        header: Value,
    ) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Takes one object of the open run.
    fn put(
        &mut self,
        name: String,
        meta: Vec<u8>,
        body: Bytes,
    ) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Ends the open run.
    fn finish_run(&mut self) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Takes one line of the report.
    fn report(
        &mut self,
        line: ObjectOutcome,
    ) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Bytes that were new to whatever keeps the objects.
    fn new_bytes(&self) -> u64;
}

/// A recovery point in the making, and its job's report.
pub(super) struct Stored<'a, 'r> {
    pub(super) writer: PointWriter,
    pub(super) report: &'a mut Report<'r>,
}

impl Sink for Stored<'_, '_> {
    async fn start_run(&mut self, group: String, header: Value) -> Result<(), JobFailure> {
        Ok(self.writer.start_run(group, header).await?)
    }

    async fn put(&mut self, name: String, meta: Vec<u8>, body: Bytes) -> Result<(), JobFailure> {
        Ok(self.writer.put(name, meta, body).await?)
    }

    async fn finish_run(&mut self) -> Result<(), JobFailure> {
        Ok(self.writer.finish_run().await?)
    }

    async fn report(&mut self, line: ObjectOutcome) -> Result<(), JobFailure> {
        self.report.add(line).await
    }

    fn new_bytes(&self) -> u64 {
        self.writer.stats().new_bytes
    }
}
