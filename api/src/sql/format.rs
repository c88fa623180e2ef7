//! Formats of records: what a blob may be read as, and what an answer may be written as.
//!
//! Reading is synchronous, over [`std::io::Read`], and runs on a thread where that may block: three libraries read
//! their formats that way, and one of them jumps about in the file. Writing goes to a buffer that is sent on when
//! it is large enough.

pub(crate) mod arrow;
pub(crate) mod delimited;
pub(crate) mod json;
pub(crate) mod parquet;

use super::{Fault, Record, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// Most bytes of one record. Without a bound a file without line ends would be gathered in memory.
const RECORD_BYTES_MAX: u64 = 16 << 20;

/// Gives the records of a blob.
pub(crate) trait RecordReader {
    /// The next record; none at the end. After a fault that is not fatal there may be more.
    ///
    /// # Errors
    /// A fault of the record, or a fatal one.
    fn next(&mut self) -> Result<Option<Record>, Fault>;

    /// The byte behind the last record, as far as the format has such a place.
    fn position(&self) -> u64;
}

/// A record of an answer.
pub(crate) enum Row<'r> {
    /// The record as it was read.
    Whole(&'r Record),
    /// These columns.
    Columns(&'r [String], Vec<Value>),
}

/// Writes an answer.
pub(crate) trait RecordWriter {
    /// Adds a record.
    ///
    /// # Errors
    /// A fault of the record, of which then nothing is written.
    fn write(&mut self, row: Row<'_>) -> Result<(), Fault>;

    /// Takes what has been written since it was last taken. `last` ends the answer.
    ///
    /// # Errors
    /// A fatal fault.
    fn take(&mut self, last: bool) -> Result<Vec<u8>, Fault>;

    /// Bytes that could be taken.
    fn pending(&self) -> usize;
}

impl Row<'_> {
    /// The columns, with a name for each.
    pub(crate) fn columns(self) -> Vec<(String, Value)> {
        let ordinal = |index: usize| format!("_{}", index + 1);
        match self {
            Self::Columns(names, values) => names.iter().cloned().zip(values).collect(),
            Row::Whole(Record::Columns(names, values)) => {
                names.all().iter().cloned().zip(values.iter().cloned()).collect()
            }
            Row::Whole(Record::Delimited(fields, names)) => fields
                .iter()
                .enumerate()
                .map(|(index, field)| {
                    let name = names.as_ref().and_then(|names| names.all().get(index)).cloned();
                    let value = Value::Text(String::from_utf8_lossy(field).into_owned());
                    (name.unwrap_or_else(|| ordinal(index)), value)
                })
                .collect(),
            Row::Whole(Record::Tree(serde_json::Value::Object(members))) => {
                members.iter().map(|(name, value)| (name.clone(), Value::of_json(value))).collect()
            }
            Row::Whole(Record::Tree(value)) => vec![(ordinal(0), Value::of_json(value))],
        }
    }
}

/// A blob's bytes with a bound on how many one record may take.
pub(crate) struct Metered<R> {
    inner: R,
    record: Rc<Cell<u64>>,
}

impl<R: Read> Metered<R> {
    /// The bytes, and the count of those that went into the present record, to be set to 0 at the next.
    pub(crate) fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let record = Rc::new(Cell::new(0));
        (Self { inner, record: Rc::clone(&record) }, record)
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.record.get() > RECORD_BYTES_MAX {
            return Err(io::Error::other(format!("A record has more than {RECORD_BYTES_MAX} bytes.")));
        }
        let count = self.inner.read(buffer)?;
        self.record.set(self.record.get() + count as u64);
        Ok(count)
    }
}

/// What cannot be read.
fn unreadable(error: impl std::fmt::Display) -> Fault {
    Fault::fatal("ParseError", Cow::Owned(error.to_string()))
}
