//! Lists of pages: what is asked of them, and how one is spelled.
//!
//! Ranges that were written and ranges that were cleared stand in one list, by offset. A marker is the offset from
//! which to go on. Versions before markers get the whole list, which has a limit too: a list that a client could not go
//! on with must not be cut off silently.

use crate::blob::headers;
use crate::body::Body;
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::version::PAGE_RANGES_IN_PARTS;
use crate::xml::XmlWriter;
use crate::{header, range};
use std::num::NonZeroUsize;
use storage_engine::blob::{
    BlobAddress, BlobStore, ByteRange, Conditions, PageQuery, PageRuns, Stamp, Which,
};
use storage_engine::clock::Timestamp;
use storage_engine::page::PAGE_BYTES;

/// Most ranges of an answer that can be gone on with. Page "Get Page Ranges".
const RANGES_MAX: usize = 10_000;
/// Most ranges of an answer that cannot.
const RANGES_WHOLE_MAX: usize = 1_000_000;
/// About the bytes of one range in the document.
const ENTRY_BYTES: usize = 80;

/// What is asked of any list of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    range: Option<ByteRange>,
    after: Option<u64>,
    limit: NonZeroUsize,
    in_parts: bool,
}

/// A list of pages.
pub(crate) struct Listed {
    runs: PageRuns,
    in_parts: bool,
}

impl Asked {
    /// Reads what is asked.
    ///
    /// # Errors
    /// `InvalidHeaderValue`, `InvalidQueryParameterValue`, `OutOfRangeQueryParameterValue`.
    pub(super) fn read(head: &Head) -> Result<Self, StorageError> {
        let range = range::read(head)?;
        let in_parts = head.version >= PAGE_RANGES_IN_PARTS;
        let (after, limit) =
            if in_parts { (marker(head)?, head.max_results(RANGES_MAX)?) } else { (None, RANGES_WHOLE_MAX) };
        Ok(Self { range, after, limit: NonZeroUsize::new(limit).unwrap_or(NonZeroUsize::MIN), in_parts })
    }

    /// Asks the engine for the pages of one state, and with `since` for those that differ from a snapshot.
    ///
    /// # Errors
    /// The engine's; `OutOfRangeInput` for a list that is too long for its version.
    pub(super) async fn list(
        self,
        store: &BlobStore,
        at: &BlobAddress,
        (which, since): (Which, Option<Timestamp>),
        conditions: Conditions,
    ) -> Result<Listed, StorageError> {
        let Self { range, after, limit, in_parts } = self;
        let runs = store
            .page_runs(at, PageQuery { which, since, range, after, limit }, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        if runs.next.is_some() && !in_parts {
            let reason = "The blob has too many ranges for one answer. Ask for a part of it.";
            return Err(StorageError::new(ErrorCode::OutOfRangeInput).with("Reason", reason));
        }
        Ok(Listed { runs, in_parts })
    }
}

impl Listed {
    /// The document.
    pub(super) fn encode(self) -> http::Response<Body> {
        let PageRuns { properties, runs, next } = self.runs;
        let mut xml = XmlWriter::with_capacity(128 + runs.len() * ENTRY_BYTES);
        xml.open("PageList");
        for run in runs {
            let name = if run.valid { "PageRange" } else { "ClearRange" };
            xml.open(name);
            xml.text("Start", &run.range.offset().to_string());
            xml.text("End", &run.range.end().saturating_sub(1).to_string());
            xml.close(name);
        }
        match next {
            Some(next) if self.in_parts => xml.text("NextMarker", &next.to_string()),
            None if self.in_parts => xml.empty("NextMarker"),
            _ => {}
        }
        xml.close("PageList");
        let mut response = headers::document(xml.finish());
        let map = response.headers_mut();
        headers::set_stamp(
            map,
            Stamp { etag: properties.etag, modified: properties.modified, version: None },
        );
        headers::set(map, header::X_MS_BLOB_CONTENT_LENGTH, &properties.length.to_string());
        response
    }
}

fn marker(head: &Head) -> Result<Option<u64>, StorageError> {
    let Some(text) = head.query.get("marker").filter(|text| !text.is_empty()) else { return Ok(None) };
    let offset = text.parse().ok().filter(|offset: &u64| offset.is_multiple_of(PAGE_BYTES as u64));
    let reason = "The marker is not one of a list of pages.";
    offset.map(Some).ok_or_else(|| StorageError::invalid_query("marker", text, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use http_body_util::BodyExt as _;
    use storage_engine::blob::BlobProperties;
    use storage_engine::page::{PageRange, Run};

    fn asked(query: &str, version: &str) -> Result<Asked, ErrorCode> {
        let url = format!("/dev/con/b?comp=pagelist{query}");
        let head = testing::head(ServiceKind::Blob, "GET", &url, &[("x-ms-version", version)]);
        Asked::read(&head).map_err(|error| error.code)
    }

    #[test]
    fn parts_are_of_newer_versions() {
        let new = asked("&marker=1024&maxresults=3", "2020-10-02").unwrap();
        assert_eq!((new.after, new.limit.get(), new.in_parts), (Some(1024), 3, true));
        assert_eq!(asked("", "2020-10-02").unwrap().limit.get(), RANGES_MAX);
        let old = asked("&marker=1024&maxresults=3", "2020-08-04").unwrap();
        assert_eq!((old.after, old.limit.get(), old.in_parts), (None, RANGES_WHOLE_MAX, false));
        assert_eq!(asked("&marker=1", "2020-10-02"), Err(ErrorCode::InvalidQueryParameterValue));
        assert_eq!(asked("&maxresults=0", "2020-10-02"), Err(ErrorCode::OutOfRangeQueryParameterValue));
    }

    #[tokio::test]
    async fn written_and_cleared_ranges_stand_in_one_list() {
        let run = |offset, valid| Run { range: PageRange::new(offset, 512).unwrap(), valid };
        let properties = BlobProperties { length: 4096, ..BlobProperties::default() };
        let runs = PageRuns { properties, runs: vec![run(0, true), run(512, false)], next: Some(1024) };
        let response = Listed { runs, in_parts: true }.encode();
        assert_eq!(response.headers().get("x-ms-blob-content-length").unwrap(), "4096");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = "<PageList><PageRange><Start>0</Start><End>511</End></PageRange><ClearRange>\
            <Start>512</Start><End>1023</End></ClearRange><NextMarker>1024</NextMarker></PageList>";
        assert!(body.ends_with(expected.as_bytes()), "{body:?}");
    }
}
