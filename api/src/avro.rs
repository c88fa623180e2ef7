//! What Avro object container files are made of, for those who write them: answers of queries, and the change feed.
//!
//! ```text
//! file  := "Obj" 01, metadata map, sync marker, block*
//! block := number of records, bytes, records, sync marker
//! ```
//! Numbers are zigzag varints; bytes and text are their length and themselves (page "Apache Avro Specification").
//! Writing records of schemas that never change needs no library, and nothing is ever read.

/// Between blocks: any 16 bytes, which readers compare with the header's.
pub(crate) type Sync = [u8; 16];

/// The beginning of a file whose records have this schema, uncompressed.
pub(crate) fn header(schema: &str, sync: &Sync) -> Vec<u8> {
    let mut header = b"Obj\x01".to_vec();
    long(&mut header, 2);
    for (name, value) in [("avro.codec", "null"), ("avro.schema", schema)] {
        text(&mut header, name);
        text(&mut header, value);
    }
    long(&mut header, 0);
    header.extend_from_slice(sync);
    header
}

/// Adds a block of so many records, already written.
pub(crate) fn block(into: &mut Vec<u8>, count: usize, records: &[u8], sync: &Sync) {
    length(into, count as u64);
    bytes(into, records);
    into.extend_from_slice(sync);
}

/// Adds a byte string.
pub(crate) fn bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    length(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

/// Adds a text.
pub(crate) fn text(into: &mut Vec<u8>, text: &str) {
    bytes(into, text.as_bytes());
}

/// Adds a number that is not negative.
pub(crate) fn length(into: &mut Vec<u8>, length: u64) {
    long(into, i64::try_from(length).unwrap_or(i64::MAX));
}

/// Adds a number.
pub(crate) fn long(into: &mut Vec<u8>, number: i64) {
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
