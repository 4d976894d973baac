//! A recovery point is verified, and damage in the store is found, named and told truthfully, by the
//! verification and by a restore.

use std::path::{Path, PathBuf};

use serde_json::Value;
use strongroom_e2e::process;
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};

/// The exit code for stored data that is damaged.
const CORRUPT: i32 = 11;

#[test]
fn damage_of_every_kind_is_found_and_mended_files_are_whole_again() {
    let stage = TestStage::protected(&LEDGER);
    stage.back_up().unwrap();
    assert_eq!(stage.verified("latest"), "Whole");
    let first_only = Copy::of(&stage.data_dir().join("blobs"));
    stage.change_the_application();
    stage.back_up().unwrap();
    assert_eq!(stage.verified("latest"), "Whole");
    let whole = Copy::of(&stage.data_dir().join("blobs"));

    type Spoil = fn(&TestStage);
    let spoils: [(&str, Spoil); 5] = [
        ("a byte flipped", |stage| {
            flip_a_byte(&stage.files("/packs/")[0])
        }),
        ("a pack missing", |stage| {
            std::fs::remove_file(&stage.files("/packs/")[0]).unwrap();
        }),
        ("a pack cut", |stage| {
            let pack = &stage.files("/packs/")[0];
            let bytes = std::fs::read(pack).unwrap();
            std::fs::write(pack, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("packs swapped", |stage| {
            let packs = stage.files("/packs/");
            let [one, other] = [&packs[0], &packs[1]];
            let (of_one, of_other) = (std::fs::read(one).unwrap(), std::fs::read(other).unwrap());
            std::fs::write(one, of_other).unwrap();
            std::fs::write(other, of_one).unwrap();
        }),
        ("the manifest flipped", |stage| {
            for manifest in stage.files("/manifest") {
                flip_a_byte(&manifest);
            }
        }),
    ];
    for (what, spoil) in spoils {
        spoil(&stage);
        stage.is_found_damaged(what);
        whole.put_back();
    }
    // The whole store as it was before the second backup: the point that it lacks is named.
    first_only.put_back();
    stage.is_found_damaged("the store rolled back");
    whole.put_back();
    assert_eq!(stage.verified("latest"), "Whole");
}

#[test]
fn a_restore_from_a_damaged_point_says_what_it_could_not_read_and_the_next_backup_is_sound() {
    let stage = TestStage::protected(&LEDGER);
    stage.back_up().unwrap();
    for pack in stage.files("/packs/") {
        flip_a_byte(&pack);
    }
    stage.is_found_damaged("a byte flipped");

    LEDGER.lose(&stage.kubectl).unwrap();
    let point = stage.recovery_points().unwrap().remove(0);
    let restored = stage
        .cli
        .json_of_failed_job(&[
            "restore",
            "start",
            INSTANCE,
            "--vault",
            VAULT,
            "--recovery-point",
            &point,
        ])
        .unwrap();
    assert_ne!(status(&restored), "Completed", "{}", stage.told(&restored));
    assert!(
        stage.told(&restored).contains("RecoveryPointCorrupt"),
        "{}",
        stage.told(&restored)
    );

    LEDGER.deploy(&stage.kubectl).unwrap();
    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    assert_eq!(stage.verified("latest"), "Whole");
}

fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

impl TestStage {
    fn verify(&self, point: &str) -> [String; 7] {
        [
            "recovery-point",
            "verify",
            point,
            "--instance",
            INSTANCE,
            "--vault",
            VAULT,
        ]
        .map(str::to_owned)
    }

    /// The verdict on a point that is whole.
    fn verified(&self, point: &str) -> String {
        let words = self.verify(point);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let found = self.cli.json(&words).unwrap();
        assert!(found["entries"].as_u64().unwrap() > 0, "{found:#}");
        found["state"].as_str().unwrap().to_owned()
    }

    /// The newest point is found damaged, with a code, and is marked so.
    fn is_found_damaged(&self, what: &str) {
        let (code, told) = self.cli.fails(&self.verify("latest")).unwrap();
        assert_eq!(code, CORRUPT, "{what}: {told}");
        assert!(
            told.contains("damaged[RecoveryPointCorrupt]"),
            "{what}: {told}"
        );
        let words = [
            "recovery-point",
            "show",
            "latest",
            "--instance",
            INSTANCE,
            "--vault",
            VAULT,
        ];
        let shown: Value = self.cli.json(&words).unwrap();
        assert_eq!(
            shown["properties"]["verification"]["state"], "Damaged",
            "{what}: {shown:#}"
        );
    }

    /// Adds an object, so that the next backup has something to write.
    fn change_the_application(&self) {
        let words = [
            "-n",
            LEDGER.namespace,
            "create",
            "configmap",
            "later",
            "--from-literal=a=b",
        ];
        self.kubectl.run(&words).unwrap();
    }

    /// Files of the embedded store whose path holds `part`, in order.
    fn files(&self, part: &str) -> Vec<PathBuf> {
        self.stored_files(|path| path.contains(part))
    }
}

/// A copy of a folder, to be put back.
struct Copy {
    folder: PathBuf,
    copy: tempfile::TempDir,
}

impl Copy {
    fn of(folder: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        copy_all(folder, copy.path());
        Self {
            folder: folder.to_owned(),
            copy,
        }
    }

    fn put_back(&self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
        std::fs::create_dir(&self.folder).unwrap();
        copy_all(self.copy.path(), &self.folder);
    }
}

/// Copies what is in a folder into another.
fn copy_all(from: &Path, to: &Path) {
    let content = from.join(".");
    let words = ["-a".as_ref(), content.as_os_str(), to.as_os_str()];
    process::run(Path::new("/bin/cp"), &words, &[]).unwrap();
}
