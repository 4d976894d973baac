//! The catalogue: rows in the released schema, of the samples that a test of the server holds against what
//! it writes (`crates/server/src/testing/rows.json`).
//!
//! Contract: every instance has a cluster of its own and all have one policy; recovery points are inserted in
//! the order in which time would have brought them, so that those of one instance lie as far apart as they do
//! in a catalogue that grew. Left out is what nothing of this asks for: kubeconfigs, installations and grants
//! of the clusters, and jobs but the newest. Notes of the server's own (schedules, looks of retention) are
//! left to the server.

use serde_json::Value;

use super::Size;
use super::sql::{Sql, quoted};
use crate::failure::{Doing, Failure, Result};

const ROWS: &str = include_str!("../../../../crates/server/src/testing/rows.json");

/// Days over which the recovery points of an instance are spread.
const DAYS: usize = 100;
/// What they were promised when they were made: less than the policy keeps them by now, so that an edit of it
/// makes all of them a question again.
const PROMISED_DAYS: usize = 7;
/// Of so many of the newest recovery points of an instance the job is there.
const JOBS_EACH: usize = 10;
const DAY_MICROS: usize = 24 * 3600 * 1_000_000;

/// The name of an instance, without its number.
pub(super) const INSTANCE: &str = "instance-";
/// Digits of that number.
pub(super) const DIGITS: usize = 6;

/// Fills it in.
pub(super) fn fill(sql: &Sql, vault: &str, policy: &str, size: Size) -> Result<()> {
    let rows: Value = serde_json::from_str(ROWS).doing(|| "read the sample rows".to_owned())?;
    let (before, after) = sql.around();
    let now = match sql {
        Sql::Sqlite(_) => sql.number("SELECT strftime('%s', 'now')"),
        Sql::Postgres(_) => sql.number("SELECT extract(epoch FROM now())::bigint"),
    }?;
    let fill = Fill {
        sql,
        rows: &rows,
        vault,
        policy,
        now: format!("{now:.0}000000"),
        each: (size.points / size.instances.max(1)).max(1),
        instances: size.instances,
    };
    let script = [
        before.to_owned(),
        fill.clusters()?,
        fill.instances()?,
        fill.edges(),
        fill.points()?,
        fill.jobs()?,
        after.to_owned(),
    ];
    sql.run(&script.join("\n")).map(drop)
}

struct Fill<'a> {
    sql: &'a Sql,
    rows: &'a Value,
    vault: &'a str,
    policy: &'a str,
    /// The present moment in microseconds.
    now: String,
    /// Recovery points of each instance.
    each: usize,
    instances: usize,
}

impl Fill<'_> {
    fn name(&self, of: &str) -> String {
        format!("'{of}' || {}", self.sql.decimal("i", DIGITS))
    }

    fn group(&self) -> &str {
        self.vault.split("/providers/").next().unwrap_or_default()
    }

    fn cluster(&self) -> String {
        let path = format!(
            "{}/providers/Microsoft.Kubernetes/connectedClusters/",
            self.group()
        );
        format!("('{path}' || {})", self.name("cluster-"))
    }

    fn instance(&self) -> String {
        format!(
            "('{}/backupInstances/' || {})",
            self.vault,
            self.name(INSTANCE)
        )
    }

    /// A sample as an SQL expression: what is the same everywhere is put in here, the rest in each row.
    fn sample(&self, name: &str, of_row: &[(&str, String)]) -> Result<String> {
        let sample = match name.split_once('.') {
            Some((row, column)) => &self.rows[row][column],
            None => &self.rows[name],
        };
        if sample.is_null() && !name.contains('.') {
            return Err(Failure::new(
                "fill the catalogue",
                format!("there is no sample of {name}"),
            ));
        }
        let mut sample = sample.clone();
        if name == "recoveryPoint"
            && let Some(members) = sample.as_object_mut()
        {
            // In a column of its own.
            members.shift_remove("servedTypes");
        }
        let text = sample.to_string();
        let text = text
            .replace("@GROUP@", self.group())
            .replace("@VAULT@", self.vault);
        let mut made = quoted(&text.replace("@POLICY@", self.policy));
        for (token, value) in of_row {
            made = format!("replace({made}, '@{token}@', {value})");
        }
        Ok(made)
    }

    fn of_instance(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CLUSTER", self.cluster()),
            ("CLUSTER_NAME", self.name("cluster-")),
            ("INSTANCE", self.instance()),
            ("INSTANCE_NAME", self.name(INSTANCE)),
        ]
    }

    /// A resource for each number, written by whoever wrote the vault.
    fn resources(&self, kind: &str, id: &str, name: &str, body: &str) -> String {
        let etag = self.sql.hex("i", 12);
        let kind = kind.to_lowercase();
        format!(
            "INSERT INTO resources (key, kind, id, name, body, etag, created_at, updated_at, created_by, updated_by)
             SELECT lower({id}), '{kind}', {id}, {name}, {body}, '\"00000000-0000-4000-8000-' || {etag} || '\"',
                    {now}, {now}, v.created_by, v.created_by
             FROM {numbers} n CROSS JOIN resources v WHERE v.key = lower('{vault}');",
            now = self.now,
            numbers = self.sql.below(self.instances),
            vault = self.vault,
        )
    }

    fn clusters(&self) -> Result<String> {
        let body = self.sample("cluster", &self.of_instance())?;
        let kind = "Microsoft.Kubernetes/connectedClusters";
        Ok(self.resources(kind, &self.cluster(), &self.name("cluster-"), &body))
    }

    fn instances(&self) -> Result<String> {
        let body = self.sample("instance", &self.of_instance())?;
        let kind = "Microsoft.DataProtection/backupVaults/backupInstances";
        Ok(self.resources(kind, &self.instance(), &self.name(INSTANCE), &body))
    }

    /// Who needs whom, and where each writes.
    fn edges(&self) -> String {
        let numbers = self.sql.below(self.instances);
        let (instance, cluster, policy) = (self.instance(), self.cluster(), self.policy);
        let group = self.group();
        let place = &self.rows["repository"]["containerId"];
        let container = place.as_str().unwrap_or_default().replace("@GROUP@", group);
        let prefix = format!("'instances/' || {}", self.name(INSTANCE));
        format!(
            "INSERT INTO uses (user_key, role, target_key)
                 SELECT lower({instance}), 'cluster', lower({cluster}) FROM {numbers} n;
             INSERT INTO uses (user_key, role, target_key)
                 SELECT lower({instance}), 'policy', lower('{policy}') FROM {numbers} n;
             INSERT INTO repositories (instance_key, container_id, prefix)
                 SELECT lower({instance}), '{container}', {prefix} FROM {numbers} n;"
        )
    }

    /// The pairs of an instance `i` and one of its recovery points `j`, the newest being 0, oldest first, with
    /// a number `k` of their own; of the newest so many.
    fn pairs(&self, newest: usize) -> String {
        format!(
            "(SELECT i, j, i * {each} + j AS k, {now} - j * {step} - i * 1000000 AS made
              FROM (SELECT i AS j FROM {points} a) p CROSS JOIN {instances} n ORDER BY j DESC, i) q",
            each = self.each,
            now = self.now,
            step = DAYS * DAY_MICROS / self.each,
            points = self.sql.below(newest.min(self.each)),
            instances = self.sql.below(self.instances),
        )
    }

    /// An id that is as scattered as a random one.
    fn id(&self, variant: &str) -> String {
        // Odd, so that no two numbers meet: Knuth's, the golden ratio of 2^32.
        let scattered = self.sql.hex("(k * 2654435761) % 4294967296", 8);
        format!(
            "({scattered} || '-0000-4000-{variant}-' || {})",
            self.sql.hex("k", 12)
        )
    }

    fn of_point(&self) -> Vec<(&'static str, String)> {
        let mut all = self.of_instance();
        let expires = self
            .sql
            .time(&format!("made + {}", PROMISED_DAYS * DAY_MICROS));
        all.extend([
            ("POINT", self.id("8000")),
            ("JOB", self.id("9000")),
            ("CREATED", self.sql.time("made")),
            ("EXPIRES", expires),
        ]);
        all
    }

    fn points(&self) -> Result<String> {
        let of_point = self.of_point();
        let body = self.sample("recoveryPoint", &of_point)?;
        let served = self.sample("recoveryPoint.servedTypes", &[])?;
        let tag = &self.rows["recoveryPoint"]["properties"]["retentionTagName"];
        Ok(format!(
            "INSERT INTO recovery_points
                 (id, instance_key, vault_key, job_id, created_at, expires_at, body, served_types, sequence,
                  tag)
             SELECT {id}, lower({instance}), lower('{vault}'), {job}, made, made + {promised}, {body},
                    {served}, {each} - j, '{tag}'
             FROM {pairs};",
            id = self.id("8000"),
            instance = self.instance(),
            vault = self.vault,
            job = self.id("9000"),
            promised = PROMISED_DAYS * DAY_MICROS,
            each = self.each,
            tag = tag.as_str().unwrap_or_default(),
            pairs = self.pairs(self.each),
        ))
    }

    fn jobs(&self) -> Result<String> {
        let of_point = self.of_point();
        let column = |name: &str| self.sample(&format!("job.{name}"), &of_point);
        let word = |name: &str| self.rows["job"][name].as_str().unwrap_or_default();
        Ok(format!(
            "INSERT INTO jobs (id, vault_key, instance_key, cluster_key, operation, status, step, progress,
                 request, result, error, created_at, started_at, ended_at, generation)
             SELECT {id}, lower('{vault}'), lower({instance}), lower({cluster}), '{operation}', '{status}',
                    '{step}', {progress}, {request}, {result}, {error}, made - 20000000, made - 19000000,
                    made + 1000000, 9
             FROM {pairs};",
            id = self.id("9000"),
            vault = self.vault,
            instance = self.instance(),
            cluster = self.cluster(),
            operation = word("operation"),
            status = word("status"),
            step = word("step"),
            progress = column("progress")?,
            request = column("request")?,
            result = column("result")?,
            error = column("error")?,
            pairs = self.pairs(JOBS_EACH),
        ))
    }
}
