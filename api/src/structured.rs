//! Structured bodies: a framing with checksums, `XSM/1.0; properties=crc64`.
//!
//! A body is cut into segments; each, and the whole, is followed by its CRC-64. All integers are little-endian:
//!
//! | part | bytes | content |
//! |---|---:|---|
//! | message header | 13 | version 1: `u8`; bytes of the whole message: `u64`; flags, bit 0 CRC-64: `u16`; segments: `u16` |
//! | segment header | 10 | number from 1: `u16`; bytes of data: `u64` |
//! | segment data | n | |
//! | segment footer | 8 | CRC-64 of the segment's data |
//! | message footer | 8 | CRC-64 of all data |
//!
//! Both directions pass data on as it arrives and copy none of it. What a decoder has passed on is not proved
//! until it is at its end, so an upload is committed only then.

mod decode;
mod encode;

pub(crate) use decode::Decoder;
pub(crate) use encode::{encode, encoded_length};

use crate::error::StorageError;
use crate::head::Head;
use crate::header;

const MESSAGE_HEADER_BYTES: usize = 13;
const SEGMENT_HEADER_BYTES: usize = 10;
const FOOTER_BYTES: usize = 8;
const VERSION: u8 = 1;
const FLAG_CRC64: u16 = 1;

/// Most bytes that the framing adds to data, whatever its size.
pub(crate) const FRAMING_BYTES_MAX: u64 =
    ((SEGMENT_HEADER_BYTES + FOOTER_BYTES) * 65_535 + MESSAGE_HEADER_BYTES + FOOTER_BYTES) as u64;

/// The header's value if it asks for a framing, as it was sent: clients want it back exactly so.
///
/// # Errors
/// `InvalidHeaderValue` if it is a framing that we do not know.
pub(crate) fn asked(head: &Head) -> Result<Option<String>, StorageError> {
    let Some(text) = head.text(header::X_MS_STRUCTURED_BODY)? else { return Ok(None) };
    let known = text.split_once(';').is_some_and(|(format, properties)| {
        format.trim().eq_ignore_ascii_case("XSM/1.0")
            && properties.trim().eq_ignore_ascii_case("properties=crc64")
    });
    if known {
        Ok(Some(text.to_owned()))
    } else {
        Err(StorageError::invalid_header(header::X_MS_STRUCTURED_BODY, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn only_the_one_known_framing_is_taken_and_kept_as_sent() {
        let asked = |value: &str| {
            asked(&testing::head(ServiceKind::Blob, "PUT", "/dev/c/b", &[("x-ms-structured-body", value)]))
        };
        for good in ["XSM/1.0; properties=crc64", "xsm/1.0;properties=CRC64"] {
            assert_eq!(asked(good).unwrap().as_deref(), Some(good));
        }
        for bad in ["XSM/2.0; properties=crc64", "XSM/1.0", "XSM/1.0; properties=md5"] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
