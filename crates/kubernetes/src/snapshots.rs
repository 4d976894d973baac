//! Volume snapshots, as an API server shows them: VolumeSnapshots and VolumeSnapshotContents.

pub mod provision;
