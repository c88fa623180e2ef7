//! *Put Page*, with `clear`: any range of whole pages, and no body.

use crate::blob::{BlobService, address, page};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, content};
use storage_engine::blob::{BlobAddress, Conditions, PageWritten, SequenceConditions};
use storage_engine::page::PageRange;

pub(crate) struct ClearPage;

pub(crate) struct Request {
    at: BlobAddress,
    range: PageRange,
    sequence: SequenceConditions,
    conditions: Conditions,
}

impl Operation for ClearPage {
    type Service = BlobService;
    type Request = Request;
    type Response = PageWritten;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        content::refuse_body(head)?;
        Ok(Request {
            at,
            range: page::written_range(head)?,
            sequence: page::sequence_conditions(head)?,
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<PageWritten, StorageError> {
        let Request { at, range, sequence, conditions } = request;
        service
            .store
            .clear_pages(&at, range, sequence, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(written: PageWritten) -> http::Response<Body> {
        page::written(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn any_number_of_pages_is_cleared_without_a_body() {
        let decode = |length: &str| {
            let headers = [("range", "bytes=0-8796093022207"), ("content-length", length)];
            let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=page", &headers);
            ClearPage::decode(&head, Payload::None).map_err(|error| error.code)
        };
        assert_eq!(decode("0").unwrap().range.length(), 8 << 40);
        assert_eq!(decode("512").err(), Some(ErrorCode::InvalidHeaderValue));
    }
}
