//! An image's archive: one layer, its configuration, and the manifest that names both, as the Docker
//! Image Specification v1.2 ("Combined Image JSON + Filesystem Changeset Format") has them.
//!
//! The same content gives the same bytes: entries come in the order of their paths, and every time is
//! the epoch. So an image's digest changes when, and only when, its content does.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::Image;
use crate::failure::{Doing, Result};

/// One path of an image's file system.
pub(super) enum Content {
    /// A folder with these permissions.
    Folder(u32),
    /// A file of the machine with these permissions.
    File(PathBuf, u32),
    /// A file with these bytes and permissions.
    Bytes(Vec<u8>, u32),
    /// A symbolic link to the text.
    Link(String),
}

/// What is run, and as whom.
#[derive(Default)]
pub(super) struct Run {
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    /// Empty for root, or `uid:gid`.
    pub(super) user: String,
}

/// The paths of an image, without the leading slash; folders between are made as needed.
pub(super) type Tree = BTreeMap<PathBuf, Content>;

/// The layer of an image: a tar file and its digest.
pub(super) struct Layer {
    file: tempfile::NamedTempFile,
    digest: String,
}

impl Layer {
    /// Writes a tree as a layer, into a file beside the coming archive.
    pub(super) fn write(tree: &Tree, beside: &Path) -> Result<Self> {
        let doing = || format!("write the layer of {}", beside.display());
        Self::pack(beside, |builder| append_tree(builder, tree)).doing(doing)
    }

    /// Writes a whole folder of the machine as a layer, owners and permissions as they are.
    pub(super) fn of_folder(folder: &Path, beside: &Path) -> Result<Self> {
        let doing = || format!("write the layer of {}", beside.display());
        Self::pack(beside, |builder| {
            builder.follow_symlinks(false);
            // containerd does not know the entries of sparse files.
            builder.sparse(false);
            builder.append_dir_all(".", folder)
        })
        .doing(doing)
    }

    fn pack(
        beside: &Path,
        fill: impl FnOnce(&mut Builder<Hashing<io::BufWriter<File>>>) -> io::Result<()>,
    ) -> io::Result<Self> {
        let folder = beside.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let file = tempfile::NamedTempFile::new_in(folder)?;
        let hashing = Hashing {
            to: io::BufWriter::new(file.reopen()?),
            hash: Sha256::new(),
        };
        let mut builder = Builder::new(hashing);
        fill(&mut builder)?;
        let mut hashing = builder.into_inner()?;
        hashing.to.flush()?;
        Ok(Self {
            file,
            digest: hex(&hashing.hash.finalize()),
        })
    }

    /// A short name of the content.
    pub(super) fn short_digest(&self) -> &str {
        &self.digest[..12]
    }

    /// Writes the archive in one step.
    pub(super) fn into_image(self, reference: String, run: &Run, archive: &Path) -> Result<Image> {
        let doing = || format!("write the image {}", archive.display());
        let configuration = configuration(&self.digest, run).to_string();
        let name = format!("{}.json", hex(&Sha256::digest(&configuration)));
        let manifest = json!([{"Config": name, "RepoTags": [reference], "Layers": ["layer.tar"]}]);
        let next = tempfile::NamedTempFile::new_in(archive.parent().unwrap_or(Path::new(".")))
            .doing(doing)?;
        let mut builder = Builder::new(io::BufWriter::new(next.reopen().doing(doing)?));
        append_bytes(
            &mut builder,
            Path::new(&name),
            configuration.as_bytes(),
            0o644,
        )
        .doing(doing)?;
        append_bytes(
            &mut builder,
            Path::new("manifest.json"),
            manifest.to_string().as_bytes(),
            0o644,
        )
        .doing(doing)?;
        append_file(
            &mut builder,
            Path::new("layer.tar"),
            self.file.path(),
            0o644,
        )
        .doing(doing)?;
        builder
            .into_inner()
            .and_then(|mut file| file.flush())
            .doing(doing)?;
        next.persist(archive).doing(doing)?;
        Ok(Image {
            reference,
            archive: archive.to_path_buf(),
        })
    }
}

fn configuration(layer_digest: &str, run: &Run) -> serde_json::Value {
    const EPOCH: &str = "1970-01-01T00:00:00Z";
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "architecture": architecture,
        "os": "linux",
        "created": EPOCH,
        "config": {
            "Entrypoint": run.entrypoint,
            "Cmd": run.command,
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "WorkingDir": "/",
            "User": run.user,
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
        "history": [{"created": EPOCH}],
    })
}

fn append_tree<W: Write>(builder: &mut Builder<W>, tree: &Tree) -> io::Result<()> {
    let mut folders = std::collections::BTreeSet::new();
    for (path, content) in tree {
        for above in path
            .ancestors()
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
        {
            if !above.as_os_str().is_empty() && !tree.contains_key(above) && folders.insert(above) {
                append_folder(builder, above, 0o755)?;
            }
        }
        match content {
            Content::Folder(mode) => append_folder(builder, path, *mode)?,
            Content::File(source, mode) => append_file(builder, path, source, *mode)?,
            Content::Bytes(bytes, mode) => append_bytes(builder, path, bytes, *mode)?,
            Content::Link(target) => {
                let mut header = header(EntryType::Symlink, 0, 0o777);
                builder.append_link(&mut header, path, target)?;
            }
        }
    }
    Ok(())
}

fn append_folder<W: Write>(builder: &mut Builder<W>, path: &Path, mode: u32) -> io::Result<()> {
    builder.append_data(
        &mut header(EntryType::Directory, 0, mode),
        path,
        io::empty(),
    )
}

fn append_bytes<W: Write>(
    builder: &mut Builder<W>,
    path: &Path,
    bytes: &[u8],
    mode: u32,
) -> io::Result<()> {
    builder.append_data(
        &mut header(EntryType::Regular, bytes.len() as u64, mode),
        path,
        bytes,
    )
}

fn append_file<W: Write>(
    builder: &mut Builder<W>,
    path: &Path,
    source: &Path,
    mode: u32,
) -> io::Result<()> {
    let file = File::open(source)?;
    let length = file.metadata()?.len();
    let mut header = header(EntryType::Regular, length, mode);
    builder.append_data(&mut header, path, file.take(length))
}

fn header(kind: EntryType, length: u64, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(length);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes through, and hashes what passes.
struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(text: &str) -> Tree {
        Tree::from([
            ("usr/bin/tool".into(), Content::Bytes(text.into(), 0o755)),
            ("usr/bin/link".into(), Content::Link("tool".to_owned())),
            ("tmp".into(), Content::Folder(0o1777)),
        ])
    }

    fn image(folder: &Path, text: &str) -> (String, Image) {
        let archive = folder.join("image.tar");
        let layer = Layer::write(&tree(text), &archive).unwrap();
        let digest = layer.short_digest().to_owned();
        let run = Run {
            entrypoint: vec!["/usr/bin/tool".to_owned()],
            user: "65532:65532".to_owned(),
            ..Run::default()
        };
        (
            digest,
            layer
                .into_image("localhost/tool:1".to_owned(), &run, &archive)
                .unwrap(),
        )
    }

    fn entries(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = tar::Archive::new(archive);
        let read = |entry: io::Result<tar::Entry<'_, &[u8]>>| {
            let mut entry = entry.unwrap();
            let name = entry.path().unwrap().to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (name, bytes)
        };
        archive.entries().unwrap().map(read).collect()
    }

    #[test]
    fn the_archive_names_its_configuration_its_layer_and_its_digest() {
        let folder = tempfile::tempdir().unwrap();
        let (_, image) = image(folder.path(), "one");
        let entries = entries(&fs::read(image.archive).unwrap());
        let manifest: serde_json::Value = serde_json::from_slice(&entries[1].1).unwrap();
        assert_eq!(manifest[0]["RepoTags"][0], "localhost/tool:1");
        assert_eq!(manifest[0]["Config"], entries[0].0.as_str());
        assert_eq!(
            entries[0].0,
            format!("{}.json", hex(&Sha256::digest(&entries[0].1)))
        );
        let configuration: serde_json::Value = serde_json::from_slice(&entries[0].1).unwrap();
        assert_eq!(configuration["config"]["User"], "65532:65532");
        assert_eq!(entries[2].0, "layer.tar");
        let digest = format!("sha256:{}", hex(&Sha256::digest(&entries[2].1)));
        assert_eq!(configuration["rootfs"]["diff_ids"][0], digest.as_str());
    }

    #[test]
    fn the_layer_has_the_folders_between_once_and_before_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let (_, image) = image(folder.path(), "one");
        let layer = &entries(&fs::read(image.archive).unwrap())[2].1;
        let names: Vec<_> = entries(layer).into_iter().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            ["tmp", "usr", "usr/bin", "usr/bin/link", "usr/bin/tool"]
        );
    }

    #[test]
    fn the_digest_changes_with_the_content_and_only_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = image(folder.path(), "one").0;
        assert_eq!(image(folder.path(), "one").0, first);
        assert_ne!(image(folder.path(), "two").0, first);
    }
}
