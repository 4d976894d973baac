//! One object is read without reading its point.

use super::faulty::Faulty;
use super::fixtures::*;

#[tokio::test]
async fn one_object_of_many_costs_a_manifest_an_index_a_leaf_and_a_frame() {
    let faulty = Faulty::new();
    let store = faulty.store();
    let repository = open(&store).await.unwrap();
    let mut content = Content::new();
    for group in ["configmaps.", "secrets."] {
        let run = content.entry(group.into()).or_default();
        for number in 0..4000_u64 {
            let name = format!("shop/item-{number:05}");
            run.insert(name, (vec![1; 40], noise(number, 2048)));
        }
    }
    let sealed = write(&repository, id(1), None, 1, &content).await.unwrap();
    let whole = sealed.stats.new_bytes;
    assert!(whole > 16_000_000, "{whole}");
    // An increment over it, so that an index of two layers is asked.
    let run = content.get_mut("secrets.").unwrap();
    run.insert("shop/item-00007".into(), (vec![2], b"new".to_vec()));
    write(&repository, id(2), Some(id(1)), 1, &content)
        .await
        .unwrap();

    faulty.take_reads();
    let point = repository.point(id(2)).await.unwrap();
    for (name, layers) in [("shop/item-00007", 1), ("shop/item-03999", 2)] {
        let entry = point.find("secrets.", name).await.unwrap().unwrap();
        let body = point.read(&entry).await.unwrap();
        let expected = content.get("secrets.").and_then(|run| run.get(name));
        assert_eq!(
            Some(body.as_ref()),
            expected.map(|(_, body)| body.as_slice())
        );
        let reads = faulty.take_reads();
        let bytes: u64 = reads.iter().map(|(_, bytes)| bytes).sum();
        // The manifest once; an index a layer; one leaf; one frame.
        assert!(reads.len() <= 1 + layers + 2, "{name}: {reads:?}");
        assert!(
            bytes < 800_000,
            "{name}: {bytes} of {whole} bytes: {reads:?}"
        );
    }
    let missing = point.find("secrets.", "shop/nobody").await.unwrap();
    assert_eq!(missing, None);
}
