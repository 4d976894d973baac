//! Images of test applications that are more than one program: a minimal Debian with some packages,
//! made by debootstrap from the package source that this machine uses itself.

use std::fs;
use std::path::Path;

use super::archive::{Layer, Run};
use super::{Image, cached};
use crate::cluster::packages;
use crate::failure::{Doing, Result};
use crate::{talk, tool};

/// The release that the images are made of.
const RELEASE: &str = "bookworm";
/// The mirror network of Debian itself.
const PUBLIC_MIRROR: &str = "http://deb.debian.org/debian";

/// One application.
pub(super) struct Application {
    name: &'static str,
    packages: &'static str,
}

/// A MariaDB server: `mariadbd`, `mariadb-install-db`, `mariadb`.
pub(super) const MARIADB: Application = Application {
    name: "mariadb",
    packages: "mariadb-server,procps,util-linux",
};

/// A PostgreSQL server: `/usr/lib/postgresql/15/bin/{initdb,postgres}`, `psql`.
pub(super) const POSTGRES: Application = Application {
    name: "postgres",
    packages: "postgresql,procps,util-linux",
};

/// Makes an application's image, unless it is there already.
pub(super) fn make(application: &Application) -> Result<Image> {
    let reference = format!("localhost/{}:1", application.name);
    let archive = cached(&format!("{}-{RELEASE}.tar", application.name));
    if archive.is_file() {
        return Ok(Image { reference, archive });
    }
    packages::ensure_tool(
        "debootstrap",
        "debootstrap",
        "makes a minimal Debian for an image",
    )?;
    let doing = || format!("make the image {reference}");
    talk::say(format_args!("making {reference}, once: about 2 minutes"));
    let parent = cached("");
    fs::create_dir_all(&parent).doing(doing)?;
    let root = tempfile::Builder::new()
        .prefix("debian-")
        .tempdir_in(&parent)
        .doing(doing)?;
    let include = format!("--include={}", application.packages);
    let target = root.path().as_os_str();
    let mirror = mirror();
    let options = ["--variant=minbase", &include, RELEASE];
    tool::run(
        "debootstrap",
        options
            .iter()
            .map(AsRef::as_ref)
            .chain([target, mirror.as_ref()]),
    )?;
    for folder in [
        "var/cache/apt/archives",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
    ] {
        empty(&root.path().join(folder)).doing(doing)?;
    }
    let run = Run {
        command: vec!["bash".to_owned()],
        ..Run::default()
    };
    Layer::of_folder(root.path(), &archive)?.into_image(reference.clone(), &run, &archive)
}

fn empty(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

/// The Debian mirror that this machine uses, else the one that is near everyone.
fn mirror() -> String {
    let mut files = vec!["/etc/apt/sources.list".into()];
    let more = fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .flatten();
    files.extend(more.map(|entry| entry.path()));
    let found = files
        .iter()
        .find_map(|file| debian_source(&tool::text_of(file)));
    found.unwrap_or_else(|| PUBLIC_MIRROR.to_owned())
}

/// The first address of a Debian archive in a sources file, of the one-line or of the deb822 form:
/// sources.list(5). Other archives stand there too; a mirror of Debian's own is named so.
fn debian_source(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim);
    let of_sources = lines.filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"));
    let is_mirror =
        |word: &&str| word.starts_with("http") && word.trim_end_matches('/').ends_with("/debian");
    let mut words = of_sources.flat_map(str::split_whitespace);
    words.find(is_mirror).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debian_mirror_is_found_in_both_forms_and_among_others() {
        let old = "# a comment\ndeb [signed-by=/x] http://ftp.example.org/debian bookworm main\n";
        let new = "Types: deb\nURIs: https://example.org/node_20.x\n\nURIs: https://example.org/debian/\n";
        assert_eq!(debian_source(old).unwrap(), "http://ftp.example.org/debian");
        assert_eq!(debian_source(new).unwrap(), "https://example.org/debian/");
        assert_eq!(debian_source("# nothing"), None);
    }
}
