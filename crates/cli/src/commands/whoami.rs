//! `strongroom whoami`.

use strongroom_api::administration::Me;

use super::Run;
use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {}

const COLUMNS: Columns<Me> = &[
    ("NAME", |me| me.name.clone()),
    ("KIND", |me| me.kind.clone()),
    ("OBJECT ID", |me| me.object_id.clone()),
    ("GROUPS", |me| {
        let names: Vec<&str> = me.groups.iter().map(|group| group.name.as_str()).collect();
        output::or_nothing(Some(names.join(", ").as_str()).filter(|names| !names.is_empty()))
    }),
];

impl Run for Args {
    async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        session.show(COLUMNS, &session.client()?.me().await?)
    }
}
