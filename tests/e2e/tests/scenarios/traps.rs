//! Restore truth: everything comes back as it was, or a written rule or the report says why not.

use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::stage::{CLUSTER, INSTANCE, POLICY, Props, VAULT};
use strongroom_e2e::traps::{self, Api, COPY, Judgement, Report, Snapshot};

use super::stage_of_tests::{TestStage, status};

/// How long controllers may take to bring what they make anew to where it was.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// The sample on a stage; what is left of it goes with it.
struct Sample {
    stage: TestStage,
    api: Api,
}

#[test]
fn nothing_is_lost_changed_or_extra_but_what_a_rule_or_the_report_explains() {
    let sample = Sample::made();
    let before = traps::snapshot(&sample.api).unwrap();
    assert!(
        before.objects.len() >= 250,
        "{} objects",
        before.objects.len()
    );
    let backup = sample.stage.back_up().unwrap();
    assert_eq!(status(&backup), "CompletedWithWarnings");
    let told = sample.report(&backup);
    traps::lose(&sample.api, &sample.stage.kubectl).unwrap();

    let restore = sample.restored(&[]);
    let report = Report::of(&[&restore, &told]);
    let judgement = sample.settled(&before, &report);
    eprintln!("{judgement}");
    for explained in &judgement.explained {
        eprintln!("explained: {explained}");
    }
    judgement.must_be_clear();
    assert_eq!(report.not_allowed(), Vec::<String>::new());
    assert_eq!(report.unused(&judgement), Vec::<String>::new());
    sample.a_job_that_was_half_done_has_not_begun_anew();

    sample.an_equal_restore_writes_nothing();
    sample.a_copy_takes_nothing_from_the_original();
}

impl Sample {
    /// The sample is there and protected, with everything else that the cluster holds.
    fn made() -> Self {
        // A stage clears namespaces first, which do not end while an aggregated API is down.
        traps::clear(&Props::from_environment().unwrap().kubectl).unwrap();
        let stage = TestStage::bare();
        stage.create_vault().unwrap();
        stage.connect_cluster().unwrap();
        let words = [
            "instance",
            "create",
            INSTANCE,
            "--vault",
            VAULT,
            "--policy",
            POLICY,
            "--cluster",
            CLUSTER,
        ];
        stage.cli.run(&words).unwrap();
        let api = Api::open(&stage.kubectl).unwrap();
        traps::make(&api, &stage.kubectl).unwrap();
        Self { stage, api }
    }

    /// Restores with these options, waits until all is at rest, and returns the report.
    fn restored(&self, options: &[&str]) -> Value {
        let restore = self.stage.restore(options).unwrap();
        let told = || self.stage.told(&restore);
        assert_eq!(status(&restore), "CompletedWithWarnings", "{}", told());
        traps::wait_at_rest(&self.api).unwrap();
        self.report(&restore)
    }

    /// The judgement over the state as it is now, once controllers have made anew what they make.
    fn settled(&self, before: &Snapshot, report: &Report) -> Judgement {
        let mut last = Judgement::default();
        // Whether it came to rest is told by the judgement itself.
        let _ = wait_for("the state to be what it was", SETTLED_WITHIN, || {
            let after = traps::snapshot(&self.api).map_err(|error| error.to_string())?;
            last = traps::judge(before, &after, report);
            if last.unexplained.is_empty() {
                Ok(())
            } else {
                Err(format!("{} differences", last.unexplained.len()))
            }
        });
        last
    }

    /// The judgement over the state as it is now.
    fn judged(&self, before: &Snapshot, report: &Report) -> Judgement {
        let after = traps::snapshot(&self.api).unwrap();
        traps::judge(before, &after, report)
    }

    /// Its status is observed, which the judgement forgives; but what it had done it has not done again.
    fn a_job_that_was_half_done_has_not_begun_anew(&self) {
        let path = "/apis/batch/v1/namespaces/trap-runs/jobs/half-done";
        let job = self.api.get(path).unwrap();
        let status = &job["status"];
        assert_eq!(status["completedIndexes"], "0", "{status}");
        assert_eq!(status["succeeded"], 1, "{status}");
    }

    /// What was restored is equal to what is stored, in the eyes of the product as well: every object
    /// of every kind, as it is read back.
    fn an_equal_restore_writes_nothing(&self) {
        let report = self.restored(&["--conflict-policy", "patch"]);
        let written: Vec<&Value> = report
            .as_array()
            .unwrap()
            .iter()
            .filter(|line| line["outcome"] == "Created" || line["outcome"] == "Patched")
            .collect();
        assert!(written.is_empty(), "{written:#?}");
    }

    /// A restore into another namespace, told to patch: the original, and what both share, stay.
    fn a_copy_takes_nothing_from_the_original(&self) {
        let before = traps::snapshot(&self.api).unwrap();
        let mapping = format!("trap-app={COPY}");
        let options = [
            "--conflict-policy",
            "patch",
            "--include-namespaces",
            "trap-app",
            "--namespace-mapping",
            &mapping,
        ];
        self.restored(&options);
        // The copy differs from the original by itself and by the rights that it was given.
        let mut judgement = self.judged(&before, &Report::default());
        let binding = "ClusterRoleBinding.rbac.authorization.k8s.io /trap:cluster: ";
        let copy = format!("Namespace. /{COPY}: was not there before");
        judgement.unexplained.retain(|told| *told != copy);
        let (shared, rest): (Vec<_>, Vec<_>) = judgement
            .unexplained
            .drain(..)
            .partition(|told| told.starts_with(binding));
        assert!(rest.is_empty(), "{}", rest.join("\n"));
        let added = shared.iter().any(|told| told.contains("/subjects"));
        assert!(added, "the copy's account has no rights: {shared:#?}");
        let binding = self
            .stage
            .kubectl
            .json(&["get", "clusterrolebinding", "trap:cluster"])
            .unwrap();
        let namespaces: Vec<&str> = binding["subjects"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|subject| subject["namespace"].as_str())
            .collect();
        assert_eq!(namespaces, ["trap-app", COPY]);
    }

    fn report(&self, job: &Value) -> Value {
        let id = job["name"].as_str().unwrap();
        self.stage
            .cli
            .json(&["job", "report", id, "--vault", VAULT])
            .unwrap()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        if std::env::var_os("STRONGROOM_E2E_KEEP").is_some() {
            return;
        }
        if let Err(error) = traps::lose(&self.api, &self.stage.kubectl) {
            eprintln!("the sample of traps is not gone: {error}");
        }
    }
}
