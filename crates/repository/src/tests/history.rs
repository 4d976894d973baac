//! Long histories: any sequence of changes, with points removed and packs pruned on the way, reads
//! back as written; what is unchanged costs nothing.

use std::time::Duration;

use proptest::prelude::*;

use super::fixtures::*;
use crate::Result;

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

async fn live(history: Vec<(Vec<Change>, bool)>) -> Result<()> {
    let store = memory();
    let repository = open(&store).await?;
    let mut content = small();
    let mut points: Vec<(uuid::Uuid, Content)> = Vec::new();
    for (number, (changes, remove)) in history.into_iter().enumerate() {
        changes
            .iter()
            .for_each(|change| apply(&mut content, change));
        let point = id(number as u128 + 1);
        let parent = points.last().map(|(point, _)| *point);
        write_tiny(&repository, point, parent, 1, &content).await?;
        points.push((point, content.clone()));
        if remove {
            let (point, _) = points.remove(points.len() / 2);
            repository.delete_point(point).await?;
            repository.prune(Duration::ZERO).await?;
        }
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
    for (point, _) in points {
        repository.delete_point(point).await?;
    }
    repository.prune(Duration::ZERO).await?;
    assert!(repository.objects.list("packs").await?.is_empty());
    assert!(repository.objects.list("points").await?.is_empty());
    assert!(repository.objects.list("prune").await?.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_history_reads_back(
        history in prop::collection::vec(
            (prop::collection::vec(change(), 0..60), prop::bool::weighted(0.3)),
            1..12,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
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
