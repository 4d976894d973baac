//! The nouns. Each noun is a file with its verbs and columns, each verb a file below it.

mod audit;
mod backup;
mod cluster;
mod completions;
mod context;
mod doctor;
mod extension;
mod group;
mod guard;
mod instance;
pub(crate) mod job;
mod login;
mod policy;
mod recovery_point;
mod restore;
mod role;
mod selection;
mod service_principal;
mod storage;
mod token;
mod vault;
mod version;
mod whoami;

use crate::error::CliError;
use crate::session::Session;
use crate::settings::GlobalArgs;
use crate::terminal::Terminal;

/// A command of the command line; the program adds `server` and `extension` beside them.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Backup vaults: keep recovery points and everything about them
    Vault(Noun<vault::Verb>),
    /// Backup policies: when to back up and how long to keep
    Policy(Noun<policy::Verb>),
    /// Clusters: what is protected and restored to
    Cluster(Noun<cluster::Verb>),
    /// Storage accounts and containers: where recovery points go
    Storage(Noun<storage::Verb>),
    /// The backup extension inside a cluster. The program parses it by itself, because without a
    /// verb `strongroom extension` is the extension: see [`Command::extension`].
    #[command(skip)]
    Extension(Noun<extension::Verb>),
    /// Backup instances: one cluster protected by one policy
    Instance(Noun<instance::Verb>),
    /// Back up now
    Backup(Noun<backup::Verb>),
    /// Recovery points of an instance
    RecoveryPoint(Noun<recovery_point::Verb>),
    /// Restore from a recovery point
    Restore(Noun<restore::Verb>),
    /// Jobs: what runs and what ran
    Job(Noun<job::Verb>),
    /// Resource groups
    Group(Noun<group::Verb>),
    /// Roles: who may do what, and where
    Role(Noun<role::Verb>),
    /// Service principals: the identities of programs
    ServicePrincipal(Noun<service_principal::Verb>),
    /// Store how to reach a server as a context, and check it
    Login(Leaf<login::Args>),
    /// Tell as whom the server knows you
    Whoami(Leaf<whoami::Args>),
    /// Resource guards: critical operations need the approval of a second person
    Guard(Noun<guard::Verb>),
    /// The audit log: who did what, and what was denied
    Audit(Noun<audit::Verb>),
    /// The administrator's token
    Token(Noun<token::Verb>),
    /// Contexts: stored servers and defaults
    Context(Noun<context::Verb>),
    /// Check everything from here to the clusters, and say how to mend what is amiss
    Doctor(Leaf<doctor::Args>),
    /// Print the version
    Version(version::Args),
    /// Print a shell completion script
    Completions(completions::Args),
}

/// A noun: what every command takes, and a verb.
#[derive(Debug, clap::Args)]
pub struct Noun<V: clap::Subcommand> {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    verb: V,
}

/// A command without a verb: what every command takes, and its own arguments.
#[derive(Debug, clap::Args)]
pub struct Leaf<A: clap::Args> {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(flatten)]
    own: A,
}

pub use extension::Verb as ExtensionVerb;

/// Something that runs in a session.
trait Run {
    async fn run(self, session: &Session<'_>) -> Result<(), CliError>;
}

async fn in_session(args: GlobalArgs, what: impl Run, terminal: &Terminal) -> Result<(), CliError> {
    what.run(&Session::open(args, terminal)?).await
}

impl Command {
    /// `strongroom extension VERB`.
    #[must_use]
    pub fn extension(global: GlobalArgs, verb: ExtensionVerb) -> Self {
        Self::Extension(Noun { global, verb })
    }

    /// Runs it.
    pub(crate) async fn run(
        self,
        root: &clap::Command,
        terminal: &Terminal,
    ) -> Result<(), CliError> {
        match self {
            Self::Vault(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Policy(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Cluster(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Storage(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Extension(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Instance(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Backup(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::RecoveryPoint(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Restore(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Job(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Group(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Role(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::ServicePrincipal(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Guard(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Audit(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Token(noun) => in_session(noun.global, noun.verb, terminal).await,
            Self::Login(leaf) => leaf.own.run(leaf.global, terminal).await,
            Self::Whoami(leaf) => in_session(leaf.global, leaf.own, terminal).await,
            Self::Context(noun) => noun.verb.run(&noun.global, terminal),
            Self::Doctor(leaf) => leaf.own.run(leaf.global, terminal).await,
            Self::Version(args) => args.run(terminal),
            Self::Completions(args) => args.run(root, terminal),
        }
    }
}

/// Declares a noun's verbs: each variant is the `Args` of the module of the same name.
macro_rules! verbs {
    ($($(#[$meta:meta])* $variant:ident($module:ident)),+ $(,)?) => {
        $(mod $module;)+

        /// The verbs.
        #[derive(Debug, clap::Subcommand)]
        pub enum Verb {
            // Boxed: what is said of a storage account is many times as long as what names one.
            $($(#[$meta])* $variant(Box<$module::Args>)),+
        }

        impl $crate::commands::Run for Verb {
            async fn run(self, session: &$crate::session::Session<'_>) -> Result<(), $crate::error::CliError> {
                match self {
                    $(Self::$variant(args) => (*args).run(session).await),+
                }
            }
        }
    };
}
use verbs;

/// Reads `KEY=VALUE`.
fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
