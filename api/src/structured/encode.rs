//! Putting a framing on.

use super::{FLAG_CRC64, FOOTER_BYTES, MESSAGE_HEADER_BYTES, SEGMENT_HEADER_BYTES, VERSION};
use crate::body::BodyError;
use crate::checksum::crc64_digest;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt};

/// Bytes of data in a segment, as clients have it. Larger only where 65,535 segments would not hold the data.
const SEGMENT_DATA_BYTES: u64 = 4 << 20;

fn segment_bytes(data: u64) -> u64 {
    data.div_ceil(u64::from(u16::MAX)).max(SEGMENT_DATA_BYTES)
}

/// Bytes of the message that holds so many bytes of data.
pub(crate) fn encoded_length(data: u64) -> u64 {
    Encoder::new(data, segment_bytes(data)).message_bytes()
}

/// The message that holds `pieces`, which are `data` bytes together.
pub(crate) fn encode<S>(pieces: S, data: u64) -> impl Stream<Item = Result<Bytes, BodyError>> + Send
where
    S: Stream<Item = Result<Bytes, BodyError>> + Send,
{
    let mut encoder = Encoder::new(data, segment_bytes(data));
    let beginning = encoder.begin();
    let rest = pieces.flat_map(move |piece| {
        stream::iter(match piece {
            Ok(piece) => encoder.push(piece).into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    });
    stream::iter([Ok(beginning)]).chain(rest)
}

struct Encoder {
    data: u64,
    /// Bytes of data that no segment's header has announced yet.
    data_left: u64,
    segment_bytes: u64,
    /// Bytes of data that the open segment still has.
    segment_left: u64,
    number: u16,
    segment_sum: crc_fast::Digest,
    sum: crc_fast::Digest,
}

impl Encoder {
    fn new(data: u64, segment_bytes: u64) -> Self {
        let (segment_sum, sum) = (crc64_digest(), crc64_digest());
        Self { data, data_left: data, segment_bytes, segment_left: 0, number: 0, segment_sum, sum }
    }

    fn segments(&self) -> u64 {
        self.data.div_ceil(self.segment_bytes).max(1)
    }

    fn message_bytes(&self) -> u64 {
        let framing = self.segments() * (SEGMENT_HEADER_BYTES + FOOTER_BYTES) as u64;
        self.data + framing + (MESSAGE_HEADER_BYTES + FOOTER_BYTES) as u64
    }

    fn begin(&mut self) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        out.put_u8(VERSION);
        out.put_u64_le(self.message_bytes());
        out.put_u16_le(FLAG_CRC64);
        out.put_u16_le(u16::try_from(self.segments()).unwrap_or(u16::MAX));
        self.open_segment(&mut out);
        out.freeze()
    }

    /// The message's next pieces. Data behind the announced end is passed on, for the body to refuse.
    fn push(&mut self, mut data: Bytes) -> Vec<Bytes> {
        let mut pieces = Vec::with_capacity(3);
        while !data.is_empty() && self.segment_left > 0 {
            let here = usize::try_from(self.segment_left).unwrap_or(usize::MAX).min(data.len());
            let run = data.split_to(here);
            self.segment_sum.update(&run);
            self.segment_left -= here as u64;
            pieces.push(run);
            if self.segment_left == 0 {
                let mut out = BytesMut::with_capacity(2 * FOOTER_BYTES + SEGMENT_HEADER_BYTES);
                self.close_segment(&mut out);
                pieces.push(out.freeze());
            }
        }
        if !data.is_empty() {
            pieces.push(data);
        }
        pieces
    }

    fn open_segment(&mut self, out: &mut BytesMut) {
        self.number = self.number.saturating_add(1);
        self.segment_left = self.segment_bytes.min(self.data_left);
        self.data_left -= self.segment_left;
        self.segment_sum.reset();
        out.put_u16_le(self.number);
        out.put_u64_le(self.segment_left);
        if self.segment_left == 0 {
            self.close_segment(out);
        }
    }

    fn close_segment(&mut self, out: &mut BytesMut) {
        out.put_u64_le(self.segment_sum.finalize());
        self.sum.combine(&self.segment_sum);
        if self.data_left > 0 {
            self.open_segment(out);
        } else {
            out.put_u64_le(self.sum.finalize());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::tests::{VECTORS, hex};
    use super::*;

    #[test]
    fn messages_are_those_of_the_vendors_client_however_the_data_comes() {
        for (data, segment_bytes, message) in VECTORS {
            for piece_bytes in [1, 3, 1000] {
                let mut encoder = Encoder::new(data.len() as u64, segment_bytes);
                let mut message_bytes = encoder.begin().to_vec();
                for piece in data.as_bytes().chunks(piece_bytes) {
                    message_bytes.extend(encoder.push(Bytes::copy_from_slice(piece)).concat());
                }
                assert_eq!(message_bytes, hex(message), "{data} by {piece_bytes}");
                assert_eq!(encoder.message_bytes(), message_bytes.len() as u64);
            }
        }
    }

    #[test]
    fn the_length_is_known_beforehand_for_any_size() {
        assert_eq!(encoded_length(0), 39);
        assert_eq!(encoded_length(4 << 20), (4 << 20) + 39);
        assert_eq!(encoded_length((4 << 20) + 1), (4 << 20) + 1 + 57);
        let huge = 190 << 40;
        assert!(encoded_length(huge) <= huge + super::super::FRAMING_BYTES_MAX);
    }

    #[tokio::test]
    async fn a_stream_keeps_its_error_where_it_happened() {
        let pieces = stream::iter([Ok(Bytes::from_static(b"he")), Err(BodyError::from("disk"))]);
        let encoded: Vec<_> = encode(pieces, 5).collect().await;
        assert_eq!(encoded.len(), 3);
        assert!(encoded.last().unwrap().is_err());
    }
}
