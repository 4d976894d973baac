//! `cargo xtask fuzz api`: schemathesis against a server process of its own, with the administrator's token.
//!
//! Contract: half of the time goes to whatever the document allows and what it does not, over all addresses;
//! the other half to what lies in a vault that exists, where a request gets further than to a 404. Any answer
//! of 500 or more fails, and so does one that the document does not have: its status, its media type, its
//! form; and data that the document does not allow must be refused. <https://schemathesis.readthedocs.io>

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Args;
use strongroom_e2e::cli::Cli;
use strongroom_e2e::server::{self, Server, ServerOptions};
use strongroom_e2e::stage::{ACCOUNT, CONTAINER, GROUP, LOCATION, POLICY, SUBSCRIPTION, VAULT};

use crate::failure::{Doing, Failure, Result};
use crate::product;
use crate::talk::{Stopwatch, say};
use crate::test::pypi;
use crate::workspace;

/// What the fuzzer can be told.
#[derive(Args)]
pub(crate) struct Options {
    /// For how long, in all
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// The strongroom binary; none: it is built
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Where the random numbers begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What an answer must hold. Left out are checks that would be wrong here: data that fits its schema may be
/// refused for its meaning (`positive_data_acceptance`); what is deleted may be read again once it is
/// written again (`use_after_free`, `ensure_resource_availability`); and who may do what has tests of its own.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,negative_data_rejection,unsupported_method";

/// Routes that are left alone: a token that is replaced would end the run.
const LEFT_ALONE: &str = "/tokens/admin/rotate$";

/// Statuses that refuse.
const REFUSALS: &str = "[204, 400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 429, 503]";

/// How long an answer may take, in seconds: requests here end in 30 s at most, and none should.
const ANSWER_WITHIN: &str = "30";

/// Runs both halves; fails when anything was found.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let python = pypi::schemathesis()?;
    let binary = match &options.binary {
        Some(binary) => binary.clone(),
        None => product::build()?,
    };
    fuzz(&binary, &python, options.seconds, options.seed)?;
    Ok(ExitCode::SUCCESS)
}

/// The same with what is built already.
pub(crate) fn fuzz(binary: &Path, schemathesis: &Path, seconds: u64, seed: u64) -> Result<()> {
    let watch = Stopwatch::start();
    let place = Place::open(binary)?;
    let half = (seconds / 2).max(1);
    let found = [Pass::Anything, Pass::Existing]
        .into_iter()
        .filter(|pass| !place.clean(*pass, schemathesis, half, seed))
        .map(Pass::name)
        .collect::<Vec<_>>();
    if !found.is_empty() {
        let cause = format!("something was found in {}", found.join(" and in "));
        return Err(
            Failure::new("fuzz the API without a finding", cause).way_out(format!(
                "see {} and the lines above",
                place.folder.display()
            )),
        );
    }
    say(format_args!("{:>7}  nothing was found", watch.words()));
    Ok(())
}

/// Which requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// To whatever address.
    Anything,
    /// To what lies in a vault that exists; nothing is deleted, so that it goes on existing.
    Existing,
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Anything => "anything",
            Self::Existing => "existing",
        }
    }
}

/// A server with a vault in it.
struct Place {
    server: Server,
    folder: PathBuf,
}

impl Place {
    fn open(binary: &Path) -> Result<Self> {
        let folder = workspace::root().join("target/fuzz");
        let doing = || format!("make {}", folder.display());
        if folder.exists() {
            std::fs::remove_dir_all(&folder).doing(doing)?;
        }
        std::fs::create_dir_all(&folder).doing(doing)?;
        let port = server::free_port().doing(|| "find a free port".to_owned())?;
        let started = Server::start(ServerOptions {
            binary: binary.to_owned(),
            data_dir: folder.join("data"),
            listen: "127.0.0.1".to_owned(),
            port,
            advertise_url: format!("https://127.0.0.1:{port}"),
            config: None,
            env: Vec::new(),
        });
        let server = started.doing(|| "start a server".to_owned())?;
        let place = Self { server, folder };
        place.furnish(binary)?;
        Ok(place)
    }

    /// A vault with a policy, and an account with a container.
    fn furnish(&self, binary: &Path) -> Result<()> {
        let cli = Cli {
            binary: binary.to_owned(),
            config: self.folder.join("contexts.yaml"),
        };
        let data = &self.server.options.data_dir;
        cli.log_in(&self.server.url(), data, "fuzz")
            .doing(|| "log in".to_owned())?;
        for words in [
            &["group", "create", GROUP, "--location", LOCATION][..],
            &["vault", "create", VAULT],
            &["policy", "create", POLICY, "--vault", VAULT],
            &["storage", "account", "create", ACCOUNT],
            &[
                "storage",
                "container",
                "create",
                CONTAINER,
                "--account",
                ACCOUNT,
            ],
        ] {
            cli.run(words).doing(|| words.join(" "))?;
        }
        Ok(())
    }

    /// Whether a pass found nothing.
    fn clean(&self, pass: Pass, schemathesis: &Path, seconds: u64, seed: u64) -> bool {
        say(format_args!("fuzzing {} for {seconds} s …", pass.name()));
        let status = self
            .settings(pass)
            .map(|settings| self.command(pass, schemathesis, &settings, seconds, seed))
            .and_then(|mut command| {
                let status = command.status();
                status.doing(|| format!("start {}", schemathesis.display()))
            });
        match status {
            Ok(status) => status.success(),
            Err(failure) => {
                say(failure);
                false
            }
        }
    }

    fn command(
        &self,
        pass: Pass,
        schemathesis: &Path,
        settings: &Path,
        seconds: u64,
        seed: u64,
    ) -> Command {
        let mut command = Command::new(schemathesis);
        command.current_dir(&self.folder);
        command.arg("--config-file").arg(settings);
        command.arg("run");
        command.args(["--max-time", &seconds.to_string()]);
        command.args(["--seed", &seed.to_string()]);
        command.args(["--checks", CHECKS]);
        command.args(["--request-timeout", ANSWER_WITHIN]);
        command.args(["--exclude-path-regex", LEFT_ALONE]);
        if pass == Pass::Existing {
            command.args(["--exclude-method", "DELETE"]);
            command.args(["--include-path-regex", "^/subscriptions/"]);
        }
        command.args(["--continue-on-failure", "--generation-database", "none"]);
        command.args([
            "--warnings",
            "off",
            "--report",
            "json",
            "--report-json-path",
        ]);
        command.arg(self.folder.join(format!("{}.json", pass.name())));
        command.arg("--tls-verify");
        command.arg(self.server.options.data_dir.join("tls/ca.crt"));
        command.arg(format!("{}/openapi.json", self.server.url()));
        command
    }

    /// The settings of a pass, in a file of their own: the token must not stand on a command line.
    fn settings(&self, pass: Pass) -> Result<PathBuf> {
        let token = self.server.options.data_dir.join("admin.token");
        let doing = || format!("read {}", token.display());
        let token = std::fs::read_to_string(&token).doing(doing)?;
        let mut text = format!(
            "headers = {{ Authorization = \"Bearer {}\" }}\n",
            token.trim()
        );
        // A DELETE of what cannot exist is answered 204, as one of what does not exist.
        text.push_str("[checks]\nnegative_data_rejection.expected-statuses = ");
        text.push_str(REFUSALS);
        text.push('\n');
        if pass == Pass::Existing {
            text.push_str("[parameters]\n");
            for (name, value) in [
                ("subscription", SUBSCRIPTION),
                ("group", GROUP),
                ("vault", VAULT),
                ("policy", POLICY),
                ("account", ACCOUNT),
                ("container", CONTAINER),
            ] {
                text.push_str(&format!("\"path.{name}\" = \"{value}\"\n"));
            }
        }
        let file = self.folder.join(format!("{}.toml", pass.name()));
        std::fs::write(&file, text).doing(|| format!("write {}", file.display()))?;
        Ok(file)
    }
}
