//! What a run found: figures by name, held against their bars, as a table, as JSON and as Markdown.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::processes::Cpu;
use crate::failure::{Doing, Failure, Result};
use crate::talk::data;
use crate::workspace;

/// The figures of one run, by name: of one number of objects, for example.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// What they are of, as a column's head.
    column: String,
    /// What they are of, as a key.
    key: String,
    /// By which columns are sorted.
    rank: usize,
    values: BTreeMap<String, f64>,
}

/// What a benchmark tells: its bars, and what is behind them.
pub(crate) struct Sheet {
    /// The command, as in the marks of its section of `docs/benchmarks.md`.
    pub(crate) command: &'static str,
    pub(crate) bars: &'static [Bar],
    /// Further figures: in words, and by name.
    pub(crate) behind: &'static [(&'static str, &'static str)],
}

/// What a figure must reach, and where that is said.
pub(crate) struct Bar {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) limit: Limit,
}

pub(crate) enum Limit {
    Most(f64),
    Least(f64),
}

/// The benchmark of many objects.
pub(crate) const RESOURCES: Sheet = Sheet {
    command: "cargo xtask bench resources",
    bars: &BARS,
    behind: &BEHIND,
};

/// The bars of issue 4.
const BARS: [Bar; 8] = [
    Bar {
        name: "backup_over_raw_list",
        what: "a full backup, over the raw paginated list",
        limit: Limit::Most(1.25),
    },
    Bar {
        name: "extension_peak_rss_mib",
        what: "the extension's peak memory in a cgroup of 128 MiB, in MiB",
        limit: Limit::Most(super::setting::MEMORY_MIB as f64),
    },
    Bar {
        name: "extension_peak_rss_growth",
        what: "growth of that from the smallest to the largest number of objects",
        limit: Limit::Most(0.10),
    },
    Bar {
        name: "increment_bytes_over_full",
        what: "new bytes of the next backup after a change of 1 %, over the full one's",
        limit: Limit::Most(0.02),
    },
    Bar {
        name: "restore_over_raw_create",
        what: "a restore into an empty cluster, over the raw concurrent creates",
        limit: Limit::Most(1.5),
    },
    Bar {
        name: "equal_restore_writes",
        what: "writes of a restore onto an equal cluster",
        limit: Limit::Most(0.0),
    },
    Bar {
        name: "equal_restore_rate_over_fresh",
        what: "rate of that restore, over the fresh one's",
        limit: Limit::Least(2.0),
    },
    Bar {
        name: "calls_per_object",
        what: "API calls for each object of the fresh restore",
        limit: Limit::Most(1.2),
    },
];

impl Bar {
    fn is_met(&self, value: f64) -> bool {
        match self.limit {
            Limit::Most(most) => value <= most,
            Limit::Least(least) => value >= least,
        }
    }

    fn limit(&self) -> String {
        match self.limit {
            Limit::Most(most) => format!("≤ {most}"),
            Limit::Least(least) => format!("≥ {least}"),
        }
    }
}

impl Figures {
    /// No figures yet.
    pub(crate) fn of(objects: usize) -> Self {
        Self {
            column: format!("{} objects", grouped(objects)),
            key: objects.to_string(),
            rank: objects,
            values: BTreeMap::from([("objects".to_owned(), objects as f64)]),
        }
    }

    /// No figures yet, of the one run that there is.
    pub(crate) fn of_one_run() -> Self {
        Self {
            column: "measured".to_owned(),
            key: "measured".to_owned(),
            rank: 0,
            values: BTreeMap::new(),
        }
    }

    /// No figures yet, of one of the databases.
    pub(crate) fn of_column(column: &str, key: &str, rank: usize) -> Self {
        Self {
            column: column.to_owned(),
            key: key.to_owned(),
            rank,
            values: BTreeMap::new(),
        }
    }

    /// Of several columns the worse figure for each bar, as far as it was measured.
    pub(crate) fn worst(sheet: &Sheet, all: &[Self]) -> Self {
        let mut worst = Self::of_one_run();
        for bar in sheet.bars {
            let values = all.iter().map(|figures| figures.get(bar.name));
            let value = values.fold(f64::NAN, |one, other| match bar.limit {
                Limit::Most(_) => one.max(other),
                Limit::Least(_) => one.min(other),
            });
            worst.set(bar.name, value);
        }
        worst
    }

    /// A name for a backup instance of this run.
    pub(crate) fn instance(&self, what: &str) -> String {
        format!("bench-{}-{what}", self.key)
    }

    /// Sets a figure.
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        self.values.insert(name.to_owned(), value);
    }

    /// Sets a figure that is a count.
    pub(crate) fn set_count(&mut self, name: &str, value: u64) {
        self.set(name, value as f64);
    }

    /// A figure; not a number when it was not measured.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.values.get(name).copied().unwrap_or(f64::NAN)
    }

    /// Raises the extension's peak to this, in MiB.
    pub(crate) fn peak(&mut self, mib: f64) {
        let before = self.values.get("extension_peak_rss_mib").copied();
        self.set(
            "extension_peak_rss_mib",
            before.unwrap_or_default().max(mib),
        );
    }

    /// Sets the CPU seconds of a phase.
    pub(crate) fn cpu(&mut self, phase: &str, cpu: Cpu) {
        let parts = [
            ("api_server", cpu.api_server),
            ("etcd", cpu.etcd),
            ("extension", cpu.extension),
            ("server", cpu.server),
        ];
        for (part, seconds) in parts {
            self.set(&format!("{phase}_cpu_seconds_{part}"), seconds);
        }
    }

    fn to_json(&self) -> Map<String, Value> {
        let known = self.values.iter().filter(|(_, value)| value.is_finite());
        known
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect()
    }
}

/// Sets what only two sizes together can say: how memory grows.
pub(crate) fn compare_sizes(all: &mut [Figures]) {
    all.sort_by_key(|figures| figures.rank);
    let peak =
        |figures: Option<&Figures>| figures.map_or(f64::NAN, |f| f.get("extension_peak_rss_mib"));
    let growth = peak(all.last()) / peak(all.first()) - 1.0;
    if all.len() > 1
        && let Some(largest) = all.last_mut()
    {
        largest.set("extension_peak_rss_growth", growth);
    }
}

/// Prints the ratios with their bars.
pub(crate) fn print(sheet: &Sheet, all: &[Figures]) {
    for figures in all {
        data(format_args!("\n{}", figures.column));
        for bar in sheet.bars {
            let value = figures.get(bar.name);
            data(format_args!(
                "  {:<8} {:<32} {:>10} (bar {})  {}",
                verdict(bar, value),
                bar.name,
                told(value),
                bar.limit(),
                bar.what
            ));
        }
    }
}

/// The figures as JSON: an object for each column, and those of the last on top.
pub(crate) fn write_json(all: &[Figures], file: &Path) -> Result<()> {
    write_json_with(all.last(), all, file)
}

/// The same with other figures on top.
pub(crate) fn write_json_with(top: Option<&Figures>, all: &[Figures], file: &Path) -> Result<()> {
    let mut top = top.map(Figures::to_json).unwrap_or_default();
    for figures in all {
        top.insert(figures.key.clone(), Value::Object(figures.to_json()));
    }
    let doing = || format!("write {}", file.display());
    let text = serde_json::to_string_pretty(&Value::Object(top)).doing(doing)?;
    std::fs::write(file, text + "\n").doing(doing)
}

/// Writes the benchmark's section into `docs/benchmarks.md`, between its marks.
pub(crate) fn write_markdown(sheet: &Sheet, section: &str) -> Result<()> {
    let file = workspace::root().join("docs/benchmarks.md");
    let doing = || "write docs/benchmarks.md".to_owned();
    let text = std::fs::read_to_string(&file).doing(doing)?;
    let replaced = replaced(&text, sheet.command, section)
        .ok_or_else(|| Failure::new(doing(), "it has no marks of this benchmark"))?;
    std::fs::write(&file, replaced).doing(doing)
}

/// Puts a section between the marks of its command.
fn replaced(text: &str, command: &str, section: &str) -> Option<String> {
    let begin = format!("<!-- begin: {command} -->");
    let end = format!("<!-- end: {command} -->");
    let (before, rest) = text.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", section.trim()))
}

/// The section: a table of the bars, a column for each size, and one of what is behind them.
pub(crate) fn markdown(sheet: &Sheet, all: &[Figures], about: &str) -> String {
    let mut text = format!("{about}\n\n");
    let heads = all.iter().map(|figures| format!(" {} |", figures.column));
    let head: String = heads.collect();
    let rule = all.iter().map(|_| " --- |").collect::<String>();
    text.push_str(&format!("| what | bar |{head}\n| --- | --- |{rule}\n"));
    for bar in sheet.bars {
        let cells = all.iter().map(|figures| {
            let value = figures.get(bar.name);
            match verdict(bar, value) {
                "missed" => format!(" {} **missed** |", told(value)),
                _ => format!(" {} |", told(value)),
            }
        });
        let cells: String = cells.collect();
        text.push_str(&format!(
            "| {} `[{}]` | {} |{cells}\n",
            bar.what,
            bar.name,
            bar.limit()
        ));
    }
    text.push_str(&format!("\n| behind them |{head}\n| --- |{rule}\n"));
    for (what, name) in sheet.behind {
        if all.iter().all(|figures| figures.get(name).is_nan()) {
            continue;
        }
        let cells: String = all
            .iter()
            .map(|figures| format!(" {} |", told(figures.get(name))))
            .collect();
        text.push_str(&format!("| {what} |{cells}\n"));
    }
    peer(all, head.as_str(), rule.as_str(), &mut text);
    text
}

/// The table of the peer, when it was measured: its figures, and how many times ours they are.
fn peer(all: &[Figures], head: &str, rule: &str, text: &mut String) {
    let is_measured = |figures: &Figures| !figures.get("velero_first_backup_seconds").is_nan();
    if !all.iter().any(is_measured) {
        return;
    }
    text.push_str(&format!(
        "\n| Velero, and how many times ours |{head}\n| --- |{rule}\n"
    ));
    for (what, theirs, ours) in PEER {
        let cells: String = all
            .iter()
            .map(|figures| {
                let (theirs, ours) = (figures.get(theirs), figures.get(ours));
                format!(" {} ({} ×) |", told(theirs), told(theirs / ours))
            })
            .collect();
        text.push_str(&format!("| {what} |{cells}\n"));
    }
}

/// What is told of the peer: its figure, and ours to hold against it.
const PEER: [(&str, &str, &str); 7] = [
    (
        "full backup, s",
        "velero_first_backup_seconds",
        "backup_seconds",
    ),
    (
        "… CPU s of its server",
        "velero_first_backup_cpu_seconds",
        "backup_cpu_seconds_extension",
    ),
    (
        "… peak memory, MiB",
        "velero_backup_peak_rss_mib",
        "extension_peak_rss_mib",
    ),
    (
        "second backup, s",
        "velero_second_backup_seconds",
        "increment_seconds",
    ),
    (
        "restore into an empty cluster, s",
        "velero_restore_seconds",
        "restore_seconds",
    ),
    (
        "… CPU s of its server",
        "velero_restore_cpu_seconds",
        "restore_cpu_seconds_extension",
    ),
    (
        "… peak memory, MiB",
        "velero_restore_peak_rss_mib",
        "extension_peak_rss_mib",
    ),
];

/// The figures that the second table tells, in its order.
const BEHIND: [(&str, &str); 25] = [
    ("raw list, s: the median", "raw_list_seconds"),
    ("… the best one", "raw_list_best_seconds"),
    (
        "CPU of it, s: API server",
        "raw_list_cpu_seconds_api_server",
    ),
    (
        "… the client that reads the bytes",
        "raw_list_cpu_seconds_client",
    ),
    ("full backup as the client sees it, s", "backup_seconds"),
    ("the extension's part of it, s", "backup_extension_seconds"),
    (
        "the extension's part, over the raw list",
        "backup_extension_over_raw_list",
    ),
    (
        "backup of an empty namespace: what every job costs, s",
        "empty_backup_seconds",
    ),
    (
        "CPU of a full backup, s: API server",
        "backup_cpu_seconds_api_server",
    ),
    ("… etcd", "backup_cpu_seconds_etcd"),
    ("… extension", "backup_cpu_seconds_extension"),
    ("… server", "backup_cpu_seconds_server"),
    ("second backup, 1 % changed, s", "increment_seconds"),
    (
        "the same with the job's report, new bytes over the full one's",
        "increment_and_report_over_full",
    ),
    ("stored bytes of the full backup", "full_stored_bytes"),
    ("raw creates, s", "raw_create_seconds"),
    ("restore as the client sees it, s", "restore_seconds"),
    ("the extension's part of it, s", "restore_extension_seconds"),
    (
        "CPU of a restore, s: API server",
        "restore_cpu_seconds_api_server",
    ),
    ("… extension", "restore_cpu_seconds_extension"),
    (
        "restore onto what is equal, policy Patch, s",
        "equal_restore_patch_seconds",
    ),
    ("… policy Skip, s", "equal_restore_skip_seconds"),
    (
        "calls for each object, policy Patch",
        "equal_restore_patch_calls_per_object",
    ),
    (
        "the extension's cgroup at its peak, page cache included, MiB",
        "extension_cgroup_peak_mib",
    ),
    ("kills for want of memory", "extension_out_of_memory_kills"),
];

fn verdict(bar: &Bar, value: f64) -> &'static str {
    if value.is_nan() {
        "–"
    } else if bar.is_met(value) {
        "reached"
    } else {
        "missed"
    }
}

/// A figure with as many digits as mean something.
fn told(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value}")
    } else if value.abs() < 0.1 {
        format!("{value:.4}")
    } else {
        format!("{value:.2}")
    }
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let mut text = digits[..first].to_owned();
    for group in digits.as_bytes()[first..].chunks(3) {
        text.push(',');
        text.push_str(&String::from_utf8_lossy(group));
    }
    text
}

#[cfg(test)]
mod tests;
