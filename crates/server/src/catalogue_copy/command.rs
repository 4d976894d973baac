//! `strongroom server backup-catalog` and `restore-catalog`: where the catalogue and the copy are.
//!
//! Contract: a copy is made beside a running server: neither the data directory's lock nor the database's seat
//! is taken, and nothing is written but the copy. A file is there whole or not at all, and only its owner
//! reads it. A restore takes both, as a server does.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::limits::LEVEL;
use super::{CopyError, Restored, read, write};
use crate::config::{Config, ServerOptions};
use crate::data_dir::{DataDir, PRIVATE_FILE, read_private};
use crate::environment::{Clock as _, SystemClock};
use crate::run::{RunError, TENANT_ID, load};
use crate::secrets::MasterKey;
use crate::store::copied::{POSTGRES_LAG, SCHEMA};
use crate::store::postgres::{self, PostgresDatabase};
use crate::store::sqlite::{self, SqliteDatabase};
use crate::store::{Session, Store};

/// Where a copy goes to or comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Standard output or input.
    Standard,
    /// A file.
    File(PathBuf),
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Self {
        if path.as_os_str() == "-" {
            Self::Standard
        } else {
            Self::File(path)
        }
    }
}

/// Copies the catalogue of a server, which may be running; tells the number of rows.
pub async fn backup_catalogue(options: &ServerOptions, to: &Place) -> Result<u64, RunError> {
    let config = load(options)?;
    let dir = DataDir::beside(&config.data_dir)?;
    let keys = existing_master_key(&dir)?;
    let mut session = snapshot(&config, &dir).await?;
    let tenant_id = session.setting(TENANT_ID).await?.unwrap_or_default();
    let about = (SystemClock.now(), tenant_id);
    let rows = match to {
        Place::Standard => {
            let (to, rows) = compressed(&mut *session, &keys, about, io::stdout()).await?;
            flushed(to)?;
            rows
        }
        Place::File(path) => {
            let (temporary, file) = begin_file(path).map_err(CopyError::Io)?;
            match compressed(&mut *session, &keys, about, file).await {
                Ok((file, rows)) => {
                    end_file(&temporary, path, &file).map_err(CopyError::Io)?;
                    rows
                }
                Err(error) => {
                    // Best effort: half a copy is of no use, and the error says what to do.
                    let _ = fs::remove_file(&temporary);
                    return Err(error.into());
                }
            }
        }
    };
    Ok(rows)
}

/// One moment of the catalogue that a configuration names.
async fn snapshot(config: &Config, dir: &DataDir) -> Result<Box<dyn Session>, RunError> {
    let (mut session, expected) = match &config.database_url {
        Some(url) => (
            postgres::snapshot(url.expose()).await?,
            SCHEMA - POSTGRES_LAG,
        ),
        None => (sqlite::snapshot(&dir.database_path()).await?, SCHEMA),
    };
    let found = session.schema().await?;
    if found != expected {
        return Err(CopyError::OtherDatabase { found, expected }.into());
    }
    Ok(session)
}

async fn compressed<W: Write + Send>(
    session: &mut dyn Session,
    keys: &MasterKey,
    about: (jiff::Timestamp, String),
    to: W,
) -> Result<(W, u64), CopyError> {
    let encoder = zstd::Encoder::new(BufWriter::new(to), LEVEL)?;
    let (encoder, rows) = write(session, keys, about, encoder).await?;
    let to = encoder.finish()?.into_inner();
    Ok((to.map_err(|error| error.into_error())?, rows))
}

fn flushed(mut to: impl Write) -> Result<(), CopyError> {
    Ok(to.flush()?)
}

fn begin_file(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // One that a killed process left may have another mode.
    let _ = fs::remove_file(&temporary);
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(PRIVATE_FILE)
        .open(&temporary)?;
    Ok((temporary, file))
}

fn end_file(temporary: &Path, path: &Path, file: &File) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(temporary, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Restores a copy into an empty catalogue. `moved`: the server that it was made of has done nothing since.
pub async fn restore_catalogue(
    options: &ServerOptions,
    from: &Place,
    moved: bool,
) -> Result<Restored, RunError> {
    let config = load(options)?;
    let dir = DataDir::open(&config.data_dir)?;
    let keys = existing_master_key(&dir)?;
    // What is no copy is told before a database is made.
    let source: Box<dyn io::Read + Send> = match from {
        Place::Standard => Box::new(io::stdin()),
        Place::File(path) => Box::new(File::open(path).map_err(CopyError::Io)?),
    };
    let source = zstd::Decoder::new(source).map_err(CopyError::Io)?;
    let store = store_of(&config, &dir).await?;
    let now = (!moved).then(|| SystemClock.now());
    let restored = async {
        let mut session = store.begin().await?;
        let restored = read(&mut *session, &keys, BufReader::new(source), now).await?;
        session.commit().await?;
        Ok::<_, CopyError>(restored)
    };
    let restored = restored.await;
    store.close().await;
    Ok(restored?)
}

/// The catalogue that a configuration names, for the only one that works on it.
pub(crate) async fn store_of(config: &Config, dir: &DataDir) -> Result<Store, RunError> {
    Ok(match &config.database_url {
        Some(url) => Store::new(PostgresDatabase::open(url.expose()).await?),
        None => Store::new(SqliteDatabase::open(&dir.database()?).await?),
    })
}

/// The master key, which must be there.
pub(crate) fn existing_master_key(dir: &DataDir) -> Result<MasterKey, RunError> {
    match read_private(&dir.master_key())? {
        Some(bytes) => Ok(MasterKey::from_bytes(&bytes)?),
        None => Err(RunError::MasterKeyLost {
            path: dir.master_key().display().to_string(),
        }),
    }
}
