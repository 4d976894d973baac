//! The image of the product: the binary, the shared libraries that it links, and the certificates of
//! the public authorities, for S3 services that have one of theirs. Nothing else, no shell; it runs
//! as user 65532 and writes nowhere but where a volume is mounted.
//!
//! The tag is a hash of the content, so that a cluster never runs an older build under the same name.

use std::path::Path;

use super::archive::{Content, Layer, Run, Tree};
use super::libraries;
use super::{Image, tool};
use crate::failure::{Doing, Failure, Result};
use crate::workspace;

/// The user and group: the number that distroless images call "nonroot".
const USER: &str = "65532:65532";

/// Where Debian keeps the certificates of the public authorities, and where programs look for them.
const PUBLIC_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Makes the image of a built binary.
pub(super) fn make(binary: &Path) -> Result<Image> {
    let doing = || format!("make the image of {}", binary.display());
    if !binary.is_file() {
        let failure = Failure::new(doing(), "there is no such file");
        return Err(failure.way_out(
            "build it (`cargo build -p strongroom`), or name another with --binary PATH",
        ));
    }
    let folder = workspace::root().join(".strongroom/images");
    std::fs::create_dir_all(&folder).doing(doing)?;
    // A debug build's names and lines of source are most of its size, and would be copied into each
    // cluster. Names of functions stay, for backtraces.
    let stripped = tempfile::NamedTempFile::new_in(&folder).doing(doing)?;
    let program = match tool::find("strip") {
        Some(_) => {
            let arguments = [
                "--strip-debug".as_ref(),
                "-o".as_ref(),
                stripped.path().as_os_str(),
                binary.as_os_str(),
            ];
            tool::run("strip", arguments)?;
            stripped.path()
        }
        None => binary,
    };
    let mut tree = Tree::new();
    libraries::add_program(&mut tree, "strongroom", program)?;
    let user = b"nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n".to_vec();
    tree.insert("etc/passwd".into(), Content::Bytes(user, 0o644));
    tree.insert(
        "etc/group".into(),
        Content::Bytes(b"nonroot:x:65532:\n".to_vec(), 0o644),
    );
    tree.insert("tmp".into(), Content::Folder(0o1777));
    let authorities = std::fs::read(PUBLIC_AUTHORITIES).doing(|| {
        format!("read {PUBLIC_AUTHORITIES} (Debian's package ca-certificates) for the image")
    })?;
    tree.insert(
        PUBLIC_AUTHORITIES.trim_start_matches('/').into(),
        Content::Bytes(authorities, 0o644),
    );
    let archive = folder.join("strongroom.tar");
    let layer = Layer::write(&tree, &archive)?;
    let reference = format!(
        "localhost/strongroom:{}-{}",
        env!("CARGO_PKG_VERSION"),
        layer.short_digest()
    );
    let run = Run {
        entrypoint: vec!["/strongroom".to_owned()],
        user: USER.to_owned(),
        ..Run::default()
    };
    layer.into_image(reference, &run, &archive)
}
