//! The table of `cargo xtask cluster status`.

use super::control::{self, Phase};
use super::place::Place;
use super::settings::{self, Settings};
use crate::failure::Result;
use crate::talk;

/// Prints the clusters of this work tree.
pub(crate) fn print() -> Result<()> {
    let places = Place::all();
    if places.is_empty() {
        talk::say("no clusters; `cargo xtask cluster up` starts one");
        return Ok(());
    }
    talk::data(format_args!(
        "{:<16} {:<14} {:<14} {:<24} KUBECONFIG",
        "NAME", "STATE", "TIER", "API SERVER"
    ));
    for place in places {
        let settings = Settings::read(&place)?;
        let tier = settings
            .as_ref()
            .map_or_else(String::new, |settings| settings.tier.to_string());
        let server = settings.map_or_else(String::new, |settings| {
            format!("https://127.0.0.1:{}", settings.port)
        });
        let kubeconfig = place.kubeconfig();
        talk::data(format_args!(
            "{:<16} {:<14} {tier:<14} {server:<24} {}",
            place.name,
            state(&place),
            kubeconfig.display()
        ));
    }
    Ok(())
}

fn state(place: &Place) -> &'static str {
    let remembered = place.state.join("keeper.json").exists();
    let root = rustix::process::geteuid().is_root();
    match (settings::keeper(place), control::phase(place)) {
        (Some(_), Ok(Phase::Ready)) => "running",
        // Only root may ask the node how it is.
        (Some(_), Err(_)) if !root => "running",
        (Some(_), Ok(Phase::Starting(_))) => "starting",
        (Some(_), Err(_)) => "not answering",
        // An orderly end forgets the keeper.
        (None, _) if remembered => "crashed",
        (None, _) => "stopped",
    }
}
