//! Running a query: records in, an answer out, in its envelope.

use super::source::Source;
use crate::sql::aggregate::Sum;
use crate::sql::evaluate::Scene;
use crate::sql::format::arrow::ArrowWriter;
use crate::sql::format::delimited::{DelimitedReader, DelimitedWriter, Dialect};
use crate::sql::format::json::{JsonReader, JsonWriter};
use crate::sql::format::parquet::ParquetReader;
use crate::sql::format::{RecordReader, RecordWriter, Row};
use crate::sql::{Fault, Record, Selection, Statement, Value};
use chrono::{DateTime, FixedOffset};
use std::ops::ControlFlow;
use storage_engine::clock::Timestamp;

mod envelope;

use envelope::Envelope;

/// Bytes of the answer that are sent at once.
const PIECE_BYTES: usize = 64 << 10;
/// Records between looks at whether the client should hear how far the query is.
const PROGRESS_BYTES: u64 = 4 << 20;

/// What a blob is read as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// Delimited text.
    Delimited(Dialect),
    /// JSON values with this between them.
    Json(u8),
    /// Parquet.
    Parquet,
}

/// What an answer is written as.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Output {
    /// Delimited text.
    Delimited(Dialect),
    /// JSON values with this behind each.
    Json(u8),
    /// Arrow record batches of these fields.
    Arrow(Vec<arrow_schema::Field>),
}

/// A query that can be run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    statement: Statement,
    input: Input,
    output: Output,
    /// Names of the answer's columns, unless it has the blob's own.
    names: Vec<String>,
}

/// The client is gone, or something went wrong that nothing can follow.
struct Ended;

impl Query {
    /// The query, if its parts fit each other.
    ///
    /// # Errors
    /// A sentence about what does not.
    pub(super) fn new(statement: Statement, input: Input, output: Output) -> Result<Self, String> {
        if !matches!(input, Input::Json(_)) && !statement.from.is_empty() {
            return Err("Only JSON has paths behind FROM.".to_owned());
        }
        let names: Vec<String> = match &statement.selection {
            Selection::All => Vec::new(),
            Selection::Items(items) => items.iter().map(|item| item.name.clone()).collect(),
            Selection::Aggregates(sums) => sums.iter().map(|(_, name)| name.clone()).collect(),
            Selection::Split(_) if matches!(input, Input::Delimited(_)) => vec!["_1".to_owned()],
            Selection::Split(_) => return Err("Only delimited text can be split.".to_owned()),
        };
        if let Output::Arrow(fields) = &output
            && !names.is_empty()
            && fields.len() != names.len()
        {
            return Err("The schema must have as many fields as the statement has columns.".to_owned());
        }
        Ok(Self { statement, input, output, names })
    }

    /// Runs it, giving `send` the answer piece by piece until it says that nobody wants more.
    pub(super) fn run(self, source: Source, now: Timestamp, send: &dyn Fn(Vec<u8>) -> bool) {
        let total = source.length();
        let mut envelope = Envelope::new();
        // The official Python client fails on an error that is the first of all records.
        envelope.progress(0, total);
        let outcome = self.answer(source, now, &mut envelope, send);
        match outcome {
            Err(Ended) => {}
            Ok(Err(fault)) => {
                envelope.fault(&fault, 0);
                envelope.end(total);
            }
            Ok(Ok(())) => envelope.end(total),
        }
        send(envelope.take());
    }

    fn answer(
        self,
        source: Source,
        now: Timestamp,
        envelope: &mut Envelope,
        send: &dyn Fn(Vec<u8>) -> bool,
    ) -> Result<Result<(), Fault>, Ended> {
        let total = source.length();
        let parts = self.reader(source).and_then(|reader| Ok((reader, self.writer()?)));
        let (mut reader, writer) = match parts {
            Ok(parts) => parts,
            Err(fault) => return Ok(Err(fault)),
        };
        let sums = match &self.statement.selection {
            Selection::Aggregates(sums) => sums.iter().map(|(sum, _)| Sum::new(sum.clone())).collect(),
            _ => Vec::new(),
        };
        let mut run = Run {
            query: &self,
            writer,
            sums,
            now: moment(now),
            taken: 0,
            part_from: 0,
            envelope,
            total,
            told: 0,
        };
        loop {
            match run.step(&mut *reader) {
                Ok(ControlFlow::Break(())) => break,
                Ok(ControlFlow::Continue(())) => {}
                Err(fault) => return Ok(Err(fault)),
            }
            if run.envelope.len() >= PIECE_BYTES && !send(run.envelope.take()) {
                return Err(Ended);
            }
        }
        Ok(run.finish(reader.position()))
    }

    fn reader(&self, source: Source) -> Result<Box<dyn RecordReader>, Fault> {
        Ok(match &self.input {
            Input::Delimited(dialect) => Box::new(DelimitedReader::new(source.in_order(), *dialect)),
            Input::Json(separator) => {
                Box::new(JsonReader::new(source.in_order(), *separator, self.statement.from.clone()))
            }
            Input::Parquet => {
                let bytes = source.length();
                Box::new(ParquetReader::new(source.anywhere(), bytes)?)
            }
        })
    }

    fn writer(&self) -> Result<Box<dyn RecordWriter>, Fault> {
        Ok(match &self.output {
            Output::Delimited(dialect) => Box::new(DelimitedWriter::new(*dialect)),
            Output::Json(separator) => Box::new(JsonWriter::new(*separator)),
            Output::Arrow(fields) => Box::new(ArrowWriter::new(fields.clone())?),
        })
    }
}

/// A query on its way through the records.
struct Run<'q> {
    query: &'q Query,
    writer: Box<dyn RecordWriter>,
    sums: Vec<Sum>,
    now: DateTime<FixedOffset>,
    /// Records that the limit counts.
    taken: u64,
    /// Where the present part of a split begins.
    part_from: u64,
    envelope: &'q mut Envelope,
    total: u64,
    /// How far the client knows the query to be.
    told: u64,
}

impl Run<'_> {
    /// Takes the next record; breaks when there is none, none is wanted, or it has a fault with which a query ends.
    ///
    /// # Errors
    /// A fault of what is written: no answer can go on behind it.
    fn step(&mut self, reader: &mut dyn RecordReader) -> Result<ControlFlow<()>, Fault> {
        let next = reader.next().and_then(|record| match record {
            None => Ok(ControlFlow::Break(())),
            Some(record) => self.take(&record, reader.position()),
        });
        let flow = match next {
            Ok(flow) => flow,
            Err(fault) => {
                self.flush(false)?;
                self.envelope.fault(&fault, reader.position());
                if fault.fatal { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        };
        if flow.is_continue() {
            self.tell(reader.position())?;
        }
        Ok(flow)
    }

    /// Takes a record that ends at `position`; breaks when no more are wanted.
    fn take(&mut self, record: &Record, position: u64) -> Result<ControlFlow<()>, Fault> {
        let Statement { selection, condition, limit, .. } = &self.query.statement;
        if limit.is_some_and(|limit| self.taken >= limit) {
            return Ok(ControlFlow::Break(()));
        }
        let scene = Scene { record, now: self.now };
        if let Some(condition) = condition
            && !scene.holds(condition)?
        {
            return Ok(ControlFlow::Continue(()));
        }
        match selection {
            Selection::All => self.writer.write(Row::Whole(record))?,
            Selection::Items(items) => {
                let values =
                    items.iter().map(|item| scene.value(&item.expression)).collect::<Result<_, _>>()?;
                self.writer.write(Row::Columns(&self.query.names, values))?;
            }
            Selection::Aggregates(_) => self.sums.iter_mut().try_for_each(|sum| sum.add(scene))?,
            Selection::Split(bytes) if position - self.part_from >= *bytes => self.part(position)?,
            Selection::Split(_) => {}
        }
        self.taken += 1;
        Ok(ControlFlow::Continue(()))
    }

    /// Ends a part of a split.
    fn part(&mut self, position: u64) -> Result<(), Fault> {
        let bytes = i64::try_from(position - self.part_from).unwrap_or(i64::MAX);
        self.part_from = position;
        self.writer.write(Row::Columns(&self.query.names, vec![Value::Int(bytes)]))
    }

    /// Puts what is written into the envelope when it is enough, and says how far the query is.
    fn tell(&mut self, position: u64) -> Result<(), Fault> {
        if self.writer.pending() >= PIECE_BYTES {
            self.flush(false)?;
        }
        if position - self.told.min(position) >= PROGRESS_BYTES {
            self.told = position;
            self.envelope.progress(position.min(self.total), self.total);
        }
        Ok(())
    }

    fn flush(&mut self, last: bool) -> Result<(), Fault> {
        let data = self.writer.take(last)?;
        if !data.is_empty() {
            self.envelope.data(&data);
        }
        Ok(())
    }

    fn finish(mut self, position: u64) -> Result<(), Fault> {
        match &self.query.statement.selection {
            Selection::Aggregates(_) => {
                let values = std::mem::take(&mut self.sums).into_iter().map(Sum::finish).collect();
                self.writer.write(Row::Columns(&self.query.names, values))?;
            }
            Selection::Split(_) if position > self.part_from => self.part(position)?,
            _ => {}
        }
        self.flush(true)?;
        self.envelope.progress(self.total, self.total);
        Ok(())
    }
}

fn moment(now: Timestamp) -> DateTime<FixedOffset> {
    crate::sql::moment::parse(&crate::time::iso8601(now)).unwrap_or_default()
}
