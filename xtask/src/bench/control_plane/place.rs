//! Where it is measured: a server process of its own on one of the databases, set up by the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use strongroom_e2e::cli::Cli;
use strongroom_e2e::postgres::Postgres;
use strongroom_e2e::server::{self, Server, ServerOptions};
use strongroom_e2e::stage::{ACCOUNT, CONTAINER, GROUP, SUBSCRIPTION, VAULT};
use tempfile::TempDir;

use super::sql::Sql;
use super::{Size, catalogue};
use crate::failure::{Doing, Failure, Result};
use crate::workspace;

/// The policy of all instances.
const POLICY: &str = "all";
/// How long it keeps their recovery points before it is edited. They were promised less.
const KEPT: &str = "P365D";
/// The program that asks.
const PROGRAM: &str = "load";
/// Its role, at the resource group of everything.
const ROLE: &str = "Backup Contributor";

/// The database that the server is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Store {
    /// The file in the data directory
    Sqlite,
    /// Debian's PostgreSQL, on this machine
    Postgresql,
}

impl Store {
    /// As people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgresql => "PostgreSQL",
        }
    }

    /// As a key.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
        }
    }
}

/// How a program signs in.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) tenant: String,
    pub(super) client: String,
    pub(super) secret: String,
}

/// A server with its database. Dropping it ends both.
pub(crate) struct Place {
    pub(super) account: Account,
    server: Option<Server>,
    options: ServerOptions,
    cli: Cli,
    sql: Sql,
    folder: PathBuf,
    // In this order: the database ends before its folder goes.
    _database: Option<Postgres>,
    _data: Option<TempDir>,
}

impl Place {
    /// Starts a server on an empty database and makes what everything else refers to.
    pub(crate) fn open(binary: &Path, store: Store) -> Result<Self> {
        let folder = folder().join(store.key());
        let doing = || format!("make {}", folder.display());
        fs::create_dir_all(&folder).doing(doing)?;
        let data = folder.join("server");
        let (database, data_of_database) = match store {
            Store::Sqlite => (None, None),
            Store::Postgresql => {
                let (database, dir) = postgres()?;
                (Some(database), Some(dir))
            }
        };
        let url = database.as_ref().map(Postgres::url);
        let sql = url.as_ref().map_or_else(
            || Sql::Sqlite(data.join("strongroom.db")),
            |url| Sql::Postgres(url.clone()),
        );
        sql.ensure()?;
        let port = server::free_port().doing(doing)?;
        let options = ServerOptions {
            binary: binary.to_owned(),
            data_dir: data,
            listen: "127.0.0.1".to_owned(),
            port,
            advertise_url: format!("https://127.0.0.1:{port}"),
            config: None,
            env: url
                .into_iter()
                .map(|url| ("STRONGROOM_DATABASE_URL".to_owned(), url))
                .collect(),
        };
        let mut place = Self {
            account: Account {
                tenant: String::new(),
                client: String::new(),
                secret: String::new(),
            },
            server: None,
            cli: Cli {
                binary: binary.to_owned(),
                config: folder.join("contexts.yaml"),
            },
            options,
            sql,
            folder,
            _database: database,
            _data: data_of_database,
        };
        place.start()?;
        place.login()?;
        place.make()?;
        Ok(place)
    }

    fn say(&self, words: &[&str]) -> Result<()> {
        let said = self.cli.run(words);
        said.map(drop).doing(|| format!("say {}", words.join(" ")))
    }

    fn login(&self) -> Result<()> {
        let logged_in = self
            .cli
            .log_in(&self.url(), &self.options.data_dir, "bench");
        logged_in.doing(|| "log in".to_owned())
    }

    /// The group, the storage, the vault and its policy, and a program that may ask.
    fn make(&mut self) -> Result<()> {
        self.say(&["group", "create", GROUP])?;
        self.say(&[
            "storage",
            "account",
            "create",
            ACCOUNT,
            "--backend",
            "embedded",
        ])?;
        let container = [
            "storage",
            "container",
            "create",
            CONTAINER,
            "--account",
            ACCOUNT,
        ];
        self.say(&container)?;
        self.say(&["vault", "create", VAULT])?;
        let policy = [
            "policy",
            "create",
            POLICY,
            "--vault",
            VAULT,
            "--interval",
            "PT4H",
        ];
        // In another century: no backup is due, which none of the clusters could do.
        let times = ["--retention", KEPT, "--start", "2100-01-01T00:00:00+00:00"];
        self.say(&[&policy[..], &times].concat())?;
        let doing = || "make a service principal".to_owned();
        let made = self
            .cli
            .json(&["service-principal", "create", PROGRAM])
            .doing(doing)?;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        self.account = Account {
            tenant: text("tenantId"),
            client: text("appId"),
            secret: text("secretText"),
        };
        let all = self.cli.json(&["service-principal", "list"]).doing(doing)?;
        let object = all[0]["properties"]["objectId"]
            .as_str()
            .unwrap_or_default();
        let assign = ["role", "assignment", "create", "--assignee", object];
        self.say(&[&assign[..], &["--role", ROLE, "--scope", &group()]].concat())
    }

    /// Fills the catalogue in, while the server is down.
    pub(crate) fn fill(&mut self, size: Size) -> Result<()> {
        self.server = None;
        catalogue::fill(&self.sql, &vault(), &self.policy(), size)
    }

    /// Starts the server; how long it took to be ready.
    pub(crate) fn start(&mut self) -> Result<Duration> {
        let started = Server::start(self.options.clone());
        let server = started.doing(|| "start the server".to_owned())?;
        let ready = server.ready_after;
        self.server = Some(server);
        Ok(ready)
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.server.as_ref().map_or(0, Server::id)
    }

    pub(super) fn sql(&self) -> &Sql {
        &self.sql
    }

    /// The size of the database.
    pub(crate) fn database_mib(&self) -> Result<f64> {
        Ok(self.sql.bytes()? / 1024.0 / 1024.0)
    }

    /// The policy of all instances.
    pub(crate) fn policy(&self) -> String {
        format!("{}/backupPolicies/{POLICY}", vault())
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.options.port)
    }

    /// The authority that signed the server's certificate.
    pub(super) fn ca(&self) -> PathBuf {
        self.options.data_dir.join("tls/ca.crt")
    }

    /// Ends it and removes what it kept.
    pub(crate) fn close(self) {
        let folder = self.folder.clone();
        drop(self);
        // What is left is removed by the next run.
        let _ = fs::remove_dir_all(folder);
    }
}

/// A PostgreSQL of its own, and where its data lie: outside of the workspace, into which the account that it
/// runs as need not be able to look.
fn postgres() -> Result<(Postgres, TempDir)> {
    let doing = || "start PostgreSQL".to_owned();
    let dir = tempfile::tempdir().doing(doing)?;
    let started = Postgres::start_durable(&dir.path().join("postgresql"));
    Ok((started.doing(doing)?, dir))
}

/// The resource group of everything.
fn group() -> String {
    format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}")
}

/// The vault of everything.
pub(super) fn vault() -> String {
    format!(
        "{}/providers/Microsoft.DataProtection/backupVaults/{VAULT}",
        group()
    )
}

fn folder() -> PathBuf {
    workspace::root().join(".strongroom/bench-control-plane")
}

/// Removes what the last run left.
pub(crate) fn clear() -> Result<()> {
    match fs::remove_dir_all(folder()) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new("remove the last benchmark", error))
        }
        _ => Ok(()),
    }
}
