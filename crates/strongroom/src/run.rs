//! Wiring: arguments to the part that they are for, and its end to an exit code.

use std::error::Error;
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use strongroom_cli::{Command, exit_code};
use strongroom_extension::ExtensionOptions;
use strongroom_server::app::tokens::SigningKeyError;
use strongroom_server::data_dir::DataDirError;
use strongroom_server::{RunError, ServerOptions};

use crate::arguments::{ExtensionArgs, ExtensionRunArgs, Program, ProgramCommand, ServerArgs};
use crate::catalogue;

/// Parses the arguments and runs what they name. An argument that makes no sense ends the process
/// with code 2, as every exit code documented in [`exit_code`].
pub(crate) fn run() -> ExitCode {
    match Program::parse().command {
        ProgramCommand::Server(args) => server(args),
        ProgramCommand::Extension(args) => extension(args),
        ProgramCommand::Cli(command) => command_line(command),
    }
}

fn command_line(command: Command) -> ExitCode {
    install_tls();
    strongroom_cli::run(command, &Program::command())
}

fn server(args: ServerArgs) -> ExitCode {
    if let Some(verb) = args.verb {
        install_tls();
        return verb.run();
    }
    let options = ServerOptions {
        data_dir: args.data_dir,
        listen: args.listen,
        config: args.config,
        advertise_url: args.advertise_url,
    };
    if args.check_config {
        return match strongroom_server::check_config(&options) {
            Ok(text) => print(&text),
            Err(error) => end(&told(&error), exit_code::USAGE),
        };
    }
    if let Err(error) = args.log.start() {
        return end(&error, exit_code::USAGE);
    }
    install_tls();
    serve(strongroom_server::run(options), server_exit_code)
}

fn extension(args: ExtensionArgs) -> ExitCode {
    match args.verb {
        Some(verb) => command_line(Command::extension(args.global, verb)),
        None => be_extension(args.run),
    }
}

fn be_extension(args: ExtensionRunArgs) -> ExitCode {
    if let Err(error) = args.log.start() {
        return end(&error, exit_code::USAGE);
    }
    install_tls();
    let defaults = ExtensionOptions::default();
    serve(
        strongroom_extension::run(ExtensionOptions {
            namespace: args.namespace.unwrap_or(defaults.namespace),
            kubeconfig: args.kubeconfig,
            health_listen: args.health_listen.unwrap_or(defaults.health_listen),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }),
        |_| exit_code::INTERNAL,
    )
}

/// What kind of trouble keeps a server from running, in the codes of the command line.
pub(crate) fn server_exit_code(error: &RunError) -> u8 {
    match error {
        RunError::Config(_)
        | RunError::Tls(_)
        | RunError::IdentityProvider(_)
        | RunError::AuditReceiver(_) => exit_code::USAGE,
        RunError::DataDir(DataDirError::InUse { .. }) => exit_code::CONFLICT,
        RunError::DataDir(DataDirError::TooOpen { .. })
        | RunError::TokenKey(SigningKeyError::DataDir(DataDirError::TooOpen { .. })) => {
            exit_code::DENIED
        }
        RunError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            exit_code::CONFLICT
        }
        RunError::Listen { .. } => exit_code::USAGE,
        RunError::MasterKey(_)
        | RunError::MasterKeyLost { .. }
        | RunError::MasterKeyOther { .. }
        | RunError::TokenKey(SigningKeyError::NotAKey) => exit_code::CORRUPT,
        RunError::Copy(error) => catalogue::exit_code(error),
        RunError::Rebuild(error) => catalogue::rebuild_exit_code(error),
        RunError::DataDir(DataDirError::Io { .. })
        | RunError::Store(_)
        | RunError::TokenKey(SigningKeyError::DataDir(_) | SigningKeyError::NotMade)
        | RunError::App(_)
        | RunError::DataPlane(_)
        | RunError::Serve(_) => exit_code::INTERNAL,
    }
}

/// Runs a long-running part to its end. Its error is told once, on standard error, whatever the log is
/// set to.
pub(crate) fn serve<E: Error>(
    part: impl Future<Output = Result<(), E>>,
    code: impl Fn(&E) -> u8,
) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            return end(
                &format!("the runtime cannot be started: {error}"),
                exit_code::INTERNAL,
            );
        }
    };
    match runtime.block_on(part) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(&told(&error), code(&error)),
    }
}

/// One cryptography for every TLS connection of the process. That another was installed before can
/// not happen: this is the only place.
fn install_tls() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// An error with its causes, each once.
fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(
            &format!("standard output cannot be written: {error}"),
            exit_code::INTERNAL,
        ),
    }
}

fn end(message: &str, code: u8) -> ExitCode {
    // Nobody may be listening any more; the exit code still tells.
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Program::command().debug_assert();
    }

    #[test]
    fn a_server_that_does_not_start_says_by_its_exit_code_what_is_to_be_done() {
        let listen = |kind: ErrorKind| RunError::Listen {
            address: ([127, 0, 0, 1], 8443).into(),
            source: kind.into(),
        };
        let path = std::path::PathBuf::from("/data");
        for (error, code) in [
            (listen(ErrorKind::AddrInUse), exit_code::CONFLICT),
            (listen(ErrorKind::AddrNotAvailable), exit_code::USAGE),
            (
                DataDirError::InUse { path: path.clone() }.into(),
                exit_code::CONFLICT,
            ),
            (
                RunError::MasterKeyLost { path: "k".into() },
                exit_code::CORRUPT,
            ),
            (SigningKeyError::NotAKey.into(), exit_code::CORRUPT),
            (
                RunError::Serve(ErrorKind::Other.into()),
                exit_code::INTERNAL,
            ),
        ] {
            assert_eq!(server_exit_code(&error), code, "{error}");
        }
    }

    #[test]
    fn an_error_is_told_with_each_cause_once() {
        let inner = std::io::Error::other("disk gone");
        let outer = std::io::Error::other(inner);
        assert_eq!(told(&outer), "disk gone");
    }

    #[test]
    fn the_extension_is_itself_without_a_verb_and_the_command_line_with_one() {
        let parse = |words: &[&str]| Program::try_parse_from(words).map(|program| program.command);
        match parse(&["strongroom", "extension", "--namespace", "ns"]) {
            Ok(ProgramCommand::Extension(args)) => {
                assert!(args.verb.is_none());
                assert_eq!(args.run.namespace.as_deref(), Some("ns"));
            }
            other => panic!("{other:?}"),
        }
        let words = [
            "strongroom",
            "extension",
            "show",
            "--cluster",
            "c",
            "-g",
            "rg",
            "-o",
            "json",
        ];
        match parse(&words) {
            Ok(ProgramCommand::Extension(args)) => assert!(args.verb.is_some()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_help_names_every_part() {
        insta::assert_snapshot!(Program::command().render_long_help().to_string());
    }
}
