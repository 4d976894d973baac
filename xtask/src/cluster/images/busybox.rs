//! The image `localhost/busybox:1`: the machine's busybox, a link for each applet that it has, and the
//! few files that a shell expects.

use super::archive::{Content, Layer, Run, Tree};
use super::libraries;
use super::{BUSYBOX, Image, cached};
use crate::cluster::packages;
use crate::failure::{Failure, Result};
use crate::tool;

/// Makes the image of the machine's busybox.
pub(super) fn make() -> Result<Image> {
    packages::ensure_tool(
        "busybox",
        "busybox-static",
        "is the image of test workloads",
    )?;
    let doing = || format!("make the image {BUSYBOX}");
    let busybox =
        tool::find("busybox").ok_or_else(|| Failure::new(doing(), "there is no busybox"))?;
    let mut tree = Tree::new();
    for applet in tool::run("busybox", ["--list"])?
        .lines()
        .filter(|applet| *applet != "busybox")
    {
        tree.insert(
            format!("bin/{applet}").into(),
            Content::Link("busybox".to_owned()),
        );
    }
    libraries::add_program(&mut tree, "bin/busybox", &busybox)?;
    for folder in ["data", "dev", "proc", "root", "sys"] {
        tree.insert(folder.into(), Content::Folder(0o755));
    }
    tree.insert("tmp".into(), Content::Folder(0o1777));
    tree.insert(
        "etc/passwd".into(),
        Content::Bytes(b"root:x:0:0:root:/root:/bin/sh\n".to_vec(), 0o644),
    );
    tree.insert(
        "etc/group".into(),
        Content::Bytes(b"root:x:0:\n".to_vec(), 0o644),
    );
    let archive = cached("busybox.tar");
    let run = Run {
        command: vec!["sh".to_owned()],
        ..Run::default()
    };
    Layer::write(&tree, &archive)?.into_image(BUSYBOX.to_owned(), &run, &archive)
}
