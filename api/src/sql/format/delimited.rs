//! Delimited text. The format is the library's; which characters delimit is the client's.

use super::{Metered, RecordReader, RecordWriter, Row, unreadable};
use crate::sql::record::Names;
use crate::sql::{Fault, Record};
use csv::{ByteRecord, QuoteStyle, ReaderBuilder, Terminator, WriterBuilder};
use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;

/// Which characters delimit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Between fields.
    pub(crate) column: u8,
    /// Around fields that have other delimiters in them; a doubled one stands for itself.
    pub(crate) quote: Option<u8>,
    /// Behind records. A line feed here also means a carriage return with a line feed, when reading.
    pub(crate) record: u8,
    /// Before characters that are to stand for themselves.
    pub(crate) escape: Option<u8>,
    /// Whether the first record has the names of the columns.
    pub(crate) headers: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { column: b',', quote: Some(b'"'), record: b'\n', escape: None, headers: false }
    }
}

/// Reads lines.
pub(crate) struct DelimitedReader<R> {
    lines: csv::Reader<Metered<R>>,
    in_record: Rc<Cell<u64>>,
    names: Option<Arc<Names>>,
    headers_due: bool,
}

impl<R: Read> DelimitedReader<R> {
    /// A reader of `blob`.
    pub(crate) fn new(blob: R, dialect: Dialect) -> Self {
        let (blob, in_record) = Metered::new(blob);
        let terminator =
            if dialect.record == b'\n' { Terminator::CRLF } else { Terminator::Any(dialect.record) };
        let lines = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(dialect.column)
            .quoting(dialect.quote.is_some())
            .quote(dialect.quote.unwrap_or(b'"'))
            .escape(dialect.escape)
            .terminator(terminator)
            .from_reader(blob);
        Self { lines, in_record, names: None, headers_due: dialect.headers }
    }

    fn line(&mut self) -> Result<Option<ByteRecord>, Fault> {
        self.in_record.set(0);
        let mut line = ByteRecord::new();
        let found = self.lines.read_byte_record(&mut line).map_err(unreadable)?;
        Ok(found.then_some(line))
    }
}

impl<R: Read> RecordReader for DelimitedReader<R> {
    fn next(&mut self) -> Result<Option<Record>, Fault> {
        if std::mem::take(&mut self.headers_due) {
            let Some(headers) = self.line()? else { return Ok(None) };
            let names = headers.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            self.names = Some(Arc::new(Names::new(names)));
        }
        let names = self.names.clone();
        Ok(self.line()?.map(|fields| Record::Delimited(fields, names)))
    }

    fn position(&self) -> u64 {
        self.lines.position().byte()
    }
}

/// Writes lines.
pub(crate) struct DelimitedWriter {
    lines: csv::Writer<Vec<u8>>,
    builder: WriterBuilder,
    headers_due: bool,
    pending: usize,
}

impl DelimitedWriter {
    /// A writer in this dialect.
    pub(crate) fn new(dialect: Dialect) -> Self {
        let mut builder = WriterBuilder::new();
        builder
            .has_headers(false)
            .flexible(true)
            .delimiter(dialect.column)
            .quote(dialect.quote.unwrap_or(b'"'))
            .quote_style(if dialect.quote.is_some() { QuoteStyle::Necessary } else { QuoteStyle::Never })
            .terminator(Terminator::Any(dialect.record));
        if let Some(escape) = dialect.escape {
            builder.double_quote(false).escape(escape);
        }
        let lines = builder.from_writer(Vec::new());
        Self { lines, builder, headers_due: dialect.headers, pending: 0 }
    }

    fn line<F: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = F>) -> Result<(), Fault> {
        let mut bytes = 0;
        for field in fields {
            bytes += field.as_ref().len() + 1;
            self.lines.write_field(field).map_err(unreadable)?;
        }
        self.pending += bytes;
        self.lines.write_record(None::<&[u8]>).map_err(unreadable)
    }
}

impl RecordWriter for DelimitedWriter {
    fn write(&mut self, row: Row<'_>) -> Result<(), Fault> {
        let headers_due = std::mem::take(&mut self.headers_due);
        if let Row::Whole(Record::Delimited(fields, names)) = row {
            if headers_due && let Some(names) = names {
                self.line(names.all())?;
            }
            return self.line(fields);
        }
        let columns = row.columns();
        if headers_due {
            self.line(columns.iter().map(|(name, _)| name))?;
        }
        self.line(columns.iter().map(|(_, value)| value.text().into_owned()))
    }

    fn take(&mut self, _: bool) -> Result<Vec<u8>, Fault> {
        self.pending = 0;
        let lines = std::mem::replace(&mut self.lines, self.builder.from_writer(Vec::new()));
        lines.into_inner().map_err(|error| unreadable(error.error()))
    }

    fn pending(&self) -> usize {
        self.pending
    }
}
