//! JSON values, one after another.
//!
//! Where white space separates them nothing needs to look for it: a value ends where it ends, and may as well be
//! spread over lines. Any other separator is looked for.

use super::{Metered, RecordReader, RecordWriter, Row, unreadable};
use crate::sql::expression::Step;
use crate::sql::record::unfold;
use crate::sql::{Fault, Record};
use serde_json::{Deserializer, StreamDeserializer, Value, de::IoRead};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;

/// Reads values.
pub(crate) struct JsonReader<R: Read> {
    values: Values<R>,
    in_record: Rc<Cell<u64>>,
    from: Vec<Step>,
    /// What the path took out of the last value.
    unfolded: VecDeque<Value>,
}

enum Values<R: Read> {
    /// Separated by white space.
    Stream(Box<StreamDeserializer<'static, IoRead<BufReader<Metered<R>>>, Value>>),
    /// Separated by this byte.
    Split(BufReader<Metered<R>>, u8, u64),
}

impl<R: Read> JsonReader<R> {
    /// A reader of `blob`, giving what the path leads to in each value.
    pub(crate) fn new(blob: R, separator: u8, from: Vec<Step>) -> Self {
        let (blob, in_record) = Metered::new(blob);
        let blob = BufReader::with_capacity(64 << 10, blob);
        let values = if separator.is_ascii_whitespace() {
            Values::Stream(Box::new(Deserializer::from_reader(blob).into_iter()))
        } else {
            Values::Split(blob, separator, 0)
        };
        Self { values, in_record, from, unfolded: VecDeque::new() }
    }
}

impl<R: Read> Values<R> {
    fn next(&mut self) -> Result<Option<Value>, Fault> {
        match self {
            Self::Stream(values) => values.next().transpose().map_err(unreadable),
            Self::Split(blob, separator, position) => loop {
                let mut text = Vec::new();
                let bytes = blob.read_until(*separator, &mut text).map_err(unreadable)?;
                *position += bytes as u64;
                let value = text.strip_suffix(&[*separator]).unwrap_or(&text).trim_ascii();
                if bytes == 0 {
                    return Ok(None);
                }
                if !value.is_empty() {
                    return serde_json::from_slice(value).map(Some).map_err(unreadable);
                }
            },
        }
    }
}

impl<R: Read> RecordReader for JsonReader<R> {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        loop {
            if let Some(value) = self.unfolded.pop_front() {
                return Ok(Some(Record::Tree(value)));
            }
            self.in_record.set(0);
            let Some(value) = self.values.next()? else { return Ok(None) };
            let unfolded = &mut self.unfolded;
            unfold(value, &self.from, &mut |inner| {
                unfolded.push_back(inner);
                Ok(())
            })?;
        }
    }

    fn position(&self) -> u64 {
        match &self.values {
            Values::Stream(values) => values.byte_offset() as u64,
            Values::Split(_, _, position) => *position,
        }
    }
}

/// Writes values.
pub(crate) struct JsonWriter {
    written: Vec<u8>,
    separator: u8,
}

impl JsonWriter {
    /// A writer that puts this behind each value.
    pub(crate) const fn new(separator: u8) -> Self {
        Self { written: Vec::new(), separator }
    }
}

impl RecordWriter for JsonWriter {
    fn write(&mut self, row: Row<'_>) -> Result<(), Fault> {
        let value = match row {
            Row::Whole(Record::Tree(value)) => value.to_string(),
            row => {
                let members = row.columns().into_iter();
                let members = members.filter_map(|(name, value)| Some((name, value.into_json()?)));
                Value::Object(members.collect()).to_string()
            }
        };
        self.written.extend_from_slice(value.as_bytes());
        self.written.push(self.separator);
        Ok(())
    }

    fn take(&mut self, _: bool) -> Result<Vec<u8>, Fault> {
        Ok(std::mem::take(&mut self.written))
    }

    fn pending(&self) -> usize {
        self.written.len()
    }
}
