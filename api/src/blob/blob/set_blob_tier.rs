//! *Set Blob Tier*: 200 if the blob has the tier now, 202 if it is on its way out of the archive.
//!
//! Nothing is moved here when a blob leaves the archive. It takes a while all the same, so that a client meets the
//! states that it will meet on the service; the service takes hours, and nobody who tests a program has them.

use crate::blob::{BlobService, address, headers, new_blob};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{BlobAddress, Conditions, Tier, TierChange, TierChanged, Which};

pub(crate) struct SetBlobTier;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    change: TierChange,
    conditions: Conditions,
}

impl Operation for SetBlobTier {
    type Service = BlobService;
    type Request = Request;
    type Response = TierChanged;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::blob(head)?,
            which: address::which(head)?,
            change: change(head)?,
            conditions: condition::of_lease_and_tags(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<TierChanged, StorageError> {
        let Request { at, which, change, conditions } = request;
        let done = service.store.set_tier(&at, which, change, conditions).await;
        done.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(changed: TierChanged) -> http::Response<Body> {
        let mut response = headers::empty();
        if changed == TierChanged::Pending {
            *response.status_mut() = http::StatusCode::ACCEPTED;
        }
        response
    }
}

fn change(head: &Head) -> Result<TierChange, StorageError> {
    let missing = || StorageError::missing_header(header::X_MS_ACCESS_TIER);
    let tier = new_blob::tier(head)?.ok_or_else(missing)?;
    if tier == Tier::Premium {
        return Err(StorageError::invalid_header(header::X_MS_ACCESS_TIER, "Premium"));
    }
    let high = new_blob::in_haste(head)?;
    Ok(TierChange { tier, high, rehydration: new_blob::rehydration(high) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn read(tier: &str, priority: &str) -> Result<(Tier, bool), ErrorCode> {
        let headers = [("x-ms-access-tier", tier), ("x-ms-rehydrate-priority", priority)];
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=tier", &headers);
        change(&head).map(|change| (change.tier, change.high)).map_err(|error| error.code)
    }

    #[test]
    fn a_tier_is_named_and_perhaps_how_soon() {
        assert_eq!(read("cool", ""), Ok((Tier::Cool, false)));
        assert_eq!(read("Hot", "high"), Ok((Tier::Hot, true)));
        assert_eq!(read("Hot", "Standard"), Ok((Tier::Hot, false)));
        assert_eq!(read("", ""), Err(ErrorCode::MissingRequiredHeader));
        assert_eq!(read("Premium", ""), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(read("Hot", "now"), Err(ErrorCode::InvalidHeaderValue));
    }

    #[test]
    fn a_blob_that_is_still_on_its_way_is_only_accepted() {
        assert_eq!(SetBlobTier::encode(TierChanged::Done).status().as_u16(), 200);
        assert_eq!(SetBlobTier::encode(TierChanged::Pending).status().as_u16(), 202);
    }
}
