//! What a program of this machine needs beside itself to run in an image: the shared libraries that
//! the dynamic linker finds for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::{Content, Tree};
use crate::failure::{Doing, Failure, Result};

/// Adds a program and its libraries to an image.
pub(super) fn add_program(tree: &mut Tree, path: &str, program: &Path) -> Result<()> {
    for library in of(program)? {
        let inside = library.strip_prefix("/").unwrap_or(&library).to_path_buf();
        tree.insert(inside, Content::File(library, 0o755));
    }
    tree.insert(path.into(), Content::File(program.to_path_buf(), 0o755));
    Ok(())
}

/// The libraries of a program, the dynamic linker itself included; none when it is static.
fn of(program: &Path) -> Result<Vec<PathBuf>> {
    let doing = || format!("list the libraries of {}", program.display());
    let output = Command::new("ldd")
        .arg(program)
        .env("LC_ALL", "C")
        .output()
        .doing(doing)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    if complained.contains("not a dynamic executable") || said.contains("statically linked") {
        return Ok(Vec::new());
    }
    if !output.status.success() {
        return Err(Failure::new(doing(), complained));
    }
    parse(&said).map_err(|missing| Failure::new(doing(), format!("{missing} is not found")))
}

/// The paths in what ldd prints; the name of a library that it did not find is the error.
fn parse(said: &str) -> std::result::Result<Vec<PathBuf>, String> {
    let mut libraries = Vec::new();
    for line in said.lines().map(str::trim) {
        let (name, place) = line.split_once(" => ").unwrap_or((line, line));
        if place.starts_with("not found") {
            return Err(name.to_owned());
        }
        // What has no path, as linux-vdso, is the kernel's.
        if place.starts_with('/') {
            let path = place.split(" (").next().unwrap_or(place);
            libraries.push(path.into());
        }
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_linker_are_found_and_the_kernels_own_is_not() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\
            \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f01)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007f02)\n";
        let found = parse(said).unwrap();
        let wanted = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(found, wanted.map(PathBuf::from));
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        assert_eq!(
            parse("\tlibx.so.1 => not found\n"),
            Err("libx.so.1".to_owned())
        );
    }
}
