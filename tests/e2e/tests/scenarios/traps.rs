//! Restore truth: everything comes back as it was, or a written rule or the report says why not.

use std::time::Duration;

use serde_json::Value;
use strongroom_e2e::process::wait_for;
use strongroom_e2e::stage::{CLUSTER, INSTANCE, POLICY, Props, VAULT};
use strongroom_e2e::traps::{self, Api, Judgement, Report};

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
    let told = sample.report(&backup);
    traps::lose(&sample.api, &sample.stage.kubectl).unwrap();
    let restore = sample.stage.restore(&[]).unwrap();
    assert_ne!(
        status(&restore),
        "Failed",
        "{}",
        sample.stage.told(&restore)
    );
    let report = Report::of(&[&sample.report(&restore), &told]);

    traps::wait_at_rest(&sample.api).unwrap();
    let mut last = Judgement::default();
    let settled = wait_for("the state to be what it was", SETTLED_WITHIN, || {
        let after = traps::snapshot(&sample.api).map_err(|error| error.to_string())?;
        last = traps::judge(&before, &after, &report);
        if last.unexplained.is_empty() {
            Ok(())
        } else {
            Err(format!("{} differences", last.unexplained.len()))
        }
    });
    eprintln!("{last}");
    for explained in &last.explained {
        eprintln!("explained: {explained}");
    }
    assert!(
        settled.is_ok(),
        "unexplained:\n{}",
        last.unexplained.join("\n")
    );
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
