//! Long histories: any sequence of changes, with points removed and packs pruned on the way, reads
//! back as written; what is unchanged costs nothing.

use std::time::Duration;

use proptest::prelude::*;

use super::faulty::{Fault, Faulty};
use super::fixtures::*;
use crate::{Repository, Result};

/// One change of the cluster between two points.
#[derive(Clone, Debug)]
enum Change {
    Put {
        group: u8,
        name: u16,
        size: u16,
        seed: u64,
    },
    Remove {
        group: u8,
        name: u16,
    },
    Touch {
        group: u8,
        name: u16,
    },
    Drop {
        group: u8,
    },
}

fn change() -> impl Strategy<Value = Change> {
    let group = 0_u8..4;
    prop_oneof![
        8 => (group.clone(), 0_u16..60, 0_u16..500, any::<u64>())
            .prop_map(|(group, name, size, seed)| Change::Put { group, name, size, seed }),
        3 => (group.clone(), 0_u16..60).prop_map(|(group, name)| Change::Remove { group, name }),
        2 => (group.clone(), 0_u16..60).prop_map(|(group, name)| Change::Touch { group, name }),
        1 => group.prop_map(|group| Change::Drop { group }),
    ]
}

fn apply(content: &mut Content, change: &Change) {
    let group = |group: &u8| format!("kind-{group}.");
    let name = |name: &u16| format!("ns-{}/object-{name}", name % 5);
    match change {
        Change::Put {
            group: g,
            name: n,
            size,
            seed,
        } => {
            let body = noise(*seed, usize::from(*size));
            content
                .entry(group(g))
                .or_default()
                .insert(name(n), (vec![1], body));
        }
        Change::Remove { group: g, name: n } => {
            content.entry(group(g)).or_default().remove(&name(n));
        }
        Change::Touch { group: g, name: n } => {
            if let Some((meta, _)) = content.entry(group(g)).or_default().get_mut(&name(n)) {
                meta.push(2);
            }
        }
        Change::Drop { group: g } => drop(content.remove(&group(g))),
    }
}

/// What happens between one point and the next.
#[derive(Clone, Debug)]
struct Step {
    changes: Vec<Change>,
    /// Remove a point and prune.
    remove: bool,
    /// Kill whatever runs at these calls to the store, one after the other.
    kills: Vec<u64>,
}

fn step() -> impl Strategy<Value = Step> {
    let changes = prop::collection::vec(change(), 0..60);
    let kills = prop::collection::vec(1_u64..40, 0..3);
    (changes, prop::bool::weighted(0.3), kills).prop_map(|(changes, remove, kills)| Step {
        changes,
        remove,
        kills,
    })
}

/// A store with the kills that are still to come.
struct World {
    faulty: Faulty,
    kills: Vec<u64>,
    seed: u8,
}

impl World {
    /// Lets the next kill strike, in a process of its own.
    async fn process(&mut self) -> Repository {
        self.faulty.heal();
        self.seed = self.seed.wrapping_add(1);
        let repository = open_seeded(&self.faulty.store(), self.seed).await.unwrap();
        if let Some(call) = self.kills.pop() {
            let fault = if call % 2 == 0 {
                Fault::Die
            } else {
                Fault::DieAfter
            };
            self.faulty.fail_at(call, fault);
        }
        repository
    }

    async fn write(&mut self, point: uuid::Uuid, parent: Option<uuid::Uuid>, content: &Content) {
        for attempt in 1.. {
            let repository = self.process().await;
            if write_tiny(&repository, point, parent, attempt, content)
                .await
                .is_ok()
            {
                break;
            }
        }
    }

    async fn remove(&mut self, point: uuid::Uuid) {
        loop {
            let repository = self.process().await;
            let removed = repository.delete_point(point).await.is_ok();
            if removed && repository.prune(Duration::ZERO).await.is_ok() {
                break;
            }
        }
    }
}

async fn live(history: Vec<Step>) -> Result<()> {
    let mut world = World {
        faulty: Faulty::new(),
        kills: Vec::new(),
        seed: 0,
    };
    let mut content = small();
    let mut points: Vec<(uuid::Uuid, Content)> = Vec::new();
    for (number, step) in history.into_iter().enumerate() {
        step.changes
            .iter()
            .for_each(|change| apply(&mut content, change));
        let point = id(number as u128 + 1);
        let parent = points.last().map(|(point, _)| *point);
        world.kills = step.kills;
        world.write(point, parent, &content).await;
        points.push((point, content.clone()));
        if step.remove {
            let (point, _) = points.remove(points.len() / 2);
            world.remove(point).await;
        }
        world.kills.clear();
        let repository = world.process().await;
        for (point, content) in &points {
            assert_eq!(&read(&repository, *point).await?, content);
        }
        if let Some((point, content)) = points.last() {
            let report = repository.verify(*point).await?;
            assert!(report.is_whole(), "{report:?}");
            let point = repository.point(*point).await?;
            for (group, run) in content {
                for number in 0..60_u16 {
                    let name = format!("ns-{}/object-{number}", number % 5);
                    let found = point.find(group, &name).await?;
                    assert_eq!(found.is_some(), run.contains_key(&name));
                }
            }
        }
    }
    let repository = world.process().await;
    for (point, _) in points {
        repository.delete_point(point).await?;
    }
    repository.prune(Duration::ZERO).await?;
    for folder in ["packs", "points", "prune"] {
        assert!(
            repository.objects.list(folder).await?.is_empty(),
            "{folder}"
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_history_reads_back(
        history in prop::collection::vec(step(), 1..12)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(live(history)).unwrap();
    }
}

#[tokio::test]
async fn an_unchanged_point_costs_its_manifest_only() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let first = write(&repository, id(1), None, 1, &noisy(2000))
        .await
        .unwrap();
    let second = write(&repository, id(2), Some(id(1)), 1, &noisy(2000))
        .await
        .unwrap();
    assert_eq!((second.stats.packs, second.stats.unchanged), (0, 6000));
    assert!(second.stats.new_bytes < 1500, "{:?}", second.stats);
    assert!(first.stats.new_bytes > 1_000_000);
}

#[tokio::test]
async fn one_changed_object_in_a_hundred_costs_at_most_two_hundredths() {
    let store = memory();
    let repository = open(&store).await.unwrap();
    let mut content = Content::new();
    let run = content.entry("configmaps.".into()).or_default();
    for number in 0..20_000_u64 {
        // Half of a body compresses to nearly nothing, as Kubernetes objects do.
        let body = [noise(number, 300), vec![b'x'; 700]].concat();
        run.insert(
            format!("ns-{:02}/item-{number:05}", number % 20),
            (noise(number, 24), body),
        );
    }
    let full = write(&repository, id(1), None, 1, &content)
        .await
        .unwrap()
        .stats;
    let changed = |content: &mut Content, round: u64| {
        for (number, (meta, body)) in content.values_mut().flatten().map(|(_, v)| v).enumerate() {
            if number as u64 % 100 == round {
                *meta = noise(number as u64 + round, 24);
                *body = [
                    noise(number as u64 + 1_000_000 + round, 300),
                    vec![b'x'; 700],
                ]
                .concat();
            }
        }
    };
    for round in 1..=10_u64 {
        changed(&mut content, round);
        let point = id(u128::from(round) + 1);
        let parent = Some(id(u128::from(round)));
        let stats = write(&repository, point, parent, 1, &content)
            .await
            .unwrap()
            .stats;
        assert_eq!(stats.unchanged, 19_800);
        let share = stats.new_bytes as f64 / full.new_bytes as f64;
        assert!(share <= 0.02, "round {round}: {share}");
    }
    assert_eq!(read(&repository, id(11)).await.unwrap(), content);
}
