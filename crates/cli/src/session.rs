//! What a running command has at hand: settings, client, terminal; and how names become ids.

use serde::Serialize;
use strongroom_api::arm::Resource;
use strongroom_api::client::id::{self, ClusterKind, Group};
use strongroom_api::client::{Client, ClientError, LongRunning};
use strongroom_api::cluster::ClusterResource;

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::settings::{GlobalArgs, Settings};
use crate::talk::Progress;
use crate::terminal::Terminal;

/// The HTTP status with which ARM answers a DELETE of what is not there.
const NOTHING_THERE: u16 = 204;

/// One command's surroundings.
pub(crate) struct Session<'t> {
    pub(crate) args: GlobalArgs,
    pub(crate) settings: Settings,
    pub(crate) terminal: &'t Terminal,
}

impl<'t> Session<'t> {
    pub(crate) fn open(args: GlobalArgs, terminal: &'t Terminal) -> Result<Self, CliError> {
        let settings = args.settings()?;
        Ok(Self {
            args,
            settings,
            terminal,
        })
    }

    pub(crate) fn client(&self) -> Result<Client, CliError> {
        self.settings.client()
    }

    pub(crate) fn group(&self) -> Result<Group, CliError> {
        self.settings.group()
    }

    /// A remark on standard error.
    pub(crate) fn say(&self, line: &str) {
        if !self.args.quiet {
            self.terminal.say(line);
        }
    }

    /// Something that takes time.
    pub(crate) fn progress(&self, title: &str) -> Progress<'t> {
        Progress::start(self.terminal, self.args.quiet, title)
    }

    /// Shows one thing.
    pub(crate) fn show<T: Serialize>(&self, columns: Columns<T>, item: &T) -> Result<(), CliError> {
        self.terminal
            .data(&output::item(self.args.output, columns, item)?)
    }

    /// Shows many things.
    pub(crate) fn show_all<T: Serialize>(
        &self,
        columns: Columns<T>,
        items: &[T],
    ) -> Result<(), CliError> {
        self.terminal
            .data(&output::list(self.args.output, columns, items)?)
    }

    /// Waits for an operation with progress.
    pub(crate) async fn finish<T: serde::de::DeserializeOwned>(
        &self,
        title: &str,
        running: LongRunning<T>,
    ) -> Result<T, CliError> {
        if running.is_done() {
            return Ok(running.wait().await?);
        }
        let mut progress = self.progress(title);
        Ok(running
            .wait_with(|seen| progress.tell(&seen.status, whole(seen.percent)))
            .await?)
    }

    /// Waits for a delete with progress.
    pub(crate) async fn finish_delete(
        &self,
        what: &str,
        running: LongRunning<()>,
    ) -> Result<(), CliError> {
        let outcome = if running.first_status() == NOTHING_THERE {
            "did not exist"
        } else {
            "is deleted"
        };
        self.finish(&format!("deleting {what}"), running).await?;
        self.say(&format!("{what} {outcome}"));
        Ok(())
    }

    /// Where something new goes: the location that was asked for, else the resource group's.
    pub(crate) async fn location(&self) -> Result<String, CliError> {
        if let Some(location) = self.settings.location() {
            return Ok(location.to_owned());
        }
        let group = self.group()?;
        let found = self
            .client()?
            .resource_groups(&group.subscription)
            .get(&group.name)
            .await?;
        found
            .location
            .ok_or_else(|| CliError::invalid("no location is known", "Give -l LOCATION."))
    }

    /// The id of a vault, from an id or a name in the resource group.
    pub(crate) fn vault_id(&self, vault: &str) -> Result<String, CliError> {
        if vault.starts_with('/') {
            return Ok(vault.to_owned());
        }
        Ok(self.group()?.vault(vault))
    }

    /// The id of a child of a vault, from an id or a name.
    pub(crate) fn vault_child(
        &self,
        vault: &str,
        collection: &str,
        name: &str,
    ) -> Result<String, CliError> {
        if name.starts_with('/') {
            return Ok(name.to_owned());
        }
        Ok(id::child(&self.vault_id(vault)?, collection, name))
    }

    /// A cluster, from an id or a name in the resource group, whichever way it is registered.
    pub(crate) async fn cluster(&self, cluster: &str) -> Result<ClusterResource, CliError> {
        let client = self.client()?;
        if cluster.starts_with('/') {
            let (group, kind) = group_and_kind(cluster)?;
            return Ok(client.clusters(&group, kind).get(id::name(cluster)).await?);
        }
        let group = self.group()?;
        let connected = client
            .clusters(&group, ClusterKind::Connected)
            .get(cluster)
            .await;
        match connected {
            Err(error) if error.is_not_found() => {
                match client
                    .clusters(&group, ClusterKind::Managed)
                    .get(cluster)
                    .await
                {
                    // The name that most people mean is in the first answer.
                    Err(second) if second.is_not_found() => Err(error.into()),
                    other => Ok(other?),
                }
            }
            other => Ok(other?),
        }
    }

    /// Starts to delete the cluster with this id.
    pub(crate) async fn delete_cluster(
        &self,
        cluster_id: &str,
    ) -> Result<LongRunning<()>, CliError> {
        let (group, kind) = group_and_kind(cluster_id)?;
        Ok(self
            .client()?
            .clusters(&group, kind)
            .delete(id::name(cluster_id))
            .await?)
    }

    /// The id of [`Session::cluster`]; an id is taken as it is.
    pub(crate) async fn cluster_id(&self, cluster: &str) -> Result<String, CliError> {
        if cluster.starts_with('/') {
            return Ok(cluster.to_owned());
        }
        id_of(&self.cluster(cluster).await?)
    }
}

/// A percentage as the progress bar takes it.
pub(crate) fn whole(percent: Option<f64>) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0 … 100"
    )]
    percent.map(|percent| percent.clamp(0.0, 100.0) as u64)
}

/// The id of a resource that the server answered.
pub(crate) fn id_of<P>(resource: &Resource<P>) -> Result<String, CliError> {
    resource.id.clone().ok_or_else(|| {
        CliError::Client(ClientError::Protocol {
            what: resource.name.clone().unwrap_or_default(),
            message: "the resource has no id".to_owned(),
        })
    })
}

fn group_and_kind(cluster_id: &str) -> Result<(Group, ClusterKind), CliError> {
    let parts =
        id::segment(cluster_id, "subscriptions").zip(id::segment(cluster_id, "resourceGroups"));
    let kind = id::resource_type(cluster_id).and_then(|found| {
        [ClusterKind::Connected, ClusterKind::Managed]
            .into_iter()
            .find(|kind| {
                found.eq_ignore_ascii_case(&format!("{}/{}", kind.provider(), kind.collection()))
            })
    });
    match (parts, kind) {
        (Some((subscription, group)), Some(kind)) => Ok((
            Group {
                subscription: subscription.to_owned(),
                name: group.to_owned(),
            },
            kind,
        )),
        _ => Err(CliError::invalid(
            format!("'{cluster_id}' is not the id of a cluster"),
            "Give the cluster's name, or an id of type Microsoft.Kubernetes/connectedClusters or Microsoft.ContainerService/managedClusters.",
        )),
    }
}
