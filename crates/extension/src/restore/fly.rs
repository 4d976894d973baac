//! Handles entries at once: as many as the pace and their bytes allow, without a barrier between them.

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use strongroom_core::report::ObjectOutcome;
use tokio::sync::{mpsc, watch};

use super::apply::Applier;
use super::item::{Item, Told};
use crate::job::JobFailure;
use crate::limits::APPLIES_BYTES;

/// What is to be done for a place in the sequence.
#[derive(Debug)]
pub(super) enum Task<'a> {
    /// Handle an entry.
    Handle(Item<'a>),
    /// Tell what is known already.
    Tell(u64, ObjectOutcome),
}

impl Task<'_> {
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Handle(item) => item.position,
            Self::Tell(position, _) => *position,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Handle(item) => item.entry.size,
            Self::Tell(..) => 0,
        }
    }
}

/// A task, numbered in the order of the sequence.
#[derive(Debug)]
pub(super) struct Work<'a> {
    pub(super) number: u64,
    pub(super) task: Task<'a>,
    /// Lines that stand before its own: of a namespace that was made for it.
    pub(super) before: Vec<ObjectOutcome>,
}

/// An entry that was handled.
#[derive(Debug)]
pub(super) struct Landed {
    pub(super) number: u64,
    pub(super) position: u64,
    pub(super) before: Vec<ObjectOutcome>,
    pub(super) told: Told,
    bytes: u64,
}

/// Handles what comes until nothing more does. `handled` counts them.
pub(super) async fn fly<'a>(
    applier: &Applier<'_>,
    mut work: mpsc::Receiver<Work<'a>>,
    landed: mpsc::UnboundedSender<Landed>,
    handled: &watch::Sender<u64>,
) -> Result<(), JobFailure> {
    let mut flying = FuturesUnordered::new();
    let mut bytes = 0;
    let mut next: Option<Work<'a>> = None;
    let mut open = true;
    loop {
        let alone = flying.is_empty();
        let free = flying.len() < applier.calls.in_flight();
        let fits = |one: &mut Work<'_>| alone || bytes + one.task.bytes() <= APPLIES_BYTES;
        if let Some(one) = next.take_if(|one| free && fits(one)) {
            bytes += one.task.bytes();
            flying.push(carry(applier, one));
            continue;
        }
        tokio::select! {
            Some(one) = flying.next(), if !flying.is_empty() => {
                let one: Landed = one?;
                bytes -= one.bytes;
                applier.namespaces.note(&one.told.line);
                // Nobody listens any more only when the restore has failed already.
                let _ = landed.send(one);
                handled.send_modify(|count| *count += 1);
            }
            taken = work.recv(), if open && next.is_none() => match taken {
                Some(one) => next = Some(one),
                None => open = false,
            },
            else => return Ok(()),
        }
    }
}

async fn carry(applier: &Applier<'_>, work: Work<'_>) -> Result<Landed, JobFailure> {
    let (position, bytes) = (work.task.position(), work.task.bytes());
    let told = match work.task {
        Task::Handle(item) => applier.handle(&item).await?,
        Task::Tell(_, line) => Told::from(line),
    };
    Ok(Landed {
        number: work.number,
        position,
        before: work.before,
        told,
        bytes,
    })
}
