//! `strongroom group snapshot-class set`.

use strongroom_api::resource_group::SnapshotClass;

use crate::commands::key_value;
use crate::error::CliError;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Resource group
    group: String,
    /// CSI driver, as in disk.csi.azure.com
    #[arg(long)]
    driver: String,
    /// Parameter as the driver understands it, as KEY=VALUE; may be repeated. They replace all that were set
    #[arg(long = "parameter", value_name = "KEY=VALUE", value_parser = key_value)]
    parameters: Vec<(String, String)>,
    /// VolumeGroupSnapshotClass of the cluster by which several volumes are snapshotted at one instant
    #[arg(long, value_name = "NAME")]
    group_class: Option<String>,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let class = SnapshotClass {
            driver: self.driver,
            parameters: self.parameters.into_iter().collect(),
            group_class: self.group_class,
        };
        super::change(session, &self.group, |classes| {
            classes.retain(|one| one.driver != class.driver);
            classes.push(class);
        })
        .await
    }
}
