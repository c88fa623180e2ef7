//! What a request gives a new blob besides its content: the headers that *Put Blob*, *Put Block List* and copies have
//! in common.
//!
//! What is given here is honoured or refused, and nothing is dropped: an expiry at creation is for accounts with a
//! hierarchical namespace and is set with an operation of its own.

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::{header, metadata, tags, time};
use std::time::Duration;
use storage_engine::blob::{BlobKind, ContentHeaders, ImmutabilityPolicy, NewBlob, Tier};

/// The names of tiers, as [`Tier::ALL`] has them.
const TIERS: [&str; 17] = [
    "Hot", "Cool", "Cold", "Archive", "Smart", "Premium", "P4", "P6", "P10", "P15", "P20", "P30", "P40",
    "P50", "P60", "P70", "P80",
];

/// A tier's name.
pub(super) fn tier_name(tier: Tier) -> &'static str {
    let named = Tier::ALL.iter().zip(TIERS).find(|(other, _)| **other == tier);
    named.map_or("Hot", |(_, name)| name)
}

/// The tier of `x-ms-access-tier`.
///
/// # Errors
/// `InvalidHeaderValue` if there is no such tier.
pub(super) fn tier(head: &Head) -> Result<Option<Tier>, StorageError> {
    let Some(text) = head.text(header::X_MS_ACCESS_TIER)? else { return Ok(None) };
    let named = TIERS.iter().zip(Tier::ALL).find(|(name, _)| name.eq_ignore_ascii_case(text));
    let (_, tier) = named.ok_or_else(|| StorageError::invalid_header(header::X_MS_ACCESS_TIER, text))?;
    Ok(Some(tier))
}

/// Whether a blob is to leave the archive in haste: `x-ms-rehydrate-priority`.
///
/// # Errors
/// `InvalidHeaderValue`.
pub(super) fn in_haste(head: &Head) -> Result<bool, StorageError> {
    match head.text(header::X_MS_REHYDRATE_PRIORITY)? {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("standard") => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("high") => Ok(true),
        Some(text) => Err(StorageError::invalid_header(header::X_MS_REHYDRATE_PRIORITY, text)),
    }
}

/// How long a blob takes to leave the archive. Nothing is moved, but a client is to meet the states that it will meet
/// on the service, which takes hours.
pub(super) const fn rehydration(high: bool) -> Duration {
    if high { Duration::from_secs(10) } else { Duration::from_mins(1) }
}

/// What a new blob of this kind is given, with these headers of its content.
///
/// # Errors
/// `InvalidHeaderValue`, `MissingRequiredHeader`, `AccessTierNotSupportedForBlobType`, those of metadata and tags.
pub(super) fn read(head: &Head, headers: ContentHeaders, kind: BlobKind) -> Result<NewBlob, StorageError> {
    for name in [header::X_MS_EXPIRY_OPTION, header::X_MS_EXPIRY_TIME] {
        if head.headers.contains_key(name) {
            return Err(StorageError::new(ErrorCode::NotImplemented).with("HeaderName", name));
        }
    }
    let tier = tier(head)?;
    if tier.is_some_and(|tier| !fits(tier, kind)) {
        return Err(StorageError::new(ErrorCode::AccessTierNotSupportedForBlobType));
    }
    Ok(NewBlob {
        headers,
        metadata: metadata::read(&head.headers)?,
        tags: tags::of_header(head)?,
        tier,
        policy: policy(head)?,
        legal_hold: head.flag(header::X_MS_LEGAL_HOLD)?,
        ..NewBlob::default()
    })
}

/// Whether blobs of the kind can have the tier.
fn fits(tier: Tier, kind: BlobKind) -> bool {
    match kind {
        BlobKind::Block => tier.bytes_max().is_none() && tier != Tier::Premium,
        BlobKind::Append { .. } => false,
        BlobKind::Page { .. } => tier.bytes_max().is_some(),
    }
}

/// The immutability policy that is asked for. Without a mode it is not locked.
///
/// # Errors
/// `MissingRequiredHeader` for a mode without a date; `InvalidHeaderValue`, also for a date that is over.
pub(super) fn policy(head: &Head) -> Result<Option<ImmutabilityPolicy>, StorageError> {
    let mode = head.text(header::X_MS_IMMUTABILITY_POLICY_MODE)?;
    let locked = match mode {
        None => false,
        Some(mode) if mode.eq_ignore_ascii_case("unlocked") => false,
        Some(mode) if mode.eq_ignore_ascii_case("locked") => true,
        Some(mode) => {
            return Err(StorageError::invalid_header(header::X_MS_IMMUTABILITY_POLICY_MODE, mode));
        }
    };
    let name = header::X_MS_IMMUTABILITY_POLICY_UNTIL_DATE;
    match head.text(name)? {
        None if mode.is_some() => Err(StorageError::missing_header(name)),
        None => Ok(None),
        Some(text) => {
            let until = time::parse_rfc1123(text).filter(|until| *until > head.received);
            let until = until.ok_or_else(|| StorageError::invalid_header(name, text))?;
            Ok(Some(ImmutabilityPolicy { until, locked }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn new(headers: &[(&str, &str)], kind: BlobKind) -> Result<NewBlob, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", headers);
        read(&head, ContentHeaders::default(), kind).map_err(|error| error.code)
    }

    #[test]
    fn all_that_a_new_blob_can_be_given_is_read() {
        let far = "Fri, 31 Dec 2100 23:59:59 GMT";
        let given = [
            ("x-ms-tags", "a=1"),
            ("x-ms-meta-k", "v"),
            ("x-ms-access-tier", "cool"),
            ("x-ms-immutability-policy-until-date", far),
            ("x-ms-immutability-policy-mode", "Locked"),
            ("x-ms-legal-hold", "true"),
        ];
        let new = new(&given, BlobKind::Block).unwrap();
        assert_eq!((new.tags.get("a"), new.tier, new.legal_hold), (Some("1"), Some(Tier::Cool), true));
        let until = time::parse_rfc1123(far).unwrap();
        assert_eq!(new.policy, Some(ImmutabilityPolicy { until, locked: true }));
        assert_eq!(new.metadata.len(), 1);
    }

    #[test]
    fn tiers_belong_to_kinds() {
        let tier = |name, kind| new(&[("x-ms-access-tier", name)], kind).map(|new| new.tier);
        let page = BlobKind::Page { sequence_number: 0 };
        let refused = Err(ErrorCode::AccessTierNotSupportedForBlobType);
        assert_eq!(tier("P10", page), Ok(Some(Tier::P10)));
        assert_eq!(tier("P10", BlobKind::Block), refused);
        assert_eq!(tier("Hot", page), refused);
        assert_eq!(tier("Hot", BlobKind::Append { blocks: 0, sealed: false }), refused);
        assert_eq!(tier("Warm", BlobKind::Block), Err(ErrorCode::InvalidHeaderValue));
        for of_all in Tier::ALL {
            assert_eq!(tier_name(of_all), format!("{of_all:?}"));
        }
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let mode = ("x-ms-immutability-policy-mode", "Locked");
        assert_eq!(new(&[mode], BlobKind::Block), Err(ErrorCode::MissingRequiredHeader));
        let past = ("x-ms-immutability-policy-until-date", "Sat, 01 Jan 2000 00:00:00 GMT");
        assert_eq!(new(&[past], BlobKind::Block), Err(ErrorCode::InvalidHeaderValue));
        let mutable = ("x-ms-immutability-policy-mode", "Mutable");
        assert_eq!(new(&[mutable], BlobKind::Block), Err(ErrorCode::InvalidHeaderValue));
        for name in ["x-ms-expiry-option", "x-ms-expiry-time"] {
            assert_eq!(new(&[(name, "1")], BlobKind::Block), Err(ErrorCode::NotImplemented));
        }
    }
}
