//! Parquet: rows of columns, with types of their own. The file is read from its end and by parts, so it needs a blob
//! that can be read anywhere; the library decides where.
//!
//! The library is trusted with well-formed files only. What it makes of others, a panic included, is caught by whoever
//! runs the query.

use super::{RecordReader, unreadable};
use crate::sql::record::Names;
use crate::sql::{Fault, Record, Value};
use chrono::DateTime;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use parquet::record::Field;
use parquet::record::reader::RowIter;
use std::sync::Arc;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Reads rows.
pub(crate) struct ParquetReader {
    rows: RowIter<'static>,
    names: Arc<Names>,
    /// Rows read, and rows in all: there is no byte to tell how far the reading is.
    read: u64,
    total: u64,
    bytes: u64,
}

impl ParquetReader {
    /// A reader of `blob`, which has so many bytes.
    ///
    /// # Errors
    /// `ParseError` if it is no Parquet file.
    pub(crate) fn new<R: ChunkReader + 'static>(blob: R, bytes: u64) -> Result<Self, Fault> {
        let file = SerializedFileReader::new(blob).map_err(unreadable)?;
        let schema = file.metadata().file_metadata().schema_descr();
        let names = schema.root_schema().get_fields().iter().map(|field| field.name().to_owned()).collect();
        let total = u64::try_from(file.metadata().file_metadata().num_rows()).unwrap_or(0);
        Ok(Self {
            rows: RowIter::from_file_into(Box::new(file)),
            names: Arc::new(Names::new(names)),
            read: 0,
            total,
            bytes,
        })
    }
}

impl RecordReader for ParquetReader {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        let Some(row) = self.rows.next().transpose().map_err(unreadable)? else { return Ok(None) };
        self.read += 1;
        let values = row.into_columns().into_iter().map(|(_, field)| value(field)).collect();
        Ok(Some(Record::Columns(Arc::clone(&self.names), values)))
    }

    /// As large a part of the file's bytes as of its rows has been read.
    fn position(&self) -> u64 {
        let share = u128::from(self.bytes) * u128::from(self.read) / u128::from(self.total.max(1));
        u64::try_from(share).unwrap_or(self.bytes).min(self.bytes)
    }
}

fn value(field: Field) -> Value {
    let at = |time: Option<DateTime<chrono::Utc>>| {
        time.map_or(Value::Null, |time| Value::Timestamp(time.fixed_offset()))
    };
    match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => Value::Boolean(truth),
        Field::Byte(number) => Value::Int(number.into()),
        Field::Short(number) => Value::Int(number.into()),
        Field::Int(number) => Value::Int(number.into()),
        Field::Long(number) => Value::Int(number),
        Field::UByte(number) => Value::Int(number.into()),
        Field::UShort(number) => Value::Int(number.into()),
        Field::UInt(number) => Value::Int(number.into()),
        #[expect(clippy::cast_precision_loss, reason = "there is no larger whole number in the language")]
        Field::ULong(number) => i64::try_from(number).map_or(Value::Float(number as f64), Value::Int),
        Field::Float16(number) => Value::Float(number.into()),
        Field::Float(number) => Value::Float(number.into()),
        Field::Double(number) => Value::Float(number),
        Field::Str(text) => Value::Text(text),
        Field::Bytes(bytes) => Value::Text(String::from_utf8_lossy(bytes.data()).into_owned()),
        Field::Date(days) => at(DateTime::from_timestamp(i64::from(days) * DAY_SECONDS, 0)),
        Field::TimestampMillis(millis) => at(DateTime::from_timestamp_millis(millis)),
        Field::TimestampMicros(micros) => at(DateTime::from_timestamp_micros(micros)),
        // A decimal, a time of day, or something with an inside: as the library shows it.
        other => Value::of_json(&other.to_json_value()),
    }
}
