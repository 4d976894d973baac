//! `strongroom cluster register`.

use std::path::PathBuf;

use strongroom_api::client::id::ClusterKind;
use strongroom_api::cluster::{ClusterProperties, ClusterResource};
use strongroom_api::secret::Secret;

use crate::error::CliError;
use crate::kubeconfig;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the cluster
    name: String,
    /// Kubeconfig of an administrator of the cluster; kept encrypted by the server
    #[arg(long, value_name = "FILE")]
    kubeconfig: PathBuf,
    /// Context in the kubeconfig instead of its current one
    #[arg(long, value_name = "NAME")]
    kube_context: Option<String>,
    /// As which type of resource
    #[arg(long, value_enum, default_value_t)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Kind {
    /// Microsoft.Kubernetes/connectedClusters
    #[default]
    Connected,
    /// Microsoft.ContainerService/managedClusters
    Managed,
}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let kubeconfig = kubeconfig::load(&self.kubeconfig, self.kube_context.as_deref())?;
        let kind = match self.kind {
            Kind::Connected => ClusterKind::Connected,
            Kind::Managed => ClusterKind::Managed,
        };
        let properties =
            ClusterProperties { kubeconfig: Some(Secret::new(kubeconfig)), ..ClusterProperties::default() };
        let body = ClusterResource {
            location: Some(session.location().await?),
            ..ClusterResource::of(properties)
        };
        let running = session.client()?.clusters(&session.group()?, kind).put(&self.name, &body).await?;
        let cluster = session.finish(&format!("cluster {}", self.name), running).await?;
        session.show(super::COLUMNS, &cluster)
    }
}
