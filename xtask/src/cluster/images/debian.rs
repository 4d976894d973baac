//! The image `localhost/databases:1`: a minimal Debian with a MariaDB and a PostgreSQL server, made by
//! debootstrap from the package source that this machine uses itself.
//!
//! One image for both, since what they share is most of what it costs. It is kept in the user's cache
//! under a hash of its recipe: another recipe is made anew.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::archive::{Layer, Run};
use super::{DATABASES, Image, cached};
use crate::cluster::packages;
use crate::failure::{Doing, Result};
use crate::{talk, tool};

/// The release that the image is made of.
const RELEASE: &str = "bookworm";
/// The mirror network of Debian itself.
const PUBLIC_MIRROR: &str = "http://deb.debian.org/debian";
/// `mariadbd`, `mariadb-install-db`, `mariadb`; `postgres`, `initdb`, `psql`; `fsfreeze`.
const PACKAGES: &str = "mariadb-server,postgresql,procps,util-linux";
/// Folders that stay empty: what only a package manager or a reader needs, and the databases that the
/// packages make when they are installed.
const EMPTY: [&str; 8] = [
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/lib/mysql",
    "var/lib/postgresql",
    "usr/share/doc",
    "usr/share/i18n",
    "usr/share/locale",
    "usr/share/man",
];
/// A quarter of all bytes, which PostgreSQL needs only to compile queries (`jit`).
const LEFT_OUT: [&str; 3] = [
    "usr/lib/postgresql/15/lib/llvmjit.so",
    "usr/lib/x86_64-linux-gnu/libLLVM-14.so.1",
    "usr/lib/x86_64-linux-gnu/libz3.so.4",
];
/// PostgreSQL's own programs come before Debian's wrapper of the same names, which is a Perl script.
const POSTGRES_PROGRAMS: &str = "usr/lib/postgresql/15/bin";
const FIRST_IN_PATH: &str = "usr/local/bin";

/// Makes the image, unless it is there already.
pub(super) fn make() -> Result<Image> {
    let reference = DATABASES.to_owned();
    let archive = cached(&format!("databases-{}.tar", recipe()));
    let doing = || format!("make the image {DATABASES}");
    let parent = cached("");
    fs::create_dir_all(&parent).doing(doing)?;
    let lock = File::create(cached("databases.lock")).doing(doing)?;
    lock.lock().doing(doing)?;
    if archive.is_file() {
        return Ok(Image { reference, archive });
    }
    packages::ensure_tool(
        "debootstrap",
        "debootstrap",
        "makes a minimal Debian for an image",
    )?;
    talk::say(format_args!(
        "making {reference}, once: 2 to 3 minutes, and 60 MB to download"
    ));
    let root = tempfile::Builder::new()
        .prefix("debian-")
        .tempdir_in(&parent)
        .doing(doing)?;
    let include = format!("--include={PACKAGES}");
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
    trim(root.path()).doing(doing)?;
    let run = Run {
        command: vec!["bash".to_owned()],
        ..Run::default()
    };
    Layer::of_folder(root.path(), &archive)?.into_image(reference, &run, &archive)
}

/// A short hash of all that decides what is in the image.
fn recipe() -> String {
    let parts = [RELEASE, PACKAGES, POSTGRES_PROGRAMS, FIRST_IN_PATH];
    let mut hash = Sha256::new();
    for part in parts.iter().chain(&EMPTY).chain(&LEFT_OUT) {
        hash.update(part);
        hash.update("\0");
    }
    let digest = hash.finalize();
    digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Takes out what is not needed, and brings PostgreSQL's programs into the path.
fn trim(root: &Path) -> std::io::Result<()> {
    for folder in EMPTY {
        empty(&root.join(folder))?;
    }
    for file in LEFT_OUT {
        match fs::remove_file(root.join(file)) {
            // Another architecture has it elsewhere; then the image is larger.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    for program in fs::read_dir(root.join(POSTGRES_PROGRAMS))? {
        let name = program?.file_name();
        let inside = Path::new("/").join(POSTGRES_PROGRAMS).join(&name);
        symlink(inside, root.join(FIRST_IN_PATH).join(&name))?;
    }
    Ok(())
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
    fn a_root_is_trimmed_and_finds_the_programs_of_postgres_first() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in [POSTGRES_PROGRAMS, FIRST_IN_PATH, "usr/share/doc/bash"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at(POSTGRES_PROGRAMS).join("psql"), "a program").unwrap();
        trim(root.path()).unwrap();
        let psql = fs::read_link(at("usr/local/bin/psql")).unwrap();
        assert_eq!(psql, Path::new("/usr/lib/postgresql/15/bin/psql"));
        assert_eq!(fs::read_dir(at("usr/share/doc")).unwrap().count(), 0);
    }

    #[test]
    fn the_debian_mirror_is_found_in_both_forms_and_among_others() {
        let old = "# a comment\ndeb [signed-by=/x] http://ftp.example.org/debian bookworm main\n";
        let new = "Types: deb\nURIs: https://example.org/node_20.x\n\nURIs: https://example.org/debian/\n";
        assert_eq!(debian_source(old).unwrap(), "http://ftp.example.org/debian");
        assert_eq!(debian_source(new).unwrap(), "https://example.org/debian/");
        assert_eq!(debian_source("# nothing"), None);
    }
}
