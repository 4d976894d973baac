//! Hooks through the command line: those that are not there are refused before anything runs, what a killed
//! extension left frozen is thawed, and those of a restore run in the pods that it made.

use strongroom_e2e::sample::JOURNAL;
use strongroom_e2e::stage::{INSTANCE, VAULT};

use super::stage_of_tests::{TestStage, status};
use super::volumes::journal;

#[test]
fn hooks_that_are_missing_are_named_beforehand_and_what_is_frozen_is_thawed_whoever_dies() {
    let stage = TestStage::bare();
    stage.protect_journal();
    let validate = |hook| journal("validate", hook);
    stage.cli.run(&validate("journal/mark")).unwrap();
    let absent = validate("journal/no-such-hook");
    let (_, told) = stage.cli.fails(&absent).unwrap();
    assert!(told.contains("UserErrorBackupHookNotFound"), "{told}");
    let why = "BackupHook journal/no-such-hook does not exist";
    assert!(told.contains(why), "{told}");

    // Frozen and thawed once by whoever was killed, once by whoever went on. The end of a pre-hook is written
    // down while the snapshots are cut: to whoever goes on before that, it may still freeze behind the thaw,
    // which runs once more for it.
    let (once, in_doubt) = (
        "frozen\nthawed\nfrozen\nthawed",
        "frozen\nthawed\nthawed\nfrozen\nthawed",
    );
    let places = [
        ("freeze:during", in_doubt),
        ("freeze:after", in_doubt),
        ("thaw:before", once),
    ];
    for (place, expected) in places {
        stage.crash_extension_at(place);
        let backup = stage.back_up().unwrap();
        assert_eq!(
            status(&backup),
            "Completed",
            "{place}: {}",
            stage.told(&backup)
        );
        assert!(stage.extension_restarts() >= 1, "not killed at {place}");
        let told = stage.in_journal("cat /data/journal; rm /data/journal");
        assert_eq!(told, expected, "{place}");
    }

    let absent = ["--restore-hook", "journal/no-such-hook"];
    let start = ["restore", "start", INSTANCE, "--vault", VAULT];
    let latest = ["--recovery-point", "latest"];
    let words = [&start[..], &latest, &absent].concat();
    let (_, told) = stage.cli.fails(&words).unwrap();
    assert!(told.contains("UserErrorRestoreHookNotFound"), "{told}");

    stage.apply_app("journal-restore-hook.yaml");
    JOURNAL.lose(&stage.kubectl).unwrap();
    let hook = ["--restore-hook", "dataprotection-microsoft/resume"];
    let restore = stage.restore(&hook).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    assert_eq!(
        stage.in_journal("cat /data/journal"),
        "frozen\nthawed\nfrozen\nresumed"
    );
}
