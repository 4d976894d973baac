//! What people read before they do anything.

use clap::CommandFactory;
use strongroom_core::Code;

use clap::Parser as _;

use super::Program;

#[test]
fn the_arguments_are_sound() {
    Program::command().debug_assert();
}

#[test]
fn the_help_lists_the_nouns() {
    insta::assert_snapshot!(Program::command().render_long_help().to_string());
}

/// The help of a command below the program.
fn help(path: &[&str]) -> String {
    let mut command = Program::command();
    command.build();
    let found = path.iter().fold(&mut command, |command, name| {
        command.find_subcommand_mut(name).unwrap()
    });
    found.render_long_help().to_string()
}

#[test]
fn verbs_explain_themselves() {
    insta::assert_snapshot!("help_instance_create", help(&["instance", "create"]));
    insta::assert_snapshot!(
        "help_instance_assign_missing_roles",
        help(&["instance", "assign-missing-roles"])
    );
    insta::assert_snapshot!("help_restore_start", help(&["restore", "start"]));
    insta::assert_snapshot!("help_job", help(&["job"]));
}

#[test]
fn every_command_and_argument_says_what_it_is_for() {
    fn walk(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(
            command.get_about().is_some() || path == " strongroom",
            "{path} has no description"
        );
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{path}: {} has no description",
                argument.get_id()
            );
        }
        for child in command.get_subcommands() {
            walk(child, &path);
        }
    }
    walk(&Program::command(), "");
}

#[test]
fn no_argument_takes_a_secret() {
    fn walk(command: &clap::Command) {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            let secret = ["token", "secret", "password", "key"]
                .iter()
                .any(|word| name.contains(word));
            assert!(
                !secret
                    || name.ends_with("_file")
                    || name.ends_with("_id")
                    || name == "include_secrets",
                "{name}"
            );
        }
        command.get_subcommands().for_each(walk);
    }
    walk(&Program::command());
}

#[test]
fn completions_are_made_for_the_whole_program() {
    let outcome = super::run("completions bash");
    assert_eq!(outcome.code, 0);
    assert!(outcome.out.contains("recovery-point") && outcome.out.contains("_strongroom"));
}

#[test]
fn every_command_that_an_error_page_names_exists() {
    for code in Code::ALL {
        let named = code.page().what_to_do.split('`').skip(1).step_by(2);
        for line in named.filter(|text| text.starts_with("strongroom ")) {
            let words = line.split(' ').filter(|word| !word.starts_with('<'));
            let read = Program::try_parse_from(words.map(|word| word.trim_start_matches('[')));
            let unknown = [
                clap::error::ErrorKind::InvalidSubcommand,
                clap::error::ErrorKind::UnknownArgument,
            ];
            let kind = read.err().map(|error| error.kind());
            assert!(
                kind.is_none_or(|kind| !unknown.contains(&kind)),
                "{code}: `{line}`: {kind:?}"
            );
        }
    }
}
