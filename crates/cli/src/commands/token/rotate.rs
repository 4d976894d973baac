//! `strongroom token rotate`: replaces the token that it is called with.
//!
//! Every context that held the old token for this server gets the new one. When none did, or the
//! contexts cannot be written, the new token is the data of this command: it is told once, and must
//! not be lost here.

use strongroom_api::administration::RotatedToken;
use strongroom_api::secret::Secret;

use crate::context_file::ContextFile;
use crate::error::CliError;
use crate::output;
use crate::session::Session;

#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub(super) async fn run(self, session: &Session<'_>) -> Result<(), CliError> {
        let path = session.args.context_path()?;
        // Read before anything changes: contexts that cannot be read could not be written either.
        ContextFile::load(&path)?;
        let used = session.settings.clone().into_context();
        let client = session.client()?;
        let rotated = client.rotate_admin_token().await?;
        let stored = ContextFile::load(&path).and_then(|mut file| {
            let names = replace(&mut file, &used.server, used.token.as_ref(), &rotated.token);
            if !names.is_empty() {
                file.save(&path)?;
            }
            Ok(names)
        });
        let until = match rotated.expires_on {
            Some(_) => format!("until {}", output::instant(rotated.expires_on)),
            None => "until it is rotated".to_owned(),
        };
        session.say(&format!(
            "the token of {} is replaced; the new one is accepted {until}, and lies in the server's admin.token",
            used.server
        ));
        match stored {
            Ok(names) if !names.is_empty() => {
                session.say(&format!("stored in context: {}", names.join(", ")));
                Ok(())
            }
            Ok(_) => tell(session, &rotated),
            Err(error) => tell(session, &rotated).and(Err(error)),
        }
    }
}

/// Gives the new token to the contexts that held the old one; returns their names.
fn replace(
    file: &mut ContextFile,
    server: &str,
    old: Option<&Secret>,
    new: &Secret,
) -> Vec<String> {
    let mut names = Vec::new();
    for (name, context) in &mut file.contexts {
        if old.is_some() && context.server == server && context.token.as_ref() == old {
            context.token = Some(new.clone());
            names.push(name.clone());
        }
    }
    names
}

/// The token alone as text, ready for a file; the whole answer for programs.
fn tell(session: &Session<'_>, rotated: &RotatedToken) -> Result<(), CliError> {
    session.terminal.data(&match session.args.output {
        output::Format::Table => format!("{}\n", rotated.token.expose()),
        output::Format::Json => output::json(rotated)?,
        output::Format::Jsonl => output::json_line(rotated)?,
        output::Format::Yaml => output::yaml(rotated)?,
    })
}
