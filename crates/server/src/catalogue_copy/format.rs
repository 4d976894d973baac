//! The file that a copy of a catalogue is.
//!
//! Contract: one zstd stream of lines of JSON: a [`Header`]; a row a line, as an array of the table's name and
//! the values of its columns in the order of [`TABLES`](crate::store::copied::TABLES), bytes in base64; a
//! [`Trailer`] with the number of rows and an HMAC over every byte before it. The key of the HMAC follows from
//! the master key, so that a file which was cut off, altered or put together by somebody else is refused, and
//! its secrets stay sealed as they are in the database. Memory depends on no number of rows.

use std::io::{self, BufRead, Read as _, Write};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::CopyError;
use super::limits::RECORD_MAX;
use crate::secrets::MasterKey;
use crate::store::copied::{Table, Type, Value};

/// The only version so far.
pub const FORMAT: u32 = 1;

/// What the key of the HMAC is derived for.
const MAC_KEY: &str = "catalogue copy v1";

/// What the words by which a copy knows its master key are derived for: they tell nothing of the key.
const KEY_CHECK: &str = "catalogue copy key check v1";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Version of this format. The name of the member says what the file is.
    pub strongroom_catalogue: u32,
    /// The schema of which the rows are, see [`SCHEMA`](crate::store::copied::SCHEMA).
    pub schema: i64,
    /// The version of the program that wrote it.
    pub program: String,
    /// When it was made.
    pub made: Timestamp,
    /// The tenant of the server.
    pub tenant_id: String,
    /// By which a wrong master key is told from a damaged file.
    pub key_check: String,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Trailer {
    rows: u64,
    mac: String,
}

/// The words by which a copy knows its master key.
#[must_use]
pub fn key_check(keys: &MasterKey) -> String {
    hex(keys.derive(KEY_CHECK).as_slice())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

fn mac(keys: &MasterKey) -> hmac::Context {
    let key = hmac::Key::new(hmac::HMAC_SHA256, keys.derive(MAC_KEY).as_slice());
    hmac::Context::with_key(&key)
}

/// Writes a copy, row by row.
pub struct Writer<W: Write> {
    to: W,
    mac: hmac::Context,
    rows: u64,
}

impl<W: Write> Writer<W> {
    /// Begins a copy.
    pub fn begin(to: W, keys: &MasterKey, header: &Header) -> io::Result<Self> {
        let mut writer = Self {
            to,
            mac: mac(keys),
            rows: 0,
        };
        writer.line(&serde_json::to_vec(header)?)?;
        Ok(writer)
    }

    /// Writes a row.
    pub fn row(&mut self, table: &Table, values: Vec<Value>) -> io::Result<()> {
        let json = |value| match value {
            Value::Text(text) => Json::from(text),
            Value::Number(number) => Json::from(number),
            Value::Bytes(bytes) => Json::from(bytes.map(|bytes| BASE64.encode(bytes))),
        };
        let mut record = vec![Json::from(table.name)];
        record.extend(values.into_iter().map(json));
        self.rows += 1;
        self.line(&serde_json::to_vec(&record)?)
    }

    fn line(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in [bytes, b"\n"] {
            self.mac.update(part);
            self.to.write_all(part)?;
        }
        Ok(())
    }

    /// Ends the copy; gives back what it was written to, and the number of rows.
    pub fn finish(mut self) -> io::Result<(W, u64)> {
        let trailer = Trailer {
            rows: self.rows,
            mac: hex(self.mac.clone().sign().as_ref()),
        };
        self.line(&serde_json::to_vec(&trailer)?)?;
        Ok((self.to, self.rows))
    }
}

/// Reads a copy, row by row. What it gave is the copy's only once [`Reader::next_row`] has given none.
pub struct Reader<R: BufRead> {
    from: R,
    mac: hmac::Context,
    header: Header,
    rows: u64,
    is_whole: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the beginning of a copy and refuses one that is not for this program or this key.
    pub fn begin(mut from: R, keys: &MasterKey, schema: i64) -> Result<Self, CopyError> {
        let first = line(&mut from)?.unwrap_or_default();
        let header: Header = serde_json::from_slice(&first).map_err(|_| CopyError::NotACopy)?;
        if header.strongroom_catalogue != FORMAT {
            return Err(CopyError::OtherFormat(header.strongroom_catalogue));
        }
        if header.key_check != key_check(keys) {
            return Err(CopyError::OtherMasterKey);
        }
        if header.schema != schema {
            return Err(CopyError::OtherSchema {
                found: header.schema,
                expected: schema,
                program: header.program,
            });
        }
        let mut mac = mac(keys);
        mac.update(&first);
        Ok(Self {
            from,
            mac,
            header,
            rows: 0,
            is_whole: false,
        })
    }

    /// The first line.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The next row; none at the end of a copy that is whole.
    pub fn next_row(&mut self) -> Result<Option<(&'static Table, Vec<Value>)>, CopyError> {
        if self.is_whole {
            return Ok(None);
        }
        let Some(bytes) = line(&mut self.from)? else {
            return Err(damaged("it ends before its last line"));
        };
        if bytes.starts_with(b"{") {
            return self.end(&bytes).map(|()| None);
        }
        self.mac.update(&bytes);
        self.rows += 1;
        row(&bytes).map(Some)
    }

    fn end(&mut self, bytes: &[u8]) -> Result<(), CopyError> {
        let trailer: Trailer =
            serde_json::from_slice(bytes).map_err(|_| damaged("its last line is none"))?;
        let said = unhex(&trailer.mac).unwrap_or_default();
        let found = self.mac.clone().sign();
        if trailer.rows != self.rows
            || aws_lc_rs::constant_time::verify_slices_are_equal(found.as_ref(), &said).is_err()
        {
            return Err(damaged("it is not as it was written"));
        }
        if line(&mut self.from)?.is_some() {
            return Err(damaged("something follows its last line"));
        }
        self.is_whole = true;
        Ok(())
    }
}

fn damaged(why: &str) -> CopyError {
    CopyError::Damaged(why.to_owned())
}

/// The next line with its line feed; none at the end of the file.
fn line(from: &mut impl BufRead) -> Result<Option<Vec<u8>>, CopyError> {
    let mut bytes = Vec::new();
    let read = from.take(RECORD_MAX).read_until(b'\n', &mut bytes);
    match read {
        Ok(0) => Ok(None),
        Ok(_) if bytes.ends_with(b"\n") => Ok(Some(bytes)),
        Ok(_) => Err(damaged("a line has no end")),
        // What zstd says of a stream that is cut off or is none.
        Err(error) => Err(damaged(&error.to_string())),
    }
}

fn row(bytes: &[u8]) -> Result<(&'static Table, Vec<Value>), CopyError> {
    let record: Vec<Json> =
        serde_json::from_slice(bytes).map_err(|_| damaged("a line does not parse"))?;
    let mut record = record.into_iter();
    let name = record.next();
    let table = name.as_ref().and_then(Json::as_str).and_then(Table::find);
    let table = table.ok_or_else(|| damaged("a line is of a table that is not known"))?;
    if record.len() != table.columns.len() {
        return Err(damaged("a row has other columns than its table"));
    }
    let columns = table.columns.iter().zip(record);
    let values = columns.map(|((_, kind), value)| read_value(*kind, value));
    let values: Option<Vec<Value>> = values.collect();
    let values = values.ok_or_else(|| damaged("a value is not of its column's type"))?;
    Ok((table, values))
}

fn read_value(kind: Type, value: Json) -> Option<Value> {
    Some(match (kind, value) {
        (Type::Text, Json::Null) => Value::Text(None),
        (Type::Text, Json::String(text)) => Value::Text(Some(text)),
        (Type::Number, Json::Null) => Value::Number(None),
        (Type::Number, Json::Number(number)) => Value::Number(Some(number.as_i64()?)),
        (Type::Bytes, Json::Null) => Value::Bytes(None),
        (Type::Bytes, Json::String(text)) => Value::Bytes(Some(BASE64.decode(text).ok()?)),
        _ => return None,
    })
}
