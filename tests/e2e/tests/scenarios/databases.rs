//! Real databases, backed up in the middle of their work and lost: they start from their snapshots, and
//! their books are in order. Held still by hooks they are as the hook promises; without, they recover.

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::load::{Bank, Books, MARIADB, POSTGRES};
use strongroom_e2e::process::{Running, wait_for};
use strongroom_e2e::stage::{CLUSTER, VAULT};

use super::stage_of_tests::{TestStage, status};

/// What the load has done before the first backup begins.
const WARM: i64 = 100;
const WARM_WITHIN: Duration = Duration::from_secs(30);
const STARTED_WITHIN: Duration = Duration::from_secs(90);

/// What PostgreSQL says when it starts from something else than an orderly end.
const RECOVERS: &str = "automatic recovery in progress";
/// The same of InnoDB.
const REPLAYS: &str = "InnoDB: Starting crash recovery";
const NONE: [&str; 0] = [];
/// What MariaDB says of a table that knows no recovery, and was open when it was copied.
const NOT_CLOSED: [&str; 2] = [
    "bank.visits",
    "warning  : 1 client is using or hasn't closed the table properly",
];

#[test]
fn databases_under_load_come_back_as_their_hooks_promise_and_without_hooks_recover() {
    let stage = TestStage::bare();
    let load = stage.set_up_databases();

    let hooks = [
        "mariadb/lock-tables",
        "postgres/checkpoint",
        "mariadb/witness",
    ];
    let held = stage.backed_up("held", "mariadb,postgres", &hooks);
    let frozen = stage.backed_up("frozen", "postgres", &["postgres/fsfreeze"]);
    let bare = stage.backed_up("bare", "mariadb,postgres", &[]);
    drop(load);
    let namespaces = [&MARIADB, &POSTGRES].map(|bank| bank.application.namespace);
    stage.kubectl.delete_namespaces(&namespaces).unwrap();

    stage.brought_back("held", &[]);
    stage.brought_back("frozen", &["postgres=postgres-frozen"]);
    stage.brought_back("bare", &["mariadb=mariadb-bare", "postgres=postgres-bare"]);
    let locked = stage.found(&MARIADB, "mariadb", &held);
    let checkpointed = stage.found(&POSTGRES, "postgres", &held);
    let stood = stage.found(&POSTGRES, "postgres-frozen", &frozen);
    let cut = stage.found(&MARIADB, "mariadb-bare", &bare);
    let fell = stage.found(&POSTGRES, "postgres-bare", &bare);

    // Nothing was committed between the lock and the snapshot, and no table was open.
    assert_eq!(locked.books.last.to_string(), held.told("transfers: "));
    assert_eq!(locked.complaints, NONE);
    // What such a table was in the midst of is told as well, when it was cut in the midst of something.
    assert!(
        cut.complaints.starts_with(&NOT_CLOSED.map(str::to_owned)),
        "{:?}",
        cut.complaints
    );
    // The recovery has to read what came behind the hook's checkpoint, and no more.
    let redo = format!("redo starts at {}", held.told("redo: "));
    assert!(checkpointed.log.contains(&redo), "{}", checkpointed.log);
    for postgres in [checkpointed, stood, fell] {
        assert_eq!(postgres.complaints, NONE);
    }
}

/// A backup of banks that were at work.
struct BackedUp {
    /// The books before and after it, of MariaDB and of PostgreSQL.
    books: [(Books, Books); 2],
    report: String,
}

impl BackedUp {
    /// The word that the witness said behind this one.
    fn told(&self, label: &str) -> String {
        let said = self.report.split_once(label);
        let (_, rest) = said.ok_or(&self.report).unwrap();
        rest.split(['"', ' ', ';', '\\']).next().unwrap().to_owned()
    }
}

/// A bank that has come back.
struct Found {
    books: Books,
    /// What a search for damage had to say besides that all is well.
    complaints: Vec<String>,
    log: String,
}

impl TestStage {
    /// Two banks at work, a vault, and all hooks.
    fn set_up_databases(&self) -> [Running; 2] {
        let banks = [&MARIADB, &POSTGRES];
        thread::scope(|scope| {
            for bank in banks {
                scope.spawn(|| bank.application.deploy(&self.kubectl).unwrap());
            }
            self.create_vault().unwrap();
            self.connect_cluster().unwrap();
        });
        let apps = Path::new(env!("CARGO_MANIFEST_DIR")).join("apps");
        for hook in [
            "mariadb-lock",
            "postgres-checkpoint",
            "postgres-fsfreeze",
            "databases-witness",
        ] {
            let file = apps.join(format!("{hook}-hook.yaml"));
            self.kubectl.apply(&file).unwrap();
        }
        let load = banks.map(|bank| bank.start_load(&self.kubectl).unwrap());
        for bank in banks {
            wait_for("the load to be at work", WARM_WITHIN, || {
                let books = self.books(bank);
                (books.last >= WARM)
                    .then_some(())
                    .ok_or_else(|| books.to_string())
            })
            .unwrap();
        }
        load
    }

    fn books(&self, bank: &Bank) -> Books {
        bank.books(&self.kubectl, bank.application.namespace)
            .unwrap()
    }

    /// Backs these namespaces up, in an instance of this name.
    fn backed_up(&self, instance: &str, namespaces: &str, hooks: &[&str]) -> BackedUp {
        // A vault protects a cluster once by each policy.
        self.create_policy(instance).unwrap();
        let words = ["instance", "create", instance, "--vault", VAULT];
        let what = ["--policy", instance, "--cluster", CLUSTER];
        let mut all = [&words[..], &what, &["--include-namespaces", namespaces]].concat();
        all.extend(hooks.iter().flat_map(|hook| ["--backup-hook", *hook]));
        self.cli.run(&all).unwrap();

        let before = [&MARIADB, &POSTGRES].map(|bank| self.books(bank));
        let words = ["backup", "start", instance, "--vault", VAULT];
        let job = self.cli.json(&words).unwrap();
        assert_eq!(status(&job), "Completed", "{}", self.told(&job));
        let after = [&MARIADB, &POSTGRES].map(|bank| self.books(bank));
        let books = [(before[0], after[0]), (before[1], after[1])];
        for (before, after) in books {
            assert!(
                before.are_in_order() && after.are_in_order(),
                "{before}; {after}"
            );
            assert!(
                before.last < after.last,
                "it was not at work: {before}; {after}"
            );
        }
        let report = self.report(&job).to_string();
        BackedUp { books, report }
    }

    fn report(&self, job: &Value) -> Value {
        let id = job["name"].as_str().unwrap();
        self.cli
            .json(&["job", "report", id, "--vault", VAULT])
            .unwrap()
    }

    fn brought_back(&self, instance: &str, mappings: &[&str]) {
        let words = ["restore", "start", instance, "--vault", VAULT];
        let mut all = [&words[..], &["--recovery-point", "latest"]].concat();
        all.extend(
            mappings
                .iter()
                .flat_map(|mapping| ["--namespace-mapping", *mapping]),
        );
        let job = self.cli.json(&all).unwrap();
        assert_eq!(status(&job), "Completed", "{}", self.told(&job));
    }

    /// Waits for a restored bank, and looks at its books, its tables and its log.
    fn found(&self, bank: &Bank, namespace: &str, backup: &BackedUp) -> Found {
        let kubectl = &self.kubectl;
        let books = wait_for("the restored database to start", STARTED_WITHIN, || {
            let books = bank.books(kubectl, namespace);
            books.map_err(|error| {
                format!(
                    "{error}\n{}",
                    bank.log(kubectl, namespace).unwrap_or_default()
                )
            })
        });
        let books = books.unwrap();
        let which = usize::from(bank.application.namespace == POSTGRES.application.namespace);
        let (before, after) = backup.books[which];
        assert!(books.are_in_order(), "{namespace}: {books}");
        assert!(
            before.last <= books.last && books.last <= after.last,
            "{namespace}: {before}; {books}; {after}"
        );
        let log = bank.log(kubectl, namespace).unwrap();
        let recovery = [REPLAYS, RECOVERS][which];
        assert!(log.contains(recovery), "{namespace}: {log}");
        let checked = bank.check(kubectl, namespace).unwrap();
        let complaints = checked.lines().map(str::trim);
        let complaints = complaints.filter(|line| !line.is_empty() && !line.ends_with("OK"));
        Found {
            books,
            complaints: complaints.map(str::to_owned).collect(),
            log,
        }
    }
}
