//! Ranges of bytes. Page "Specifying the range header for Blob service operations".
//!
//! `x-ms-range` wins over `Range`, which clients and proxies may set on their own. A range of a form that the
//! service does not know (from the end, several at once, another unit) is no range: the whole blob is answered
//! with 200, as HTTP has it, so that the client sees that it did not get a part. The same holds for a `Range`
//! that is no range at all; an `x-ms-range` like that is a mistake of the client's and is refused.

use crate::error::StorageError;
use crate::head::Head;
use crate::header;
use storage_engine::blob::ByteRange;

/// The range that is asked for; none for the whole.
///
/// # Errors
/// `InvalidHeaderValue` for an `x-ms-range` that is none.
pub(crate) fn read(head: &Head) -> Result<Option<ByteRange>, StorageError> {
    if let Some(text) = head.text(header::X_MS_RANGE)? {
        return match parse(text) {
            Parsed::Range(range) => Ok(Some(range)),
            Parsed::Unsupported => Ok(None),
            Parsed::Malformed => Err(StorageError::invalid_header(header::X_MS_RANGE, text)),
        };
    }
    match head.text(header::RANGE)?.map(parse) {
        Some(Parsed::Range(range)) => Ok(Some(range)),
        _ => Ok(None),
    }
}

/// The range of a text; none for what is no range, or one of a form that the service does not know.
pub(crate) fn of_text(text: &str) -> Option<ByteRange> {
    match parse(text) {
        Parsed::Range(range) => Some(range),
        Parsed::Unsupported | Parsed::Malformed => None,
    }
}

/// `bytes 2-5/10`, for `length` bytes from `first` on of `total`.
pub(crate) fn content_range(first: u64, length: u64, total: u64) -> String {
    format!("bytes {first}-{}/{total}", first + length.saturating_sub(1))
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Range(ByteRange),
    Unsupported,
    Malformed,
}

fn parse(text: &str) -> Parsed {
    let Some((unit, ranges)) = text.split_once('=') else { return Parsed::Malformed };
    if !unit.trim().eq_ignore_ascii_case("bytes") || ranges.contains(',') {
        return Parsed::Unsupported;
    }
    let Some((first, last)) = ranges.trim().split_once('-') else { return Parsed::Malformed };
    match (first, number(first), last, number(last)) {
        ("", _, _, Some(_)) => Parsed::Unsupported,
        (_, Some(first), "", _) => Parsed::Range(ByteRange { first, last: None }),
        (_, Some(first), _, Some(last)) if first <= last => {
            Parsed::Range(ByteRange { first, last: Some(last) })
        }
        _ => Parsed::Malformed,
    }
}

/// A number that is too large for us is behind the end of any blob, and is taken for the largest.
fn number(digits: &str) -> Option<u64> {
    let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn asked(headers: &[(&str, &str)]) -> Result<Option<(u64, Option<u64>)>, StorageError> {
        let head = testing::head(ServiceKind::Blob, "GET", "/dev/c/b", headers);
        read(&head).map(|range| range.map(|range| (range.first, range.last)))
    }

    #[test]
    fn both_forms_are_read_and_the_vendors_header_wins() {
        assert_eq!(asked(&[]).unwrap(), None);
        assert_eq!(asked(&[("range", "bytes=2-5")]).unwrap(), Some((2, Some(5))));
        assert_eq!(asked(&[("x-ms-range", "bytes=7-")]).unwrap(), Some((7, None)));
        let both = [("range", "bytes=0-1"), ("x-ms-range", "Bytes=3-3")];
        assert_eq!(asked(&both).unwrap(), Some((3, Some(3))));
        let huge = [("x-ms-range", "bytes=0-99999999999999999999999")];
        assert_eq!(asked(&huge).unwrap(), Some((0, Some(u64::MAX))));
    }

    #[test]
    fn forms_that_the_service_does_not_know_mean_the_whole() {
        for text in ["bytes=-5", "bytes=0-1,4-5", "lines=1-2"] {
            assert_eq!(asked(&[("x-ms-range", text)]).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused_in_the_vendors_header_only() {
        for text in ["bytes", "bytes=", "bytes=a-b", "bytes=5-2", "bytes=1", "bytes=-", "bytes=+1-2"] {
            assert!(asked(&[("x-ms-range", text)]).is_err(), "{text}");
            assert_eq!(asked(&[("range", text)]).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn the_answered_range_names_both_ends_and_the_total() {
        assert_eq!(content_range(2, 4, 10), "bytes 2-5/10");
    }
}
