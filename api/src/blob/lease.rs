//! Leases as requests spell them: the five actions, which blobs and containers have in common. Pages "Lease Blob" and
//! "Lease Container".
//!
//! An action is a type, and a row of the table names it: the operations are [`LeaseBlob`](super::blob::LeaseBlob) and
//! [`LeaseContainer`](super::container::LeaseContainer) of it. What an action makes of a lease is the engine's affair.

use super::headers;
use crate::body::Body;
use crate::error::StorageError;
use crate::head::Head;
use crate::{condition, guid, header};
use storage_engine::blob::{LeaseId, LeaseOutcome, LeaseRequest, Stamp};
use storage_engine::clock::{Entropy as _, SystemEntropy};

/// Seconds of a lease that has an end.
const DURATION_SECONDS: std::ops::RangeInclusive<u32> = 15..=60;
/// What is given for a duration without end.
const WITHOUT_END: &str = "-1";
/// Most seconds until a broken lease ends.
const BREAK_SECONDS_MAX: u32 = 60;

/// What is done with a lease.
pub(crate) trait Action: Send + Sync + 'static {
    /// Whether what is left of the lease is answered, and not its id.
    const ENDS: bool = false;

    /// Reads what is asked for.
    ///
    /// # Errors
    /// `MissingRequiredHeader`, `InvalidHeaderValue`.
    fn read(head: &Head) -> Result<LeaseRequest, StorageError>;
}

/// To have a lease. Who proposes no id is given one.
pub(crate) struct Acquire;
/// To begin its time anew.
pub(crate) struct Renew;
/// To give it another id.
pub(crate) struct Change;
/// To give it up.
pub(crate) struct Release;
/// To end somebody's.
pub(crate) struct Break;

impl Action for Acquire {
    fn read(head: &Head) -> Result<LeaseRequest, StorageError> {
        let text = head.required(header::X_MS_LEASE_DURATION)?;
        let seconds = match text {
            WITHOUT_END => None,
            _ => {
                let seconds = text.parse().ok().filter(|seconds| DURATION_SECONDS.contains(seconds));
                let invalid = || StorageError::invalid_header(header::X_MS_LEASE_DURATION, text);
                Some(seconds.ok_or_else(invalid)?)
            }
        };
        let proposed = condition::lease_id(head, header::X_MS_PROPOSED_LEASE_ID)?;
        let id = proposed.unwrap_or_else(|| LeaseId(SystemEntropy.bits()));
        Ok(LeaseRequest::Acquire { id, seconds })
    }
}

impl Action for Renew {
    fn read(head: &Head) -> Result<LeaseRequest, StorageError> {
        required(head, header::X_MS_LEASE_ID).map(LeaseRequest::Renew)
    }
}

impl Action for Change {
    fn read(head: &Head) -> Result<LeaseRequest, StorageError> {
        let id = required(head, header::X_MS_LEASE_ID)?;
        Ok(LeaseRequest::Change { id, proposed: required(head, header::X_MS_PROPOSED_LEASE_ID)? })
    }
}

impl Action for Release {
    fn read(head: &Head) -> Result<LeaseRequest, StorageError> {
        required(head, header::X_MS_LEASE_ID).map(LeaseRequest::Release)
    }
}

impl Action for Break {
    const ENDS: bool = true;

    fn read(head: &Head) -> Result<LeaseRequest, StorageError> {
        let Some(text) = head.text(header::X_MS_LEASE_BREAK_PERIOD)? else {
            return Ok(LeaseRequest::Break(None));
        };
        let seconds = text.parse().ok().filter(|seconds| *seconds <= BREAK_SECONDS_MAX);
        let invalid = || StorageError::invalid_header(header::X_MS_LEASE_BREAK_PERIOD, text);
        Ok(LeaseRequest::Break(Some(seconds.ok_or_else(invalid)?)))
    }
}

fn required(head: &Head, name: &'static str) -> Result<LeaseId, StorageError> {
    condition::lease_id(head, name)?.ok_or_else(|| StorageError::missing_header(name))
}

/// What an action gave, as an answer.
pub(super) fn answer<A: Action>(stamp: Stamp, outcome: LeaseOutcome) -> http::Response<Body> {
    let mut response = headers::stamped(stamp);
    let map = response.headers_mut();
    if A::ENDS {
        headers::set(map, header::X_MS_LEASE_TIME, &outcome.remaining.to_string());
    } else if let Some(LeaseId(bits)) = outcome.id {
        headers::set(map, header::X_MS_LEASE_ID, &guid::print(bits));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;
    use storage_engine::clock::{Etag, Timestamp};

    const ONE: &str = "00000000-0000-0000-0000-000000000001";
    const TWO: &str = "00000000-0000-0000-0000-000000000002";

    fn read<A: Action>(headers: &[(&str, &str)]) -> Result<LeaseRequest, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=lease", headers);
        A::read(&head).map_err(|error| error.code)
    }

    #[test]
    fn a_lease_is_acquired_for_a_time_of_a_range_or_for_ever() {
        let acquire = |duration| {
            let id = ("x-ms-proposed-lease-id", ONE);
            match read::<Acquire>(&[("x-ms-lease-duration", duration), id]) {
                Ok(LeaseRequest::Acquire { id: LeaseId(1), seconds }) => Ok(seconds),
                Ok(other) => panic!("{other:?}"),
                Err(code) => Err(code),
            }
        };
        assert_eq!((acquire("-1"), acquire("15"), acquire("60")), (Ok(None), Ok(Some(15)), Ok(Some(60))));
        for bad in ["0", "14", "61", "-2", "x"] {
            assert_eq!(acquire(bad), Err(ErrorCode::InvalidHeaderValue), "{bad}");
        }
        assert_eq!(read::<Acquire>(&[]), Err(ErrorCode::MissingRequiredHeader));
    }

    #[test]
    fn whoever_proposes_no_id_is_given_one_of_their_own() {
        let acquire = || read::<Acquire>(&[("x-ms-lease-duration", "15")]).unwrap();
        assert_ne!(acquire(), acquire());
    }

    #[test]
    fn other_actions_say_which_lease_they_mean() {
        let (id, proposed) = (("x-ms-lease-id", ONE), ("x-ms-proposed-lease-id", TWO));
        assert_eq!(read::<Renew>(&[id]), Ok(LeaseRequest::Renew(LeaseId(1))));
        assert_eq!(read::<Release>(&[id]), Ok(LeaseRequest::Release(LeaseId(1))));
        let changed = LeaseRequest::Change { id: LeaseId(1), proposed: LeaseId(2) };
        assert_eq!(read::<Change>(&[id, proposed]), Ok(changed));
        let missing = Err(ErrorCode::MissingRequiredHeader);
        assert_eq!((read::<Renew>(&[]), read::<Change>(&[id])), (missing, missing));
        assert_eq!(read::<Renew>(&[("x-ms-lease-id", "mine")]), Err(ErrorCode::InvalidHeaderValue));
    }

    #[test]
    fn a_break_has_a_period_or_none() {
        let period = |text| read::<Break>(&[("x-ms-lease-break-period", text)]);
        assert_eq!(read::<Break>(&[]), Ok(LeaseRequest::Break(None)));
        assert_eq!(period("0"), Ok(LeaseRequest::Break(Some(0))));
        assert_eq!(period("60"), Ok(LeaseRequest::Break(Some(60))));
        assert_eq!(period("61"), Err(ErrorCode::InvalidHeaderValue));
    }

    #[test]
    fn a_break_answers_the_time_that_is_left_and_others_the_id() {
        let stamp = Stamp { etag: Etag(1), modified: Timestamp::from_unix_seconds(0), version: None };
        let outcome = LeaseOutcome { id: Some(LeaseId(1)), remaining: 7 };
        let broken = answer::<Break>(stamp, outcome);
        assert_eq!(broken.headers().get("x-ms-lease-time").unwrap(), "7");
        assert!(!broken.headers().contains_key("x-ms-lease-id"));
        assert_eq!(answer::<Renew>(stamp, outcome).headers().get("x-ms-lease-id").unwrap(), ONE);
        let released = answer::<Release>(stamp, LeaseOutcome { id: None, remaining: 0 });
        assert!(!released.headers().contains_key("x-ms-lease-id"));
    }
}
