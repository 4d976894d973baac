//! The image `localhost/pause:1`: one static program that waits.

use super::archive::{Content, Layer, Run, Tree};
use super::{Image, PAUSE, cached};
use crate::cluster::settings::Programs;
use crate::failure::Result;

/// Makes the image of the built program.
pub(super) fn make(programs: &Programs) -> Result<Image> {
    let tree = Tree::from([(
        "pause".into(),
        Content::File(programs.storage.join("pause"), 0o755),
    )]);
    let archive = cached("pause.tar");
    let run = Run {
        entrypoint: vec!["/pause".to_owned()],
        ..Run::default()
    };
    Layer::write(&tree, &archive)?.into_image(PAUSE.to_owned(), &run, &archive)
}
