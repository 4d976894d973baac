//! Data on standard output: a table for people, JSON and YAML for programs.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::error::CliError;

/// How data is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for people; not for programs, it may change.
    #[default]
    Table,
    /// The server's answer as JSON.
    Json,
    /// The same as YAML.
    Yaml,
    /// JSON, one document a line: of a list each item, streamed where it is long.
    Jsonl,
}

/// The columns of a table over `T`: a heading and how to read the cell.
pub(crate) type Columns<T> = &'static [(&'static str, fn(&T) -> String)];

/// What stands in a cell without a value.
pub(crate) const NOTHING: &str = "-";

/// Many things.
pub(crate) fn list<T: Serialize>(
    format: Format,
    columns: Columns<T>,
    items: &[T],
) -> Result<String, CliError> {
    match format {
        Format::Table => Ok(table(columns, items)),
        Format::Json => json(&items),
        Format::Jsonl => items.iter().map(json_line).collect(),
        Format::Yaml => yaml(&items),
    }
}

/// One thing.
pub(crate) fn item<T: Serialize>(
    format: Format,
    columns: Columns<T>,
    item: &T,
) -> Result<String, CliError> {
    match format {
        Format::Table => Ok(table(columns, std::slice::from_ref(item))),
        Format::Json => json(item),
        Format::Jsonl => json_line(item),
        Format::Yaml => yaml(item),
    }
}

/// The value of an optional text, or [`NOTHING`].
pub(crate) fn or_nothing(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty())
        .unwrap_or(NOTHING)
        .to_owned()
}

/// An instant to the second.
pub(crate) fn instant(time: Option<jiff::Timestamp>) -> String {
    match time.map(|time| time.round(jiff::Unit::Second).unwrap_or(time)) {
        Some(time) => time.to_string(),
        None => NOTHING.to_owned(),
    }
}

/// A number of bytes in the unit that people read.
pub(crate) fn bytes(count: Option<u64>) -> String {
    let Some(count) = count else {
        return NOTHING.to_owned();
    };
    indicatif::BinaryBytes(count).to_string()
}

fn table<T>(columns: Columns<T>, items: &[T]) -> String {
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(heading, _)| *heading));
    for item in items {
        table.add_row(columns.iter().map(|(_, value)| cell(&value(item))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let text = table.to_string();
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.push("");
    lines.join("\n")
}

/// A cell is one line: a line break or a tab in it would push all that follows out of its column.
pub(crate) fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn json_line<T: Serialize + ?Sized>(value: &T) -> Result<String, CliError> {
    serde_json::to_string(value)
        .map(|text| text + "\n")
        .map_err(|error| {
            CliError::internal(format!("the answer cannot be written as JSON: {error}"))
        })
}

pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, CliError> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| {
            CliError::internal(format!("the answer cannot be written as JSON: {error}"))
        })
}

pub(crate) fn yaml<T: Serialize + ?Sized>(value: &T) -> Result<String, CliError> {
    serde_norway::to_string(value).map_err(|error| {
        CliError::internal(format!("the answer cannot be written as YAML: {error}"))
    })
}
