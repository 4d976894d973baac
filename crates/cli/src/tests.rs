//! Whole commands, from arguments to exit code, against a small server that plays ours. What people
//! read is kept as snapshots.

mod audit;
mod commands;
mod errors;
mod guards;
mod help;
mod jobs;
mod missing_roles;
mod people;
mod preview;
mod protection;
mod roles;
mod service_principals;
mod tokens;
mod verdicts;

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use clap::{CommandFactory, Parser};
use serde_json::{Value, json};

use crate::{Command, ExtensionVerb, GlobalArgs, Terminal};

/// The command line as the program has it, without the parts that are not ours.
#[derive(Debug, Parser)]
#[command(name = "strongroom", max_term_width = 100)]
struct Program {
    #[command(subcommand)]
    command: ProgramCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ProgramCommand {
    /// The backup extension of a cluster
    Extension(ExtensionArgs),
    #[command(flatten)]
    Cli(Command),
}

#[derive(Debug, clap::Args)]
struct ExtensionArgs {
    #[command(subcommand)]
    verb: ExtensionVerb,
    #[command(flatten)]
    global: GlobalArgs,
}

/// What a command wrote and ended with.
#[derive(Debug)]
struct Outcome {
    code: u8,
    out: String,
    err: String,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {}\n--- data\n{}--- talk\n{}",
            self.code, self.out, self.err
        )
    }
}

#[derive(Clone, Default)]
struct Written(Rc<RefCell<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

/// Runs a command line; `words` are separated by spaces.
fn run(words: &str) -> Outcome {
    let words: Vec<&str> = words.split_whitespace().collect();
    let program = Program::try_parse_from(std::iter::once("strongroom").chain(words)).unwrap();
    let command = match program.command {
        ProgramCommand::Cli(command) => command,
        ProgramCommand::Extension(args) => Command::extension(args.global, args.verb),
    };
    let (out, err) = (Written::default(), Written::default());
    let terminal = Terminal::plain(Box::new(out.clone()), Box::new(err.clone()));
    let code = crate::run_on(command, &Program::command(), terminal);
    Outcome {
        code,
        out: out.text(),
        err: err.text(),
    }
}

type Script = dyn Fn(&str, &str) -> Option<Answer> + Send + Sync;

/// One answer of the played server.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

fn ok(body: Value) -> Option<Answer> {
    Some(Answer {
        status: 200,
        headers: Vec::new(),
        body,
    })
}

fn refused(status: u16, code: &str, message: &str) -> Option<Answer> {
    let body = json!({"error": {"code": code, "message": message}});
    Some(Answer {
        status,
        headers: vec![("x-ms-request-id", "req-1".to_owned())],
        body,
    })
}

/// A 202 whose operation is at `/op`, and whose result is at `/result`.
fn accepted() -> Option<Answer> {
    let headers = vec![
        ("azure-asyncoperation", "/op".to_owned()),
        ("location", "/result".to_owned()),
        ("retry-after", "0".to_owned()),
    ];
    Some(Answer {
        status: 202,
        headers,
        body: Value::Null,
    })
}

/// The played server with a folder for contexts and files.
struct Stage {
    folder: tempfile::TempDir,
    url: String,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    _runtime: tokio::runtime::Runtime,
}

/// Starts a server that answers `METHOD /path` (without query) by `script`; anything that the script
/// leaves out is a 404.
fn stage(script: impl Fn(&str, &str) -> Option<Answer> + Send + Sync + 'static) -> Stage {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let state: (Arc<Script>, _) = (Arc::new(script), seen.clone());
    let router = Router::new().fallback(answer).with_state(Arc::new(state));
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async move { axum::serve(listener, router).await });
    Stage {
        folder: tempfile::tempdir().unwrap(),
        url,
        seen,
        _runtime: runtime,
    }
}

type Played = (Arc<Script>, Arc<Mutex<Vec<(String, String)>>>);

async fn answer(State(played): State<Arc<Played>>, request: Request) -> Response {
    let call = format!("{} {}", request.method(), request.uri().path());
    let authorized = request
        .headers()
        .get("authorization")
        .is_some_and(|value| value == "Bearer t0ken" || value == "Bearer a.b.c");
    let body = axum::body::to_bytes(request.into_body(), usize::MAX)
        .await
        .unwrap();
    played
        .1
        .lock()
        .unwrap()
        .push((call.clone(), String::from_utf8(body.to_vec()).unwrap()));
    let (method, path) = call.split_once(' ').unwrap();
    let answer = match (played.0)(method, path) {
        _ if path == "/healthz" || path == "/readyz" => ok(json!({})),
        _ if !authorized
            && !path.ends_with("/oauth2/v2.0/token")
            && !path.starts_with("/.well-known/") =>
        {
            refused(401, "AuthenticationFailed", "the token is not known")
        }
        found @ Some(_) => found,
        None if path == "/subscriptions" => ok(json!({"value": [{"subscriptionId": "s-1"}]})),
        None => refused(404, "ResourceNotFound", &format!("{path} was not found")),
    };
    let answer = answer.unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers {
        headers.insert(name, value.parse().unwrap());
    }
    (
        StatusCode::from_u16(answer.status).unwrap(),
        headers,
        axum::Json(answer.body),
    )
        .into_response()
}

/// The catalogue's texts are under test where they are; here it matters that they are shown.
fn without_pages(mut text: String) -> String {
    for code in strongroom_core::Code::ALL {
        let page = code.page();
        for (part, name) in [(page.cause, "cause"), (page.what_to_do, "way out")] {
            if let Some(line) = part.trim().lines().next().filter(|line| !line.is_empty()) {
                text = text.replace(
                    &format!(": {line}\n"),
                    &format!(": <the catalogue's {name}>\n"),
                );
            }
        }
    }
    text
}

impl Stage {
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn config(&self) -> String {
        self.folder
            .path()
            .join("config.yaml")
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// Runs a command with this stage's contexts; the changing parts of what it says are replaced.
    fn run(&self, words: &str) -> Outcome {
        let outcome = run(&format!("{words} --cli-config {}", self.config()));
        let tidy = |text: String| {
            let text = text.replace(&self.url, "https://server");
            without_pages(text.replace(self.folder.path().to_str().unwrap(), "/folder"))
        };
        Outcome {
            code: outcome.code,
            out: tidy(outcome.out),
            err: tidy(outcome.err),
        }
    }

    fn logged_in(self) -> Self {
        let token = self.file("token", "t0ken\n");
        let outcome = self.run(&format!(
            "login --server {} --token-file {token} -g rg -l westeurope",
            self.url
        ));
        assert_eq!(outcome.code, 0, "{outcome}");
        self.seen.lock().unwrap().clear();
        self
    }

    /// The body of the only call to `call`.
    fn body(&self, call: &str) -> Value {
        let seen = self.seen.lock().unwrap();
        let mut bodies = seen
            .iter()
            .filter(|(what, _)| what == call)
            .map(|(_, body)| body);
        let body = bodies
            .next()
            .unwrap_or_else(|| panic!("no {call} in {seen:?}"));
        serde_json::from_str(body).unwrap()
    }
}

const GROUP: &str = "/subscriptions/s-1/resourceGroups/rg";
const VAULT: &str =
    "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.DataProtection/backupVaults/v";
const CLUSTER: &str =
    "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.Kubernetes/connectedClusters/c";

fn cluster() -> Value {
    json!({
        "id": CLUSTER, "name": "c", "location": "westeurope",
        "properties": {"kubernetesVersion": "v1.34.1", "connectivityStatus": "Connected", "provisioningState": "Succeeded", "hasKubeconfig": true}
    })
}

fn instance() -> Value {
    json!({
        "id": format!("{VAULT}/backupInstances/i"), "name": "i",
        "properties": {
            "objectType": "BackupInstance", "friendlyName": "shop",
            "dataSourceInfo": {"resourceID": CLUSTER, "resourceLocation": "westeurope", "resourceName": "c", "datasourceType": "Microsoft.ContainerService/managedClusters"},
            "policyInfo": {"policyId": format!("{VAULT}/backupPolicies/p")},
            "currentProtectionState": "ProtectionConfigured", "provisioningState": "Succeeded",
            "scheduleStatus": {"state": "Waiting", "nextBackupTime": "2026-01-02T04:00:00Z"}
        }
    })
}

fn policy() -> Value {
    let template =
        strongroom_api::policy_template::kubernetes("2024-01-01T00:00:00+00:00", "PT4H", "P7D");
    let properties = strongroom_api::policy::PolicyProperties::BackupPolicy(template);
    json!({"id": format!("{VAULT}/backupPolicies/p"), "name": "p", "properties": properties})
}

fn job(status: &str) -> Value {
    json!({
        "id": format!("{VAULT}/backupJobs/j-1"), "name": "j-1",
        "properties": {
            "activityID": "a", "backupInstanceFriendlyName": "shop", "dataSourceId": CLUSTER,
            "dataSourceLocation": "westeurope", "dataSourceName": "c", "dataSourceType": "x",
            "isUserTriggered": true, "operation": "Backup", "operationCategory": "Backup",
            "progressEnabled": true, "sourceResourceGroup": "rg", "sourceSubscriptionID": "s-1",
            "startTime": "2026-01-02T03:04:05.678Z", "endTime": "2026-01-02T03:04:09Z", "status": status,
            "subscriptionId": "s-1", "supportedActions": [], "vaultName": "v",
            "extendedInfo": {
                "additionalDetails": {"BackedUp": "27", "Skipped": "3", "Failed": "0"},
                "subTasks": [{"taskId": 1, "taskName": "Collect", "taskStatus": "InProgress", "taskProgress": "40"}]
            }
        }
    })
}

fn job_operation() -> Value {
    json!({"objectType": "OperationJobExtendedInfo", "jobId": format!("{VAULT}/backupJobs/j-1")})
}
