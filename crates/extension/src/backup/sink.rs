//! Where collected objects and the lines about them go.

use serde_json::Value;
use strongroom_core::ResourceType;
use strongroom_core::report::ObjectOutcome;
use strongroom_core::selection::Rule;
use strongroom_kubernetes::collect::Whole;
use strongroom_repository::PointWriter;

use crate::job::JobFailure;
use crate::reporting::Report;

/// Takes what is collected: runs of several types side by side, each in the order of its names.
pub(super) trait Sink: Send {
    /// Begins the run of a type, with its first object, and turns to it.
    fn start_run(
        &mut self,
        group: String,
        header: Value,
    ) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Turns to an open run, which the methods below speak of.
    fn turn_to(&mut self, group: &str) -> Result<(), JobFailure>;

    /// Takes one object of the run.
    fn put(
        &mut self,
        name: String,
        meta: Vec<u8>,
        body: Whole,
    ) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Ends the run.
    fn finish_run(&mut self) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Takes one line of the report.
    fn report(
        &mut self,
        line: ObjectOutcome,
    ) -> impl Future<Output = Result<(), JobFailure>> + Send;

    /// Takes note of an object outside the selection, of which the report has no line.
    fn outside(&mut self, resource: &ResourceType, rule: Rule);

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

    fn turn_to(&mut self, group: &str) -> Result<(), JobFailure> {
        Ok(self.writer.turn_to(group)?)
    }

    async fn put(&mut self, name: String, meta: Vec<u8>, body: Whole) -> Result<(), JobFailure> {
        Ok(self.writer.put_parts(name, meta, body.into_parts()).await?)
    }

    async fn finish_run(&mut self) -> Result<(), JobFailure> {
        Ok(self.writer.finish_run().await?)
    }

    async fn report(&mut self, line: ObjectOutcome) -> Result<(), JobFailure> {
        self.report.add(line).await
    }

    /// The job's progress counts them.
    fn outside(&mut self, _: &ResourceType, _: Rule) {}

    fn new_bytes(&self) -> u64 {
        self.writer.stats().new_bytes
    }
}
