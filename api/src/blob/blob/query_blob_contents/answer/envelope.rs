//! The envelope of an answer: an Avro object container file, whose records are data, errors, progress and the end.
//!
//! ```text
//! file   := "Obj" 01, metadata map, sync marker, block*
//! block  := number of records, bytes, records, sync marker
//! record := which of the four, its fields
//! ```
//! Numbers are zigzag varints; bytes and text are their length and themselves (page "Apache Avro Specification").
//! Writing four records needs no library: the schema never changes, and nothing is ever read.

use crate::sql::Fault;

/// Between blocks. Any 16 bytes would do; readers only compare it with the header's.
const SYNC: [u8; 16] = *b"linarite/query\r\n";

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
        let mut header = b"Obj\x01".to_vec();
        long(&mut header, 2);
        for (name, value) in [("avro.codec", "null"), ("avro.schema", SCHEMA)] {
            bytes(&mut header, name.as_bytes());
            bytes(&mut header, value.as_bytes());
        }
        long(&mut header, 0);
        header.extend_from_slice(&SYNC);
        Self(header)
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
        long(&mut self.0, 1);
        bytes(&mut self.0, &record);
        self.0.extend_from_slice(&SYNC);
    }
}

fn bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    length(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn length(into: &mut Vec<u8>, length: u64) {
    long(into, i64::try_from(length).unwrap_or(i64::MAX));
}

fn long(into: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while rest >= 0x80 {
        into.push((rest & 0x7F) as u8 | 0x80);
        rest >>= 7;
    }
    into.push((rest & 0x7F) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_specification() {
        for (number, expected) in [(0, &[0][..]), (-1, &[1]), (1, &[2]), (-64, &[0x7F]), (64, &[0x80, 1])] {
            let mut written = Vec::new();
            long(&mut written, number);
            assert_eq!(written, expected, "{number}");
        }
    }
}
