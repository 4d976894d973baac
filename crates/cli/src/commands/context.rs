//! `strongroom context`: stored servers and defaults. Nothing here talks to a server.

mod current;
mod delete;
mod list;
mod r#use;

use serde::Serialize;

use crate::context_file::ContextFile;
use crate::error::CliError;
use crate::output::{self, Columns};
use crate::settings::GlobalArgs;
use crate::terminal::Terminal;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List the contexts
    List(list::Args),
    /// Make a context the current one; with -g, -l, --subscription also store these as its defaults
    Use(r#use::Args),
    /// Show the current context
    Current(current::Args),
    /// Forget a context
    Delete(delete::Args),
}

impl Verb {
    pub(super) fn run(self, global: &GlobalArgs, terminal: &Terminal) -> Result<(), CliError> {
        match self {
            Self::List(args) => args.run(global, terminal),
            Self::Use(args) => args.run(global, terminal),
            Self::Current(args) => args.run(global, terminal),
            Self::Delete(args) => args.run(global, terminal),
        }
    }
}

/// A context without its secrets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    current: bool,
    server: String,
    subscription: Option<String>,
    resource_group: Option<String>,
    location: Option<String>,
    has_token: bool,
}

const COLUMNS: Columns<Shown> = &[
    ("CURRENT", |shown| {
        if shown.current {
            "*".to_owned()
        } else {
            String::new()
        }
    }),
    ("NAME", |shown| shown.name.clone()),
    ("SERVER", |shown| shown.server.clone()),
    ("SUBSCRIPTION", |shown| {
        output::or_nothing(shown.subscription.as_deref())
    }),
    ("RESOURCE GROUP", |shown| {
        output::or_nothing(shown.resource_group.as_deref())
    }),
    ("LOCATION", |shown| {
        output::or_nothing(shown.location.as_deref())
    }),
];

fn shown(file: &ContextFile) -> Vec<Shown> {
    let all = file.contexts.iter().map(|(name, context)| Shown {
        name: name.clone(),
        current: file.current.as_ref() == Some(name),
        server: context.server.clone(),
        subscription: context.subscription.clone(),
        resource_group: context.resource_group.clone(),
        location: context.location.clone(),
        has_token: context.token.is_some(),
    });
    all.collect()
}
