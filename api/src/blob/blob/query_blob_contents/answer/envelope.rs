//! The envelope of an answer: an Avro object container file, whose records are data, errors, progress and the end.
//! A record is which of the four it is, and its fields; [`crate::avro`] has the rest.

use crate::avro::{self, bytes, length, long};
use crate::sql::Fault;

/// Between blocks. Any 16 bytes would do; readers only compare it with the header's.
const SYNC: avro::Sync = *b"linarite/query\r\n";

const SCHEMA: &str = concat!(
    r#"[{"type":"record","name":"com.microsoft.azure.storage.queryBlobContents.resultData","fields":[{"name":"data","type":"bytes"}]},"#,
    r#"{"type":"record","name":"com.microsoft.azure.storage.queryBlobContents.error","fields":[{"name":"fatal","type":"boolean"},{"name":"name","type":"string"},{"name":"description","type":"string"},{"name":"position","type":"long"}]},"#,
    r#"{"type":"record","name":"com.microsoft.azure.storage.queryBlobContents.progress","fields":[{"name":"bytesScanned","type":"long"},{"name":"totalBytes","type":"long"}]},"#,
    r#"{"type":"record","name":"com.microsoft.azure.storage.queryBlobContents.end","fields":[{"name":"totalBytes","type":"long"}]}]"#
);

/// What has been written and not been taken yet.
pub(super) struct Envelope(Vec<u8>);

impl Envelope {
    /// An envelope with its header.
    pub(super) fn new() -> Self {
        Self(avro::header(SCHEMA, &SYNC))
    }

    /// Adds a piece of the answer.
    pub(super) fn data(&mut self, data: &[u8]) {
        self.block(0, |record| bytes(record, data));
    }

    /// Adds what went wrong, and behind which byte of the blob.
    pub(super) fn fault(&mut self, fault: &Fault, position: u64) {
        self.block(1, |record| {
            record.push(u8::from(fault.fatal));
            bytes(record, fault.name.as_bytes());
            bytes(record, fault.description.as_bytes());
            length(record, position);
        });
    }

    /// Adds how far the query is.
    pub(super) fn progress(&mut self, scanned: u64, total: u64) {
        self.block(2, |record| {
            length(record, scanned);
            length(record, total);
        });
    }

    /// Adds that nothing will be added.
    pub(super) fn end(&mut self, total: u64) {
        self.block(3, |record| length(record, total));
    }

    /// Bytes that could be taken.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes what has been written.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    fn block(&mut self, which: i64, fields: impl FnOnce(&mut Vec<u8>)) {
        let mut record = Vec::new();
        long(&mut record, which);
        fields(&mut record);
        avro::block(&mut self.0, 1, &record, &SYNC);
    }
}
