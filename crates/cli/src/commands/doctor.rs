//! `strongroom doctor`: looks at each step from here to the clusters and says how to mend what is
//! amiss. It changes nothing. A step that cannot be looked at because one before it failed is left
//! out: its trouble is the earlier one.

use serde::Serialize;
use strongroom_api::client::id::{self, ClusterKind};
use strongroom_api::client::{Client, ClientError};
use strongroom_api::cluster::ClusterResource;
use strongroom_api::instance::CurrentProtectionState;

use crate::error::CliError;
use crate::output::{self, Columns};
use crate::session::{Session, id_of};
use crate::settings::GlobalArgs;
use crate::terminal::Terminal;

#[derive(Debug, clap::Args)]
pub struct Args {}

/// What one look found.
#[derive(Debug, Serialize)]
struct Check {
    /// What was looked at.
    check: String,
    /// Is it as it should be?
    healthy: bool,
    /// What was seen.
    detail: String,
    /// How to mend it; empty when there is nothing to mend.
    fix: String,
}

const COLUMNS: Columns<Check> = &[
    ("CHECK", |check| check.check.clone()),
    ("STATE", |check| {
        if check.healthy {
            "ok".to_owned()
        } else {
            "PROBLEM".to_owned()
        }
    }),
    ("DETAIL", |check| output::or_nothing(Some(&check.detail))),
];

#[derive(Debug, Default)]
struct Findings(Vec<Check>);

impl Findings {
    fn fine(&mut self, check: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Check {
            check: check.into(),
            healthy: true,
            detail: detail.into(),
            fix: String::new(),
        });
    }

    fn problem(
        &mut self,
        check: impl Into<String>,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.0.push(Check {
            check: check.into(),
            healthy: false,
            detail: detail.into(),
            fix: fix.into(),
        });
    }

    /// A failed call: its own text has the way out.
    fn failed(&mut self, check: impl Into<String>, error: &CliError) {
        let text = error.to_string();
        let (headline, rest) = text.split_once('\n').unwrap_or((text.as_str(), ""));
        let detail = headline.trim_start_matches("error");
        self.problem(check, detail, rest.trim());
    }
}

impl Args {
    pub(super) async fn run(self, global: GlobalArgs, terminal: &Terminal) -> Result<(), CliError> {
        let session = Session::open(global, terminal)?;
        let mut findings = Findings::default();
        look(&session, &mut findings).await;
        session.show_all(COLUMNS, &findings.0)?;
        let problems: Vec<&Check> = findings.0.iter().filter(|check| !check.healthy).collect();
        for problem in &problems {
            session
                .terminal
                .say(&format!("\n{}: {}", problem.check, problem.detail));
            if !problem.fix.is_empty() {
                session.terminal.say(&format!("  {}", problem.fix));
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(CliError::Unhealthy(problems.len()))
        }
    }
}

async fn look(session: &Session<'_>, findings: &mut Findings) {
    let client = match session.client() {
        Ok(client) => client,
        Err(error) => return findings.failed("context", &error),
    };
    let name = session
        .settings
        .context_name
        .clone()
        .unwrap_or_else(|| "(none)".to_owned());
    findings.fine("context", format!("{name}, server {}", client.server()));
    if !server(&client, findings).await || !token(session, &client, findings).await {
        return;
    }
    let group = match session.group() {
        Ok(group) => group,
        Err(error) => return findings.failed("resource group", &error),
    };
    match client
        .resource_groups(&group.subscription)
        .get(&group.name)
        .await
    {
        Ok(_) => findings.fine("resource group", &group.name),
        Err(error) => return findings.failed("resource group", &error.into()),
    }
    if let Err(error) = clusters(&client, &group, findings).await {
        findings.failed("clusters", &error);
    }
    if let Err(error) = instances(&client, &group, findings).await {
        findings.failed("instances", &error);
    }
}

async fn server(client: &Client, findings: &mut Findings) -> bool {
    let tls = if client.server().scheme() == "https" {
        "TLS, trusted"
    } else {
        "no TLS, this machine only"
    };
    match client.check_ready().await {
        Ok(()) => {
            findings.fine("server", "reachable and ready");
            findings.fine("certificate", tls);
            true
        }
        Err(error @ ClientError::CertificateNotTrusted { .. }) => {
            findings.fine("server", "reachable");
            findings.failed("certificate", &error.into());
            false
        }
        Err(error) => {
            findings.failed("server", &error.into());
            false
        }
    }
}

async fn token(session: &Session<'_>, client: &Client, findings: &mut Findings) -> bool {
    if !session.settings.has_token() {
        findings.problem(
            "token",
            "none is given",
            "Log in: strongroom login --server URL --ca-file FILE --token-file FILE",
        );
        return false;
    }
    let outcome = match client.subscriptions().list() {
        Ok(pages) => pages.all().await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(found) => {
            findings.fine(
                "token",
                format!("accepted, {} subscription(s)", found.len()),
            );
            true
        }
        Err(error) => {
            findings.failed("token", &error.into());
            false
        }
    }
}

async fn clusters(
    client: &Client,
    group: &id::Group,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let mut found = client
        .clusters(group, ClusterKind::Connected)
        .list()?
        .all()
        .await?;
    found.extend(
        client
            .clusters(group, ClusterKind::Managed)
            .list()?
            .all()
            .await?,
    );
    if found.is_empty() {
        findings.fine("clusters", "none registered yet");
    }
    for listed in found {
        // The list may tell what was seen last; reading the cluster itself asks it again.
        let id = id_of(&listed)?;
        let kind = if id.contains(ClusterKind::Managed.provider()) {
            ClusterKind::Managed
        } else {
            ClusterKind::Connected
        };
        let cluster = client
            .clusters(group, kind)
            .get(id::name(&id))
            .await
            .unwrap_or(listed);
        let name = id::name(&id);
        let check = format!("cluster {name}");
        if connected(&cluster) {
            findings.fine(
                check,
                cluster
                    .properties
                    .kubernetes_version
                    .as_deref()
                    .unwrap_or("connected"),
            );
            extension(client, &id, findings).await?;
        } else {
            let status = cluster
                .properties
                .connectivity_status
                .as_deref()
                .unwrap_or("unknown");
            let why = cluster
                .properties
                .connectivity_message
                .as_deref()
                .unwrap_or("the server does not say why");
            findings.problem(
                check,
                format!("{status}: {why}"),
                format!("Check that the server can reach the cluster's API, then register it again with a working kubeconfig: strongroom cluster register {name} --kubeconfig FILE"),
            );
        }
    }
    Ok(())
}

fn connected(cluster: &ClusterResource) -> bool {
    cluster
        .properties
        .connectivity_status
        .as_deref()
        .is_none_or(|status| status.eq_ignore_ascii_case("Connected"))
}

async fn extension(
    client: &Client,
    cluster_id: &str,
    findings: &mut Findings,
) -> Result<(), CliError> {
    let name = id::name(cluster_id);
    let check = format!("extension on {name}");
    let found = client.extensions(cluster_id).list()?.all().await?;
    let Some(listed) = found.into_iter().next() else {
        findings.problem(
            check,
            "not installed",
            format!("strongroom extension install --cluster {name} --account ACCOUNT --container CONTAINER"),
        );
        return Ok(());
    };
    // The list tells what was seen last; reading the extension itself asks it.
    let named = listed.name.clone().unwrap_or_default();
    let read = client.extensions(cluster_id).get(&named).await;
    let extension = read.unwrap_or(listed);
    let own = &extension.properties;
    let state = own.provisioning_state.as_deref().unwrap_or("unknown");
    let statuses = own.statuses.as_deref().unwrap_or_default();
    let unwell = statuses.iter().find(|status| {
        status
            .level
            .as_deref()
            .is_some_and(|level| level.eq_ignore_ascii_case("Error"))
    });
    for warning in statuses.iter().filter(|status| {
        status
            .level
            .as_deref()
            .is_some_and(|level| level.eq_ignore_ascii_case("Warning"))
    }) {
        findings.problem(
            format!("volume snapshots on {name}"),
            warning.message.as_deref().unwrap_or_default(),
            "What is gone does not come back: take a new backup of these applications, and see in the storage's log who removed it.",
        );
    }
    match (&own.error_info, unwell) {
        (Some(error), _) => findings.problem(
            check,
            format!("{state}: {} [{}]", error.message, error.code),
            "Look at its pods: kubectl -n dataprotection-microsoft get pods",
        ),
        (None, Some(status)) => findings.problem(
            check,
            format!("{state}: {}", status.message.as_deref().unwrap_or_default()),
            "Look at its pods: kubectl -n dataprotection-microsoft get pods",
        ),
        (None, None) if state.eq_ignore_ascii_case("Succeeded") => {
            findings.fine(check, own.current_version.as_deref().unwrap_or("running"));
        }
        (None, None) => findings.problem(
            check,
            state,
            "Wait until it runs; if it does not, install it again.",
        ),
    }
    Ok(())
}

async fn instances(
    client: &Client,
    group: &id::Group,
    findings: &mut Findings,
) -> Result<(), CliError> {
    for vault in client.vaults(group).list()?.all().await? {
        let vault_id = id_of(&vault)?;
        let mut pages = client.instances(&vault_id).list()?;
        while let Some(page) = pages.next().await? {
            for instance in page {
                let name = instance.name.as_deref().unwrap_or_default();
                let check = format!("instance {}/{name}", id::name(&vault_id));
                let error = instance.properties.protection_error_details.as_ref();
                match (instance.properties.current_protection_state, error) {
                    (_, Some(error)) => {
                        let code = error.code.as_deref().unwrap_or_default();
                        let action = error
                            .recommended_action
                            .clone()
                            .unwrap_or_default()
                            .join(" ");
                        findings.problem(
                            check,
                            format!("[{code}] {}", error.message.as_deref().unwrap_or_default()),
                            action,
                        );
                    }
                    (
                        Some(
                            state @ (CurrentProtectionState::ProtectionError
                            | CurrentProtectionState::ConfiguringProtectionFailed),
                        ),
                        None,
                    ) => {
                        findings.problem(
                            check,
                            format!("{state:?}"),
                            format!(
                                "strongroom instance show {name} --vault {} -o yaml",
                                id::name(&vault_id)
                            ),
                        );
                    }
                    (state, None) => {
                        let state = state.map(|state| format!("{state:?}")).unwrap_or_default();
                        let cluster_id = &instance.properties.data_source_info.resource_id;
                        match bound(client, cluster_id, &vault_id).await {
                            Ok(true) => findings.fine(check, state),
                            Ok(false) => findings.problem(
                                check,
                                "[UserErrorTrustedAccessMissing] the vault has no access to the cluster: no backup can run",
                                format!(
                                    "strongroom cluster grant {} --vault {}",
                                    id::name(cluster_id),
                                    id::name(&vault_id)
                                ),
                            ),
                            Err(error) => findings.failed(check, &error.into()),
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

/// Whether a vault may reach a cluster.
async fn bound(client: &Client, cluster_id: &str, vault_id: &str) -> Result<bool, ClientError> {
    let mut pages = client.trusted_access(cluster_id).list()?;
    while let Some(page) = pages.next().await? {
        let of_vault = |source: &str| source.eq_ignore_ascii_case(vault_id);
        if page
            .iter()
            .any(|binding| of_vault(&binding.properties.source_resource_id))
        {
            return Ok(true);
        }
    }
    Ok(false)
}
