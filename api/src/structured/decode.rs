//! Taking a framing off.

use super::{FLAG_CRC64, FOOTER_BYTES, MESSAGE_HEADER_BYTES, SEGMENT_HEADER_BYTES, VERSION};
use crate::checksum::{crc64_digest, crc64_mismatch};
use crate::error::{ErrorCode, StorageError};
use bytes::{Buf, Bytes};

/// Takes the framing off a body that comes in pieces.
pub(crate) struct Decoder {
    part: Part,
    /// Bytes of a header or footer of which the rest is still to come.
    field: Vec<u8>,
    /// Bytes that the message still has, by its header.
    left: u64,
    segments: u16,
    segment: u16,
    segment_sum: crc_fast::Digest,
    sum: crc_fast::Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    MessageHeader,
    SegmentHeader,
    Data(u64),
    SegmentFooter,
    MessageFooter,
    End,
}

impl Decoder {
    /// A decoder at the beginning of a body.
    pub(crate) fn new() -> Self {
        Self {
            part: Part::MessageHeader,
            field: Vec::with_capacity(MESSAGE_HEADER_BYTES),
            left: MESSAGE_HEADER_BYTES as u64,
            segments: 0,
            segment: 0,
            segment_sum: crc64_digest(),
            sum: crc64_digest(),
        }
    }

    /// The next run of data, taken from the front of `input`; none if `input` is used up.
    ///
    /// # Errors
    /// `InvalidInput` for a broken framing, `Crc64Mismatch`.
    pub(crate) fn next(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, StorageError> {
        while !input.is_empty() {
            if let Part::Data(bytes) = self.part {
                return self.data(bytes, input).map(Some);
            }
            if self.part == Part::End {
                return Err(broken("bytes stand behind the message"));
            }
            self.read_field(input)?;
        }
        Ok(None)
    }

    /// Whether the message was whole.
    ///
    /// # Errors
    /// `InvalidInput` if it was not.
    pub(crate) fn finish(&self) -> Result<(), StorageError> {
        match self.part {
            Part::End => Ok(()),
            _ => Err(broken("the message is cut short")),
        }
    }

    fn data(&mut self, bytes: u64, input: &mut Bytes) -> Result<Bytes, StorageError> {
        let here = usize::try_from(bytes).unwrap_or(usize::MAX).min(input.len());
        let data = input.split_to(here);
        self.consume(here)?;
        self.segment_sum.update(&data);
        let left = bytes - here as u64;
        self.part = if left == 0 { Part::SegmentFooter } else { Part::Data(left) };
        Ok(data)
    }

    fn read_field(&mut self, input: &mut Bytes) -> Result<(), StorageError> {
        let whole = match self.part {
            Part::MessageHeader => MESSAGE_HEADER_BYTES,
            Part::SegmentHeader => SEGMENT_HEADER_BYTES,
            Part::SegmentFooter | Part::MessageFooter => FOOTER_BYTES,
            Part::Data(_) | Part::End => 0,
        };
        let here = whole.saturating_sub(self.field.len()).min(input.len());
        self.consume(here)?;
        self.field.extend_from_slice(&input.split_to(here));
        if self.field.len() < whole {
            return Ok(());
        }
        let field = std::mem::take(&mut self.field);
        self.part = match self.part {
            Part::MessageHeader => self.message_header(&field)?,
            Part::SegmentHeader => self.segment_header(&field)?,
            Part::SegmentFooter => self.segment_footer(&field)?,
            Part::MessageFooter => self.message_footer(&field)?,
            part @ (Part::Data(_) | Part::End) => part,
        };
        Ok(())
    }

    fn message_header(&mut self, mut field: &[u8]) -> Result<Part, StorageError> {
        let (version, length) = (field.get_u8(), field.get_u64_le());
        let (flags, segments) = (field.get_u16_le(), field.get_u16_le());
        if version != VERSION || flags != FLAG_CRC64 {
            return Err(broken("the message has another version or other flags"));
        }
        self.left = length
            .checked_sub(MESSAGE_HEADER_BYTES as u64)
            .ok_or_else(|| broken("the message is shorter than its header"))?;
        self.segments = segments;
        Ok(if segments == 0 { Part::MessageFooter } else { Part::SegmentHeader })
    }

    fn segment_header(&mut self, mut field: &[u8]) -> Result<Part, StorageError> {
        let (number, bytes) = (field.get_u16_le(), field.get_u64_le());
        if number != self.segment.wrapping_add(1) {
            return Err(broken("a segment is missing"));
        }
        self.segment = number;
        self.segment_sum.reset();
        Ok(if bytes == 0 { Part::SegmentFooter } else { Part::Data(bytes) })
    }

    fn segment_footer(&mut self, mut field: &[u8]) -> Result<Part, StorageError> {
        check(field.get_u64_le(), self.segment_sum.finalize())?;
        self.sum.combine(&self.segment_sum);
        Ok(if self.segment == self.segments { Part::MessageFooter } else { Part::SegmentHeader })
    }

    fn message_footer(&mut self, mut field: &[u8]) -> Result<Part, StorageError> {
        check(field.get_u64_le(), self.sum.finalize())?;
        if self.left == 0 { Ok(Part::End) } else { Err(broken("the message is shorter than it says")) }
    }

    fn consume(&mut self, bytes: usize) -> Result<(), StorageError> {
        self.left = self
            .left
            .checked_sub(bytes as u64)
            .ok_or_else(|| broken("the message is longer than it says"))?;
        Ok(())
    }
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Decoder({:?} of segment {})", self.part, self.segment)
    }
}

fn check(given: u64, calculated: u64) -> Result<(), StorageError> {
    if given == calculated { Ok(()) } else { Err(crc64_mismatch(given, calculated)) }
}

fn broken(reason: &'static str) -> StorageError {
    StorageError::new(ErrorCode::InvalidInput)
        .with("Reason", format!("The structured body is broken: {reason}."))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Data, bytes of a segment, and the message in hexadecimal, as a client of the vendor's makes it.
    pub(in crate::structured) const VECTORS: [(&str, u64, &str); 3] = [
        (
            "hello",
            4 << 20,
            "012c00000000000000010001000100050000000000000068656c6c6f57425206708577335742520670857733",
        ),
        ("", 4 << 20, "012700000000000000010001000100000000000000000000000000000000000000000000000000"),
        (
            "0123456789",
            4,
            "015500000000000000010003000100040000000000000030313233163af369bf662851020004000000000000003435\
             3637602a18044325062d0300020000000000000038393dabb45f32f406211d9cfd4ceeb1f915",
        ),
    ];

    pub(in crate::structured) fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn decode(message: &[u8], piece_bytes: usize) -> Result<Vec<u8>, ErrorCode> {
        let mut decoder = Decoder::new();
        let mut data = Vec::new();
        for piece in message.chunks(piece_bytes) {
            let mut input = Bytes::copy_from_slice(piece);
            while let Some(run) = decoder.next(&mut input).map_err(|error| error.code)? {
                data.extend_from_slice(&run);
            }
        }
        decoder.finish().map_err(|error| error.code).map(|()| data)
    }

    #[test]
    fn the_clients_messages_decode_however_they_are_cut() {
        for (data, _, message) in VECTORS {
            for piece_bytes in [1, 3, 13, 1000] {
                assert_eq!(decode(&hex(message), piece_bytes).unwrap(), data.as_bytes());
            }
        }
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_noticed() {
        let message = hex(VECTORS[2].2);
        for at in 0..message.len() {
            let mut damaged = message.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged, 1000).is_err(), "byte {at}");
            assert_eq!(decode(&message[..at], 1000), Err(ErrorCode::InvalidInput), "cut at {at}");
        }
        let longer: Vec<u8> = message.iter().copied().chain([0]).collect();
        assert!(decode(&longer, 1000).is_err());
    }

    #[test]
    fn wrong_data_is_a_mismatch_of_the_checksum() {
        let mut message = hex(VECTORS[0].2);
        message[23] ^= 1;
        assert_eq!(decode(&message, 7), Err(ErrorCode::Crc64Mismatch));
    }
}
