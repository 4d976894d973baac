//! Recovery points in a bucket of a real S3 service that is not ours.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::bad_line::BadLine;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::relay::Relay;
use strongroom_e2e::s3::{ACCESS_KEY_ID, S3, SECRET_ACCESS_KEY};
use strongroom_e2e::sample::LEDGER;
use strongroom_e2e::stage::{CLUSTER, CONTAINER, GROUP, INSTANCE, POLICY, VAULT};

use super::keys::odd_keys;
use super::stage_of_tests::{TestStage, status};

/// Where a compressed frame begins (RFC 8878, 3.1.1): text hides in one from a search for it.
const COMPRESSED: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// Texts of the sample application as the API server writes them: of a ConfigMap, of a name, of each
/// object.
const KNOWN_TEXTS: [&str; 3] = [r#""closed":"false""#, "clerk-reads-accounts", "apiVersion"];

#[test]
fn a_lost_application_comes_back_from_a_bucket_that_holds_nothing_readable() {
    let service = Service::start(TestStage::bare());
    let stage = &service.stage;
    LEDGER.deploy(&stage.kubectl).unwrap();
    service.set_up();
    stage.protect(&LEDGER).unwrap();
    let before = LEDGER.state(&stage.kubectl).unwrap();

    let backup = stage.back_up().unwrap();
    assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    service.holds_nothing_readable();

    LEDGER.lose(&stage.kubectl).unwrap();
    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
    // The restore has written its report there.
    service.holds_nothing_readable();
}

#[test]
fn a_bucket_that_does_not_work_is_refused_and_nothing_is_kept() {
    let mut service = Service::start(TestStage::bare());
    service.stage.cli.run(&["group", "create", GROUP]).unwrap();
    let endpoint = service.s3.endpoint();

    service.create_account("wrongsecret", &endpoint, "not-the-secret");
    service.container_is_refused(
        "wrongsecret",
        CONTAINER,
        "UserErrorExtensionMSIMissingPermissionsOnBackupStorageLocation",
    );
    service.create_account("right", &endpoint, SECRET_ACCESS_KEY);
    let told = service.container_is_refused(
        "right",
        "nobody-made-this",
        "UserErrorBackupStorageLocationNotReady",
    );
    assert!(told.contains("NoSuchBucket"), "{told}");

    service.s3.kill();
    service.container_is_refused("right", CONTAINER, "UserErrorBackupStorageLocationNotReady");
    service.s3.start_again().unwrap();
    let created = ["storage", "container", "create", CONTAINER];
    let cli = &service.stage.cli;
    cli.run(&[&created[..], &["--account", "right"]].concat())
        .unwrap();
    assert!(
        service.s3.objects(CONTAINER).unwrap().is_empty(),
        "the probe of a bucket left something in it"
    );
}

#[test]
fn a_backup_waits_for_a_service_that_comes_back_and_fails_by_code_when_it_does_not() {
    let mut service = Service::start(TestStage::bare());
    LEDGER.deploy(&service.stage.kubectl).unwrap();
    service.set_up();
    service.stage.protect(&LEDGER).unwrap();

    service.s3.kill();
    let job = service.start_backup();
    service.wait_for_step("open");
    service.s3.start_again().unwrap();
    let waited = service.end_of(&job);
    let told = service.stage.told(&waited);
    assert_eq!(status(&waited), "Completed", "{told}");
    assert_eq!(service.stage.recovery_points().unwrap().len(), 1);

    // A short patience from here on, so that the test need not wait the minutes that the product grants.
    service
        .stage
        .set_in_extension("STRONGROOM_UNREACHABLE_GRACE_SECONDS=5");
    // The extension dies once when all is collected, so that there is a middle to kill the service in.
    service.stage.crash_extension_at("seal:before");
    let job = service.start_backup();
    service.wait_for_report_of(&job);
    service.s3.kill();
    let failed = service.end_of(&job);
    assert_eq!(status(&failed), "Failed", "{failed:#}");
    assert_eq!(
        failed["properties"]["errorDetails"][0]["code"], "UserErrorBackupStorageLocationNotReady",
        "{failed:#}"
    );
    assert_eq!(service.leftover_jobs_in_time(), Vec::<String>::new());
    assert_eq!(service.stage.recovery_points().unwrap().len(), 1);

    service.s3.start_again().unwrap();
    let backup = service.stage.back_up().unwrap();
    let told = service.stage.told(&backup);
    assert_eq!(status(&backup), "Completed", "{told}");
    assert_eq!(service.stage.recovery_points().unwrap().len(), 2);
    assert_eq!(service.stage.leftover_jobs().unwrap(), Vec::<String>::new());
}

#[test]
fn a_service_that_refuses_loses_answers_and_stalls_costs_time_and_nothing_else() {
    let mut service = Service::start(TestStage::bare());
    let stage = &service.stage;
    LEDGER.deploy(&stage.kubectl).unwrap();
    let line = BadLine::to(service.s3.port()).unwrap();
    service.set_up_through(line.port());
    stage.protect(&LEDGER).unwrap();
    let before = LEDGER.state(&stage.kubectl).unwrap();

    for _ in 0..2 {
        let backup = stage.back_up().unwrap();
        assert_eq!(status(&backup), "Completed", "{}", stage.told(&backup));
    }
    let points = stage.recovery_points().unwrap();
    assert_eq!(points.len(), 2);
    for point in &points {
        let words = ["recovery-point", "verify", point, "--instance", INSTANCE];
        let told = stage.cli.run(&[&words[..], &["--vault", VAULT]].concat());
        told.unwrap();
    }

    LEDGER.lose(&stage.kubectl).unwrap();
    let restore = stage.restore(&[]).unwrap();
    assert_eq!(status(&restore), "Completed", "{}", stage.told(&restore));
    let after = LEDGER.state(&stage.kubectl).unwrap();
    assert_eq!(before.differences(&after), Vec::<String>::new());
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
    service.holds_nothing_odd();
    let faults = line.faults();
    assert!(faults.iter().all(|count| *count > 0), "{faults:?}");
}

#[test]
fn a_store_that_the_server_reaches_and_the_cluster_does_not_is_found_before_the_first_backup() {
    let service = Service::start(TestStage::bare());
    let stage = &service.stage;
    LEDGER.deploy(&stage.kubectl).unwrap();
    let mut way = Relay::to(service.s3.port()).unwrap();
    service.set_up_by(service.s3.port(), way.port);
    stage.protect(&LEDGER).unwrap();
    let words = ["instance", "validate", INSTANCE, "--vault", VAULT];
    let words = [&words[..], &["--policy", POLICY, "--cluster", CLUSTER]].concat();
    stage.cli.run(&words).unwrap();

    way.sever();
    let (_, told) = stage.cli.fails(&words).unwrap();
    let code = "UserErrorBackupStorageLocationNotReady";
    assert!(
        told.contains(code) && told.contains("From inside the cluster"),
        "{told}"
    );
    way.mend().unwrap();
    stage.cli.run(&words).unwrap();
    assert_eq!(stage.leftover_jobs().unwrap(), Vec::<String>::new());
    let left = service.s3.objects(CONTAINER).unwrap();
    let probes = left.iter().filter(|(key, _)| key.contains("probe"));
    assert_eq!(probes.count(), 0, "a probe left something in the bucket");
}

/// How long a job may go on: a client's own retries, the extension's restart, and a slow machine.
const ENDED_WITHIN: Duration = Duration::from_secs(300);

/// A stage whose storage is a bucket of an S3 service.
struct Service {
    s3: S3,
    stage: TestStage,
}

impl Service {
    /// The service and its bucket; the server does not know of it yet.
    fn start(stage: TestStage) -> Self {
        let s3 = S3::from_environment(&stage.dir().join("s3")).unwrap();
        s3.create_bucket(CONTAINER).unwrap();
        Self { s3, stage }
    }

    /// The vault on the bucket, and the cluster connected to it.
    fn set_up(&self) {
        self.set_up_through(self.s3.port());
    }

    /// The same, with the service behind this port of 127.0.0.1.
    fn set_up_through(&self, port: u16) {
        self.set_up_by(port, port);
    }

    /// The same, with the service behind one port of 127.0.0.1 for the server, and behind another one for
    /// pods, which reach it by another address as well.
    fn set_up_by(&self, port: u16, of_pods: u16) {
        let secret = self.secret_file(SECRET_ACCESS_KEY);
        let pods = self.stage.props.reach.of_port(of_pods).unwrap();
        self.stage
            .create_vault_on(&[
                "--backend",
                "s3",
                "--endpoint",
                &format!("http://127.0.0.1:{port}"),
                "--extension-endpoint",
                &format!("http://{pods}"),
                "--access-key-id",
                ACCESS_KEY_ID,
                "--secret-access-key-file",
                &secret,
            ])
            .unwrap();
        self.stage.connect_cluster().unwrap();
    }

    fn create_account(&self, name: &str, endpoint: &str, secret: &str) {
        let secret = self.secret_file(secret);
        self.stage
            .cli
            .run(&[
                "storage",
                "account",
                "create",
                name,
                "--backend",
                "s3",
                "--endpoint",
                endpoint,
                "--access-key-id",
                ACCESS_KEY_ID,
                "--secret-access-key-file",
                &secret,
            ])
            .unwrap();
    }

    fn secret_file(&self, secret: &str) -> String {
        let file = self.stage.dir().join("s3-secret");
        fs::write(&file, secret).unwrap();
        file.display().to_string()
    }

    /// Returns what is said about it.
    fn container_is_refused(&self, account: &str, container: &str, code: &str) -> String {
        let cli = &self.stage.cli;
        let (_exit, told) = cli
            .fails(&[
                "storage",
                "container",
                "create",
                container,
                "--account",
                account,
            ])
            .unwrap();
        assert!(told.contains(&format!("error[{code}]")), "{told}");
        assert!(
            !told.contains("not-the-secret") && !told.contains(SECRET_ACCESS_KEY),
            "the refusal tells the secret: {told}"
        );
        assert_eq!(
            cli.json(&["storage", "container", "list", "--account", account])
                .unwrap(),
            serde_json::json!([]),
            "a refused container was kept"
        );
        told
    }

    /// Fails when an object of the bucket holds a known text, or something that can be decompressed.
    fn holds_nothing_readable(&self) {
        let objects = self.s3.objects(CONTAINER).unwrap();
        let holds = |part: &str| objects.iter().any(|(key, _)| key.contains(part));
        assert!(
            holds("/points/") && holds("/packs/") && holds("/reports/"),
            "no whole repository is in the bucket: {:?}",
            objects.iter().map(|(key, _)| key).collect::<Vec<_>>()
        );
        for (key, bytes) in &objects {
            assert!(!bytes.is_empty(), "{key} is empty");
            let finds = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
            for text in KNOWN_TEXTS {
                assert!(!finds(text.as_bytes()), "{key} holds the text {text:?}");
                assert!(!key.contains(text), "the name {key} holds {text:?}");
            }
            assert!(!finds(&COMPRESSED), "{key} holds a compressed frame");
        }
    }

    /// Fails when the bucket holds a key that belongs to no recovery point and no job's report, once what
    /// may be pruned is.
    fn holds_nothing_odd(&mut self) {
        self.stage.prune_now();
        let points = self.stage.recovery_points().unwrap().into_iter().collect();
        let jobs = self.stage.job_ids();
        wait_for(
            "the bucket to hold recovery points only",
            ENDED_WITHIN,
            || {
                let objects = self
                    .s3
                    .objects(CONTAINER)
                    .map_err(|error| error.to_string())?;
                let named = || objects.iter().map(|(key, _)| key.as_str());
                let root = named().find_map(|key| key.strip_suffix("format"));
                let root = root.ok_or("there is no repository")?;
                let keys: Vec<String> = named()
                    .map(|key| key.strip_prefix(root).unwrap_or(key).to_owned())
                    .collect();
                let odd = odd_keys(&keys, &points, &jobs);
                odd.is_empty().then_some(()).ok_or(odd.join("\n"))
            },
        )
        .unwrap();
    }

    /// Starts a backup and returns its job's name.
    fn start_backup(&self) -> String {
        let started = self
            .stage
            .cli
            .json(&["backup", "start", INSTANCE, "--vault", VAULT, "--no-wait"])
            .unwrap();
        started["jobId"].as_str().unwrap().to_owned()
    }

    /// Waits until the extension is at this step of the backup.
    fn wait_for_step(&self, step: &str) {
        wait_for("the backup's step", Duration::from_secs(60), || {
            let listed = self
                .stage
                .kubectl
                .json(&[
                    "-n",
                    "dataprotection-microsoft",
                    "get",
                    "backups.clusterbackup.dataprotection.microsoft.com",
                ])
                .map_err(|error| error.to_string())?;
            if listed["items"][0]["status"]["step"] == step {
                Ok(())
            } else {
                Err(format!("{listed:#}"))
            }
        })
        .unwrap();
    }

    /// Waits until the report of a job lies in the bucket. It is the last that a backup writes before it
    /// is sealed.
    fn wait_for_report_of(&self, job: &str) {
        let folder = format!("/reports/{job}/");
        wait_for("the report of the backup", Duration::from_secs(60), || {
            let stored = self.s3.objects(CONTAINER);
            let stored = stored.map_err(|error| error.to_string())?;
            let found = stored.iter().any(|(key, _)| key.contains(&folder));
            found.then_some(()).ok_or("it is not there".to_owned())
        })
        .unwrap();
    }

    /// The job, once it has ended.
    fn end_of(&self, job: &str) -> Value {
        wait_for("the job to end", ENDED_WITHIN, || {
            let shown = self
                .stage
                .cli
                .json(&["job", "show", job, "--vault", VAULT])
                .map_err(|error| error.to_string())?;
            if ["InProgress", "Accepted"].contains(&status(&shown)) {
                Err(format!("{shown:#}"))
            } else {
                Ok(shown)
            }
        })
        .unwrap()
    }

    /// What is left in the cluster, once the server had the time to remove it after the job's end.
    fn leftover_jobs_in_time(&self) -> Vec<String> {
        wait_for(
            "the custom resources to be removed",
            Duration::from_secs(30),
            || {
                let left = self
                    .stage
                    .leftover_jobs()
                    .map_err(|error| error.to_string())?;
                if left.is_empty() {
                    Ok(left)
                } else {
                    Err(format!("{left:?}"))
                }
            },
        )
        .unwrap()
    }
}
