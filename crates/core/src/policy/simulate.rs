//! What a policy would make and keep over a span of time.
//!
//! Contract: pure; nothing is backed up. Every backup is taken to succeed at the moment that the schedule
//! asks for it, the schedule to begin at the start of the span, and the clock to be right. What follows is
//! what the server does in that case: the same criteria give the tags, and a point goes when its time is
//! over and it is not the newest any more, see [`super::expiry`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;

use super::expiry::{self, Circumstances};
use super::{BackupPolicy, Keep, Verdict};

/// A recovery point that a policy would make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// When it is made.
    pub made: Timestamp,
    /// Its tag.
    pub tag: String,
    /// When its time is over; none when it is kept for ever.
    pub expires: Option<Timestamp>,
    /// What has become of it at the end of the span.
    pub end: Verdict,
}

/// What a policy would make and keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simulation {
    /// Its recovery points, the oldest first.
    pub points: Vec<Foreseen>,
    /// How many there are at the same time, at most.
    pub most_at_once: usize,
}

/// A span in which a policy makes more recovery points than are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the policy makes more than {most} recovery points until {reached}")]
pub struct TooLong {
    /// How many are looked at.
    pub most: usize,
    /// When the last of them is made.
    pub reached: Timestamp,
}

/// What `policy` makes after `from` and until `to`, and what of it is there then.
///
/// # Errors
/// [`TooLong`] when that is more than `most` recovery points.
pub fn simulate(
    policy: &BackupPolicy,
    from: Timestamp,
    to: Timestamp,
    most: usize,
) -> Result<Simulation, TooLong> {
    let mut points: Vec<Foreseen> = Vec::new();
    let mut last: Option<Timestamp> = None;
    while let Some(made) = policy
        .next_due(last.unwrap_or(from))
        .filter(|made| *made <= to)
    {
        if points.len() == most {
            let reached = last.unwrap_or(from);
            return Err(TooLong { most, reached });
        }
        let tag = policy.tag_for(made, last.as_slice());
        let rule = policy.retention_of(tag);
        points.push(Foreseen {
            made,
            tag: tag.to_owned(),
            expires: rule.and_then(|rule| rule.kept_until(made)),
            end: Verdict::Keep(Keep::ForEver),
        });
        last = Some(made);
    }
    let successors: Vec<Timestamp> = points.iter().skip(1).map(|point| point.made).collect();
    for (index, point) in points.iter_mut().enumerate() {
        point.end = end_of(point, successors.get(index).copied(), to);
    }
    let most_at_once = most_at_once(&points);
    Ok(Simulation {
        points,
        most_at_once,
    })
}

/// What has become of a point at `to`; it is the newest until its successor is made.
fn end_of(point: &Foreseen, successor: Option<Timestamp>, to: Timestamp) -> Verdict {
    let circumstances = Circumstances {
        always: successor.is_none().then_some(Keep::Newest),
        ..Circumstances::default()
    };
    match expiry::judge(point.expires, to, &circumstances) {
        Verdict::Expire { since } => Verdict::Expire {
            since: successor.map_or(since, |successor| since.max(successor)),
        },
        keep => keep,
    }
}

fn most_at_once(points: &[Foreseen]) -> usize {
    let mut ends: BinaryHeap<Reverse<Timestamp>> = BinaryHeap::new();
    let (mut there, mut most) = (0_usize, 0_usize);
    for point in points {
        while ends.peek().is_some_and(|end| end.0 < point.made) {
            ends.pop();
            there = there.saturating_sub(1);
        }
        there += 1;
        most = most.max(there);
        if let Verdict::Expire { since } = point.end {
            ends.push(Reverse(since));
        }
    }
    most
}
