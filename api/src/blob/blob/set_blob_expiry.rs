//! *Set Blob Expiry*. The vendor offers it for accounts with a hierarchical namespace only; here every blob can
//! expire. A moment that is over is taken, as on the service: the blob is gone at once.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header, time};
use std::time::Duration;
use storage_engine::blob::{BlobAddress, Conditions, Expiry, Stamp};

pub(crate) struct SetBlobExpiry;

pub(crate) struct Request {
    at: BlobAddress,
    expiry: Expiry,
    conditions: Conditions,
}

impl Operation for SetBlobExpiry {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::blob(head)?;
        Ok(Request { at, expiry: expiry(head)?, conditions: condition::of_write(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, expiry, conditions } = request;
        let set = service.store.set_expiry(&at, expiry, conditions).await;
        set.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::stamped(stamp)
    }
}

fn expiry(head: &Head) -> Result<Expiry, StorageError> {
    let option = head.required(header::X_MS_EXPIRY_OPTION)?;
    let invalid = |text| StorageError::invalid_header(header::X_MS_EXPIRY_TIME, text);
    if option.eq_ignore_ascii_case("NeverExpire") {
        return match head.text(header::X_MS_EXPIRY_TIME)? {
            None => Ok(Expiry::Never),
            Some(text) => Err(invalid(text)),
        };
    }
    let text = head.required(header::X_MS_EXPIRY_TIME)?;
    let span = || text.parse().map(Duration::from_millis).map_err(|_| invalid(text));
    if option.eq_ignore_ascii_case("RelativeToCreation") {
        span().map(Expiry::AfterCreation)
    } else if option.eq_ignore_ascii_case("RelativeToNow") {
        span().map(Expiry::AfterNow)
    } else if option.eq_ignore_ascii_case("Absolute") {
        time::parse_rfc1123(text).map(Expiry::At).ok_or_else(|| invalid(text))
    } else {
        Err(StorageError::invalid_header(header::X_MS_EXPIRY_OPTION, option))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn read(option: &str, moment: &str) -> Result<Expiry, ErrorCode> {
        let headers = [("x-ms-expiry-option", option), ("x-ms-expiry-time", moment)];
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=expiry", &headers);
        expiry(&head).map_err(|error| error.code)
    }

    #[test]
    fn an_expiry_is_a_span_or_a_moment_as_its_option_says() {
        assert_eq!(read("NeverExpire", ""), Ok(Expiry::Never));
        assert_eq!(read("relativetonow", "1500"), Ok(Expiry::AfterNow(Duration::from_millis(1500))));
        assert_eq!(read("RelativeToCreation", "0"), Ok(Expiry::AfterCreation(Duration::ZERO)));
        let moment = "Sun, 22 Nov 2026 01:02:03 GMT";
        assert_eq!(read("Absolute", moment), Ok(Expiry::At(time::parse_rfc1123(moment).unwrap())));
    }

    #[test]
    fn what_does_not_fit_its_option_is_refused() {
        let invalid = Err(ErrorCode::InvalidHeaderValue);
        assert_eq!(read("NeverExpire", "1"), invalid);
        assert_eq!(read("RelativeToNow", "Sun, 22 Nov 2026 01:02:03 GMT"), invalid);
        assert_eq!(read("Absolute", "1500"), invalid);
        assert_eq!(read("Sometime", "1"), invalid);
        assert_eq!(read("Absolute", ""), Err(ErrorCode::MissingRequiredHeader));
        assert_eq!(read("", ""), Err(ErrorCode::MissingRequiredHeader));
    }
}
