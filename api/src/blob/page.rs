//! Operations on page blobs, and how their requests name pages.

mod clear_page;
mod get_page_ranges;
mod get_page_ranges_diff;
mod put_page;
mod put_page_blob;
mod runs;

pub(super) use clear_page::ClearPage;
pub(super) use get_page_ranges::GetPageRanges;
pub(super) use get_page_ranges_diff::GetPageRangesDiff;
pub(super) use put_page::PutPage;
pub(super) use put_page_blob::PutPageBlob;

use crate::blob::headers;
use crate::body::Body;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::{header, range};
use storage_engine::blob::{PageWritten, SEQUENCE_NUMBER_MAX, SequenceConditions};
use storage_engine::page::{PageRange, check_size};

/// The pages that a write is for, both ends given.
///
/// # Errors
/// `MissingRequiredHeader`, `InvalidHeaderValue`; `InvalidPageRange` if it is not whole pages.
fn written_range(head: &Head) -> Result<PageRange, StorageError> {
    let Some(range) = range::read(head)? else {
        return Err(StorageError::missing_header(header::X_MS_RANGE));
    };
    let Some(last) = range.last else {
        let text = format!("bytes={}-", range.first);
        return Err(StorageError::invalid_header(header::X_MS_RANGE, &text));
    };
    let length = last.saturating_add(1).saturating_sub(range.first);
    PageRange::new(range.first, length).map_err(|error| StorageError::from_engine(error, Intent::Write))
}

/// What the sequence number must be for pages to be written.
///
/// # Errors
/// `InvalidHeaderValue`.
fn sequence_conditions(head: &Head) -> Result<SequenceConditions, StorageError> {
    Ok(SequenceConditions {
        at_most: head.number(header::X_MS_IF_SEQUENCE_NUMBER_LE)?,
        less_than: head.number(header::X_MS_IF_SEQUENCE_NUMBER_LT)?,
        equal: head.number(header::X_MS_IF_SEQUENCE_NUMBER_EQ)?,
    })
}

/// The length of a page blob that is asked for, in bytes.
///
/// # Errors
/// `InvalidHeaderValue` if it is not whole pages or more than a page blob can have.
pub(super) fn length(head: &Head) -> Result<Option<u64>, StorageError> {
    let name = header::X_MS_BLOB_CONTENT_LENGTH;
    let length = head.number(name)?;
    match length {
        Some(bytes) if check_size(bytes).is_err() => {
            Err(StorageError::invalid_header(name, &bytes.to_string()))
        }
        _ => Ok(length),
    }
}

/// The sequence number that is given.
///
/// # Errors
/// `InvalidHeaderValue` if there is no such number.
pub(super) fn sequence_number(head: &Head) -> Result<Option<u64>, StorageError> {
    let name = header::X_MS_BLOB_SEQUENCE_NUMBER;
    let number = head.number(name)?;
    match number {
        Some(number) if number > SEQUENCE_NUMBER_MAX => {
            Err(StorageError::invalid_header(name, &number.to_string()))
        }
        _ => Ok(number),
    }
}

/// The answer to a write of pages.
fn written(written: PageWritten) -> http::Response<Body> {
    let mut response = headers::stamped(written.stamp);
    let number = written.sequence_number.to_string();
    headers::set(response.headers_mut(), header::X_MS_BLOB_SEQUENCE_NUMBER, &number);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn head(headers: &[(&str, &str)]) -> Head {
        testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=page", headers)
    }

    #[test]
    fn a_written_range_is_whole_pages_with_both_ends() {
        let range = |text: &str| written_range(&head(&[("x-ms-range", text)])).map_err(|error| error.code);
        let pages = range("bytes=512-1535").unwrap();
        assert_eq!((pages.offset(), pages.length()), (512, 1024));
        for unaligned in ["bytes=0-510", "bytes=1-512", "bytes=0-0", "bytes=0-99999999999999999999"] {
            assert_eq!(range(unaligned), Err(ErrorCode::InvalidPageRange), "{unaligned}");
        }
        assert_eq!(range("bytes=512-"), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(range("bytes=9-1"), Err(ErrorCode::InvalidHeaderValue));
        let none = written_range(&head(&[])).map_err(|error| error.code);
        assert_eq!(none, Err(ErrorCode::MissingRequiredHeader));
    }

    #[test]
    fn lengths_and_numbers_are_those_that_a_page_blob_can_have() {
        let length = |text: &str| length(&head(&[("x-ms-blob-content-length", text)]));
        assert_eq!(length("8796093022208").unwrap(), Some(8 << 40));
        assert!(["511", "8796093022720", "-512"].iter().all(|text| length(text).is_err()));
        let number = |text: &str| sequence_number(&head(&[("x-ms-blob-sequence-number", text)]));
        assert_eq!(number("9223372036854775807").unwrap(), Some(SEQUENCE_NUMBER_MAX));
        assert!(number("9223372036854775808").is_err());
    }

    #[test]
    fn all_conditions_on_the_sequence_number_are_read() {
        let sent = [
            ("x-ms-if-sequence-number-le", "1"),
            ("x-ms-if-sequence-number-lt", "2"),
            ("x-ms-if-sequence-number-eq", "3"),
        ];
        let expected = SequenceConditions { at_most: Some(1), less_than: Some(2), equal: Some(3) };
        assert_eq!(sequence_conditions(&head(&sent)).unwrap(), expected);
    }
}
