//! Apache Arrow: an answer as a stream of record batches, in a schema that the client names.
//!
//! Columns go by their order, as the client's fields and the statement's items do.

use super::{RecordWriter, Row, unreadable};
use crate::sql::expression::Type;
use crate::sql::{Fault, Value};
use arrow_array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;

/// Rows of one batch.
const BATCH_ROWS: usize = 4096;

/// Writes record batches.
pub(crate) struct ArrowWriter {
    schema: SchemaRef,
    stream: StreamWriter<Vec<u8>>,
    /// Rows of the next batch, cast already.
    rows: Vec<Vec<Value>>,
}

/// The field that a client names.
///
/// # Errors
/// A sentence about a type that there is not.
pub(crate) fn field(
    kind: &str,
    name: &str,
    precision: Option<u8>,
    scale: Option<i8>,
) -> Result<Field, String> {
    let kind = match kind {
        "int64" => DataType::Int64,
        "bool" => DataType::Boolean,
        "timestamp[ms]" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "string" => DataType::Utf8,
        "double" => DataType::Float64,
        "decimal" => {
            let (precision, scale) = (precision.unwrap_or(38), scale.unwrap_or(0));
            let possible = (1..=38).contains(&precision) && scale.unsigned_abs() <= precision;
            if !possible {
                return Err(format!(
                    "There is no decimal of {precision} digits, {scale} of them behind the point."
                ));
            }
            DataType::Decimal128(precision, scale)
        }
        other => return Err(format!("'{other}' is no type of a field.")),
    };
    Ok(Field::new(name, kind, true))
}

impl ArrowWriter {
    /// A writer of these fields.
    ///
    /// # Errors
    /// A fatal fault if the library has no such schema.
    pub(crate) fn new(fields: Vec<Field>) -> Result<Self, Fault> {
        let schema = Arc::new(Schema::new(fields));
        let stream = StreamWriter::try_new(Vec::new(), &schema).map_err(unreadable)?;
        Ok(Self { schema, stream, rows: Vec::new() })
    }

    fn write_batch(&mut self) -> Result<(), Fault> {
        let rows = std::mem::take(&mut self.rows);
        if rows.is_empty() {
            return Ok(());
        }
        let columns = self.schema.fields().iter().enumerate();
        let columns: Vec<ArrayRef> = columns
            .map(|(index, field)| column(&rows, index, field.data_type()))
            .collect::<Result<_, _>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(unreadable)?;
        self.stream.write(&batch).map_err(unreadable)
    }
}

impl RecordWriter for ArrowWriter {
    fn write(&mut self, row: Row<'_>) -> Result<(), Fault> {
        let mut values = row.columns().into_iter().map(|(_, value)| value);
        let fields = self.schema.fields().iter();
        let cast = fields.map(|field| values.next().unwrap_or(Value::Null).cast(type_of(field.data_type())));
        self.rows.push(cast.collect::<Result<_, _>>()?);
        if self.rows.len() < BATCH_ROWS { Ok(()) } else { self.write_batch() }
    }

    fn take(&mut self, last: bool) -> Result<Vec<u8>, Fault> {
        if last {
            self.write_batch()?;
            self.stream.finish().map_err(unreadable)?;
        }
        Ok(std::mem::take(self.stream.get_mut()))
    }

    fn pending(&self) -> usize {
        self.stream.get_ref().len()
    }
}

const fn type_of(field: &DataType) -> Type {
    match field {
        DataType::Int64 => Type::Int,
        DataType::Boolean => Type::Boolean,
        DataType::Timestamp(..) => Type::Timestamp,
        DataType::Float64 | DataType::Decimal128(..) => Type::Float,
        _ => Type::Text,
    }
}

fn column(rows: &[Vec<Value>], index: usize, kind: &DataType) -> Result<ArrayRef, Fault> {
    let values = || rows.iter().map(|row| row.get(index));
    Ok(match kind {
        DataType::Int64 => Arc::new(
            values()
                .map(|value| match value {
                    Some(Value::Int(number)) => Some(*number),
                    _ => None,
                })
                .collect::<Int64Array>(),
        ),
        DataType::Boolean => Arc::new(
            values()
                .map(|value| match value {
                    Some(Value::Boolean(truth)) => Some(*truth),
                    _ => None,
                })
                .collect::<BooleanArray>(),
        ),
        DataType::Timestamp(..) => Arc::new(
            values()
                .map(|value| match value {
                    Some(Value::Timestamp(time)) => Some(time.timestamp_millis()),
                    _ => None,
                })
                .collect::<TimestampMillisecondArray>(),
        ),
        DataType::Float64 => Arc::new(values().map(float).collect::<Float64Array>()),
        DataType::Decimal128(precision, scale) => {
            let unscaled = values().map(|value| decimal(float(value)?, *scale));
            let array = unscaled.collect::<Decimal128Array>().with_precision_and_scale(*precision, *scale);
            Arc::new(array.map_err(unreadable)?)
        }
        _ => Arc::new(
            values()
                .map(|value| match value {
                    Some(Value::Text(text)) => Some(text.as_str()),
                    _ => None,
                })
                .collect::<StringArray>(),
        ),
    })
}

fn float(value: Option<&Value>) -> Option<f64> {
    match value {
        Some(Value::Float(number)) => Some(*number),
        _ => None,
    }
}

/// The number's digits with so many of them behind the point; none if they are too many.
fn decimal(number: f64, scale: i8) -> Option<i128> {
    let digits = (number * 10_f64.powi(scale.into())).round();
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    (digits.abs() < 1e38).then_some(digits as i128)
}
