//! Leases of blobs and containers: one pure function for what lease requests do, two for who may read and write.
//!
//! A lease is a small state that is stored as it was last set; that a fixed lease has run out, or that a break has
//! come into force, is seen by looking at the clock and is never written by itself. So nothing has to run when a
//! lease ends, and a crash cannot prolong one.
//!
//! The tables of the vendor's pages "Lease Blob" and "Lease Container" (outcomes by state and id) are the test of
//! this file. Where the pages give 409 for a wrong id of a read or write and the list of error codes 412, the list
//! is followed, as the official clients expect.
//!
//! A write without an id that meets an expired or broken lease takes it away for good. That is what keeps the old
//! holder from renewing it over a changed blob, without comparing versions.

use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use std::time::Duration;

/// The id of a lease: a GUID, however it was spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeaseId(pub u128);

/// A lease, as it was last set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lease {
    /// There is none.
    #[default]
    None,
    /// Held, or expired if its time is over.
    Held {
        /// Who holds it.
        id: LeaseId,
        /// Seconds for which it was taken; none for ever.
        seconds: Option<u32>,
        /// When it ends; [`Timestamp::MAX`] for never.
        until: Timestamp,
    },
    /// Being broken, or broken if its time is over.
    Breaking {
        /// Who held it.
        id: LeaseId,
        /// When it ends.
        until: Timestamp,
    },
}

/// A lease as it is at some moment, in the vendor's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseState {
    /// There is none.
    Available,
    /// Held.
    Leased,
    /// Being broken.
    Breaking,
    /// Broken.
    Broken,
    /// Its time is over.
    Expired,
}

/// What a lease request asks for. Durations and periods have been checked by the caller: 15 to 60 and 0 to 60.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseRequest {
    /// To have a lease of this id.
    Acquire {
        /// The proposed id, or a random one.
        id: LeaseId,
        /// Seconds; none for ever.
        seconds: Option<u32>,
    },
    /// To begin its time anew.
    Renew(LeaseId),
    /// To give it another id.
    Change {
        /// The id it has.
        id: LeaseId,
        /// The id it is to have.
        proposed: LeaseId,
    },
    /// To give it up.
    Release(LeaseId),
    /// To end it, after so many seconds at most; none for the time it has left.
    Break(Option<u32>),
}

/// What a lease request gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseOutcome {
    /// The id that the lease has now, if there is one.
    pub id: Option<LeaseId>,
    /// Whole seconds until the lease is gone, after a break; rounded up.
    pub remaining: u32,
}

/// What a lease is a lease of: it decides between error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leased {
    /// A blob that is read or written.
    Blob,
    /// A container that is read or deleted.
    Container,
}

/// Why a lease stands in the way. Named as the vendor's error codes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else holds it.
    #[error("there is a lease already")]
    AlreadyPresent,
    /// It is being broken.
    #[error("the lease is breaking and cannot be acquired")]
    IsBreakingAndCannotBeAcquired,
    /// It is being broken.
    #[error("the lease is breaking and cannot be changed")]
    IsBreakingAndCannotBeChanged,
    /// It is broken, or being broken.
    #[error("the lease is broken and cannot be renewed")]
    IsBrokenAndCannotBeRenewed,
    /// There is none to break or change.
    #[error("there is no lease")]
    NotPresentWithLeaseOperation,
    /// The id is not the lease's.
    #[error("the id is not that of the lease")]
    IdMismatchWithLeaseOperation,
    /// A lease is held and no id was given.
    #[error("there is a lease and no id was given")]
    IdMissing,
    /// The id given with a read or write is not the lease's.
    #[error("the id is not that of the lease")]
    IdMismatch(Leased),
    /// An id was given where there is no lease.
    #[error("an id was given and there is no lease")]
    NotPresent(Leased),
    /// The lease whose id was given has ended.
    #[error("the lease has ended")]
    Lost,
    /// Only a lease without end lets a copy begin.
    #[error("a copy needs a lease without end")]
    InfiniteDurationRequired,
}

impl Lease {
    /// The state at this moment.
    pub fn state(&self, now: Timestamp) -> LeaseState {
        match self {
            Self::None => LeaseState::Available,
            Self::Held { until, .. } if now < *until => LeaseState::Leased,
            Self::Held { .. } => LeaseState::Expired,
            Self::Breaking { until, .. } if now < *until => LeaseState::Breaking,
            Self::Breaking { .. } => LeaseState::Broken,
        }
    }

    /// Whether it is without end. Meaningful while it is leased.
    pub const fn is_infinite(&self) -> bool {
        matches!(self, Self::Held { seconds: None, .. })
    }

    const fn id(&self) -> Option<LeaseId> {
        match self {
            Self::None => None,
            Self::Held { id, .. } | Self::Breaking { id, .. } => Some(*id),
        }
    }

    fn held(id: LeaseId, seconds: Option<u32>, now: Timestamp) -> Self {
        let until = seconds.map_or(Timestamp::MAX, |seconds| after(now, seconds));
        Self::Held { id, seconds, until }
    }
}

/// What `request` makes of a lease.
///
/// # Errors
/// [`LeaseError`], as the pages' tables have it; the lease stays as it was.
pub fn step(lease: Lease, request: LeaseRequest, now: Timestamp) -> Result<(Lease, LeaseOutcome)> {
    let next = match request {
        LeaseRequest::Acquire { id, seconds } => acquire(lease, id, seconds, now),
        LeaseRequest::Renew(id) => renew(lease, id, now),
        LeaseRequest::Change { id, proposed } => change(lease, id, proposed, now),
        LeaseRequest::Release(id) if lease.id() == Some(id) => Ok(Lease::None),
        LeaseRequest::Release(_) => Err(LeaseError::IdMismatchWithLeaseOperation),
        LeaseRequest::Break(period) => end(lease, period, now),
    };
    let next = next.map_err(EngineError::Lease)?;
    let remaining = match next {
        Lease::Breaking { until, .. } => seconds_until(until, now),
        Lease::None | Lease::Held { .. } => 0,
    };
    Ok((next, LeaseOutcome { id: next.id(), remaining }))
}

fn acquire(lease: Lease, id: LeaseId, seconds: Option<u32>, now: Timestamp) -> Result<Lease, LeaseError> {
    let same = lease.id() == Some(id);
    match lease.state(now) {
        LeaseState::Breaking if same => Err(LeaseError::IsBreakingAndCannotBeAcquired),
        LeaseState::Breaking => Err(LeaseError::AlreadyPresent),
        LeaseState::Leased if !same => Err(LeaseError::AlreadyPresent),
        _ => Ok(Lease::held(id, seconds, now)),
    }
}

fn renew(lease: Lease, id: LeaseId, now: Timestamp) -> Result<Lease, LeaseError> {
    match lease {
        _ if lease.id() != Some(id) => Err(LeaseError::IdMismatchWithLeaseOperation),
        Lease::Held { seconds, .. } => Ok(Lease::held(id, seconds, now)),
        Lease::Breaking { .. } | Lease::None => Err(LeaseError::IsBrokenAndCannotBeRenewed),
    }
}

fn change(lease: Lease, id: LeaseId, proposed: LeaseId, now: Timestamp) -> Result<Lease, LeaseError> {
    let known = lease.id().is_some_and(|current| current == id || current == proposed);
    match (lease.state(now), lease) {
        (LeaseState::Leased, Lease::Held { seconds, until, .. }) if known => {
            Ok(Lease::Held { id: proposed, seconds, until })
        }
        (LeaseState::Breaking, _) if known => Err(LeaseError::IsBreakingAndCannotBeChanged),
        (LeaseState::Leased | LeaseState::Breaking, _) => Err(LeaseError::IdMismatchWithLeaseOperation),
        _ => Err(LeaseError::NotPresentWithLeaseOperation),
    }
}

/// A break only ever shortens: what is left of a fixed lease or of an earlier break bounds it.
fn end(lease: Lease, period: Option<u32>, now: Timestamp) -> Result<Lease, LeaseError> {
    let asked = period.map(|seconds| after(now, seconds));
    match lease {
        Lease::None => Err(LeaseError::NotPresentWithLeaseOperation),
        Lease::Held { id, seconds: None, .. } => Ok(Lease::Breaking { id, until: asked.unwrap_or(now) }),
        Lease::Held { id, until, .. } | Lease::Breaking { id, until } => {
            Ok(Lease::Breaking { id, until: asked.map_or(until, |asked| asked.min(until)) })
        }
    }
}

/// What is left of the lease when something is written by one who gives this id or none.
///
/// # Errors
/// [`LeaseError`].
pub fn check_write(lease: Lease, given: Option<LeaseId>, now: Timestamp, of: Leased) -> Result<Lease> {
    match (given, lease.state(now)) {
        (Some(_), _) => check_read(lease, given, now, of).map(|()| lease),
        (None, LeaseState::Leased | LeaseState::Breaking) => Err(EngineError::Lease(LeaseError::IdMissing)),
        (None, _) => Ok(Lease::None),
    }
}

/// Whether one who gives this id may read. Without an id everybody may.
///
/// # Errors
/// [`LeaseError`].
pub fn check_read(lease: Lease, given: Option<LeaseId>, now: Timestamp, of: Leased) -> Result<()> {
    let Some(given) = given else { return Ok(()) };
    match lease.state(now) {
        LeaseState::Available => Err(EngineError::Lease(LeaseError::NotPresent(of))),
        LeaseState::Broken | LeaseState::Expired => Err(EngineError::Lease(LeaseError::Lost)),
        LeaseState::Leased | LeaseState::Breaking if lease.id() == Some(given) => Ok(()),
        LeaseState::Leased | LeaseState::Breaking => Err(EngineError::Lease(LeaseError::IdMismatch(of))),
    }
}

fn after(now: Timestamp, seconds: u32) -> Timestamp {
    now.after(Duration::from_secs(seconds.into()))
}

fn seconds_until(until: Timestamp, now: Timestamp) -> u32 {
    let ticks = until.ticks().saturating_sub(now.ticks());
    u32::try_from(ticks.div_ceil(Timestamp::TICKS_PER_SECOND)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: LeaseId = LeaseId(1);
    const B: LeaseId = LeaseId(2);
    const C: LeaseId = LeaseId(3);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1000 + seconds)
    }

    /// The five states of a lease of A, at moment 0.
    fn states() -> [Lease; 5] {
        [
            Lease::None,
            Lease::Held { id: A, seconds: Some(30), until: at(20) },
            Lease::Breaking { id: A, until: at(10) },
            Lease::Breaking { id: A, until: at(0) },
            Lease::Held { id: A, seconds: Some(30), until: at(0) },
        ]
    }

    fn short(error: &EngineError) -> &'static str {
        match error {
            EngineError::Lease(LeaseError::AlreadyPresent) => "present",
            EngineError::Lease(LeaseError::IsBreakingAndCannotBeAcquired) => "not acquired",
            EngineError::Lease(LeaseError::IsBreakingAndCannotBeChanged) => "not changed",
            EngineError::Lease(LeaseError::IsBrokenAndCannotBeRenewed) => "not renewed",
            EngineError::Lease(LeaseError::NotPresentWithLeaseOperation) => "none",
            EngineError::Lease(LeaseError::IdMismatchWithLeaseOperation) => "mismatch",
            EngineError::Lease(LeaseError::IdMissing) => "missing",
            EngineError::Lease(LeaseError::IdMismatch(_)) => "other",
            EngineError::Lease(LeaseError::NotPresent(_)) => "no lease",
            EngineError::Lease(LeaseError::Lost) => "lost",
            other => panic!("{other}"),
        }
    }

    /// `held by, remaining seconds`, or the error.
    fn told(lease: Lease, request: LeaseRequest) -> String {
        match step(lease, request, at(0)) {
            Err(error) => short(&error).to_owned(),
            Ok((next, outcome)) => {
                let id = outcome.id.map_or("-", |id| ["?", "A", "B", "C"][usize::try_from(id.0).unwrap()]);
                let left = match next {
                    Lease::Held { until, .. } | Lease::Breaking { until, .. } => seconds_until(until, at(0)),
                    Lease::None => 0,
                };
                format!("{:?} {id} {left}", next.state(at(0)))
            }
        }
    }

    #[test]
    fn every_request_does_in_every_state_what_the_table_says() {
        let acquire = |id| LeaseRequest::Acquire { id, seconds: Some(15) };
        let change = |id, proposed| LeaseRequest::Change { id, proposed };
        // Available, Leased, Breaking, Broken, Expired.
        let table: [(LeaseRequest, [&str; 5]); 14] = [
            (acquire(A), ["Leased A 15", "Leased A 15", "not acquired", "Leased A 15", "Leased A 15"]),
            (acquire(B), ["Leased B 15", "present", "present", "Leased B 15", "Leased B 15"]),
            (LeaseRequest::Break(Some(0)), ["none", "Broken A 0", "Broken A 0", "Broken A 0", "Broken A 0"]),
            (
                LeaseRequest::Break(Some(5)),
                ["none", "Breaking A 5", "Breaking A 5", "Broken A 0", "Broken A 0"],
            ),
            (
                LeaseRequest::Break(Some(60)),
                ["none", "Breaking A 20", "Breaking A 10", "Broken A 0", "Broken A 0"],
            ),
            (
                LeaseRequest::Break(None),
                ["none", "Breaking A 20", "Breaking A 10", "Broken A 0", "Broken A 0"],
            ),
            (change(A, B), ["none", "Leased B 20", "not changed", "none", "none"]),
            (change(B, A), ["none", "Leased A 20", "not changed", "none", "none"]),
            (change(B, C), ["none", "mismatch", "mismatch", "none", "none"]),
            (
                LeaseRequest::Renew(A),
                ["mismatch", "Leased A 30", "not renewed", "not renewed", "Leased A 30"],
            ),
            (LeaseRequest::Renew(B), ["mismatch"; 5]),
            (
                LeaseRequest::Release(A),
                ["mismatch", "Available - 0", "Available - 0", "Available - 0", "Available - 0"],
            ),
            (LeaseRequest::Release(B), ["mismatch"; 5]),
            (
                LeaseRequest::Acquire { id: A, seconds: None },
                [
                    "Leased A 4294967295",
                    "Leased A 4294967295",
                    "not acquired",
                    "Leased A 4294967295",
                    "Leased A 4294967295",
                ],
            ),
        ];
        for (request, expected) in table {
            assert_eq!(states().map(|lease| told(lease, request)), expected, "{request:?}");
        }
    }

    #[test]
    fn a_lease_without_end_breaks_at_once_or_after_the_period() {
        let lease = Lease::held(A, None, at(0));
        assert_eq!(told(lease, LeaseRequest::Break(None)), "Broken A 0");
        assert_eq!(told(lease, LeaseRequest::Break(Some(60))), "Breaking A 60");
    }

    #[test]
    fn reads_and_writes_find_in_every_state_what_the_table_says() {
        let write = |given| {
            states().map(|lease| match check_write(lease, given, at(0), Leased::Blob) {
                Ok(left) if left == lease => "ok",
                Ok(left) => {
                    assert_eq!(left, Lease::None);
                    "freed"
                }
                Err(error) => short(&error),
            })
        };
        assert_eq!(write(Some(A)), ["no lease", "ok", "ok", "lost", "lost"]);
        assert_eq!(write(Some(B)), ["no lease", "other", "other", "lost", "lost"]);
        assert_eq!(write(None), ["ok", "missing", "missing", "freed", "freed"]);
        let read = |given| {
            let check = |lease| check_read(lease, given, at(0), Leased::Container);
            states().map(|lease| check(lease).map_or_else(|error| short(&error), |()| "ok"))
        };
        assert_eq!(read(Some(A)), ["no lease", "ok", "ok", "lost", "lost"]);
        assert_eq!(read(Some(B)), ["no lease", "other", "other", "lost", "lost"]);
        assert_eq!(read(None), ["ok"; 5]);
    }

    #[test]
    fn a_lease_is_held_to_its_last_tick() {
        let lease = Lease::held(A, Some(15), at(0));
        assert_eq!(lease.state(Timestamp::from_ticks(at(15).ticks() - 1)), LeaseState::Leased);
        assert_eq!(lease.state(at(15)), LeaseState::Expired);
    }
}
