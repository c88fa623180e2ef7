//! Preconditions on a resource's version and age, as a verb evaluates them.
//!
//! Page "Specifying conditional headers for Blob service operations". Reads combine what they are given
//! (`If-Match` and `If-Unmodified-Since` must hold, and one of `If-None-Match` and `If-Modified-Since`);
//! writes let the etag win over the date. The table of the page is the test of this file.

use crate::blob::record::lease::LeaseId;
use crate::blob::record::properties::{BlobProperties, EncryptionKey};
use crate::blob::record::tags::{TagExpression, Tags};
use crate::clock::{Etag, Timestamp};
use crate::error::{EngineError, Result};
use crate::seal::CustomerKey;

/// An entry of `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtagMatch {
    /// `*`: any version, as long as there is one.
    Any,
    /// This version.
    Exactly(Etag),
    /// A tag that no version of ours has: a foreign or weak one.
    Never,
}

impl EtagMatch {
    fn matches(self, current: Etag) -> bool {
        match self {
            Self::Any => true,
            Self::Exactly(etag) => etag == current,
            Self::Never => false,
        }
    }
}

/// The preconditions of a request. Empty lists and `None`: not given.
///
/// They are judged in this order: the lease, the customer's key, tags, then version and age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The id of the lease under which the request comes.
    pub lease: Option<LeaseId>,
    /// Whether a lease under which the blob is replaced must be one without end.
    pub lease_without_end: bool,
    /// The customer's key that the request brings. Asked for where content or metadata is read or
    /// added to, and not where a blob is made, deleted, or changed in what is not encrypted.
    pub customer_key: Option<CustomerKey>,
    /// What the blob's tags must be.
    pub if_tags: Option<TagExpression>,
    /// One of these must match.
    pub if_match: Vec<EtagMatch>,
    /// None of these may match.
    pub if_none_match: Vec<EtagMatch>,
    /// Must have changed after this whole second.
    pub if_modified_since: Option<Timestamp>,
    /// Must not have changed after this whole second.
    pub if_unmodified_since: Option<Timestamp>,
    /// The tier must have changed after this whole second. One that never has counts as changed when the blob came
    /// to be.
    pub if_tier_modified_since: Option<Timestamp>,
    /// The tier must not have changed after this whole second.
    pub if_tier_unmodified_since: Option<Timestamp>,
}

impl Conditions {
    /// Whether a read of a resource of this version and age may go on.
    ///
    /// # Errors
    /// [`EngineError::PreconditionFailed`] before [`EngineError::NotModified`].
    pub fn check_read(&self, etag: Etag, modified: Timestamp) -> Result<()> {
        if !self.match_holds(etag) || !self.unmodified_holds(modified) {
            return Err(EngineError::PreconditionFailed);
        }
        let none_match = (!self.if_none_match.is_empty()).then(|| self.none_match_holds(etag));
        let since = self.if_modified_since.map(|_| self.modified_holds(modified));
        match (none_match, since) {
            (None, None) | (Some(true), _) | (_, Some(true)) => Ok(()),
            _ => Err(EngineError::NotModified { etag, modified }),
        }
    }

    /// Whether a write over `existing` (its version and age; none if there is nothing) may go on.
    ///
    /// # Errors
    /// [`EngineError::BlobExists`] for `If-None-Match: *` over something,
    /// [`EngineError::PreconditionFailed`] for everything else that does not hold.
    pub fn check_write(&self, existing: Option<(Etag, Timestamp)>) -> Result<()> {
        let Some((etag, modified)) = existing else {
            return if self.if_match.is_empty() { Ok(()) } else { Err(EngineError::PreconditionFailed) };
        };
        if self.if_none_match.contains(&EtagMatch::Any) {
            return Err(EngineError::BlobExists);
        }
        let holds = if !self.if_match.is_empty() {
            self.match_holds(etag)
        } else if !self.if_none_match.is_empty() {
            self.none_match_holds(etag)
        } else {
            self.modified_holds(modified) && self.unmodified_holds(modified)
        };
        if holds { Ok(()) } else { Err(EngineError::PreconditionFailed) }
    }

    /// Whether the tags are as they must be. A blob that is not there has none.
    ///
    /// # Errors
    /// [`EngineError::PreconditionFailed`].
    pub fn check_tags(&self, tags: &Tags) -> Result<()> {
        let holds = self.if_tags.as_ref().is_none_or(|expression| expression.holds(tags));
        if holds { Ok(()) } else { Err(EngineError::PreconditionFailed) }
    }

    /// Whether the tier changed when it must have.
    ///
    /// # Errors
    /// [`EngineError::PreconditionFailed`].
    pub fn check_tier(&self, blob: &BlobProperties) -> Result<()> {
        let changed = blob.tier.and_then(|tier| tier.changed).unwrap_or(blob.created).whole_seconds();
        let holds = self.if_tier_modified_since.is_none_or(|since| changed > since)
            && self.if_tier_unmodified_since.is_none_or(|since| changed <= since);
        if holds { Ok(()) } else { Err(EngineError::PreconditionFailed) }
    }

    /// Whether the request brings the key that the blob is encrypted with.
    ///
    /// # Errors
    /// [`EngineError::CustomerKeyMismatch`].
    pub fn check_customer_key(&self, blob: &BlobProperties) -> Result<()> {
        let key = blob.encryption.as_ref().and_then(|encryption| match encryption.key {
            EncryptionKey::Customer(sum) => Some(sum),
            EncryptionKey::Scope(_) => None,
        });
        if key == self.customer_key.as_ref().map(CustomerKey::sum) {
            Ok(())
        } else {
            Err(EngineError::CustomerKeyMismatch { encrypted: key.is_some() })
        }
    }

    fn match_holds(&self, etag: Etag) -> bool {
        self.if_match.is_empty() || self.if_match.iter().any(|entry| entry.matches(etag))
    }

    fn none_match_holds(&self, etag: Etag) -> bool {
        !self.if_none_match.iter().any(|entry| entry.matches(etag))
    }

    fn modified_holds(&self, modified: Timestamp) -> bool {
        self.if_modified_since.is_none_or(|since| modified.whole_seconds() > since)
    }

    fn unmodified_holds(&self, modified: Timestamp) -> bool {
        self.if_unmodified_since.is_none_or(|since| modified.whole_seconds() <= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{AccessTier, Tier};

    const NOW: u64 = 1_700_000_000;
    const TAG: Etag = Etag(7);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn read(conditions: &Conditions) -> &'static str {
        match conditions.check_read(TAG, at(NOW)) {
            Ok(()) => "200",
            Err(EngineError::NotModified { .. }) => "304",
            Err(EngineError::PreconditionFailed) => "412",
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn reads_follow_the_table_of_the_page() {
        let hit = vec![EtagMatch::Exactly(TAG)];
        let miss = vec![EtagMatch::Exactly(Etag(8))];
        let (old, same) = (Some(at(NOW - 10)), Some(at(NOW)));
        let none = Conditions::default;
        assert_eq!(read(&none()), "200");
        assert_eq!(read(&Conditions { if_match: hit.clone(), if_modified_since: same, ..none() }), "304");
        assert_eq!(read(&Conditions { if_match: miss.clone(), if_modified_since: old, ..none() }), "412");
        assert_eq!(read(&Conditions { if_none_match: hit.clone(), if_modified_since: old, ..none() }), "200");
        assert_eq!(read(&Conditions { if_none_match: miss, if_modified_since: same, ..none() }), "200");
        assert_eq!(read(&Conditions { if_none_match: hit, if_modified_since: same, ..none() }), "304");
        assert_eq!(read(&Conditions { if_unmodified_since: old, if_modified_since: old, ..none() }), "412");
    }

    #[test]
    fn a_create_that_must_not_overwrite_says_so() {
        let create = Conditions { if_none_match: vec![EtagMatch::Any], ..Conditions::default() };
        assert!(create.check_write(None).is_ok());
        assert!(matches!(create.check_write(Some((TAG, at(NOW)))), Err(EngineError::BlobExists)));
    }

    #[test]
    fn a_write_that_needs_a_version_fails_where_there_is_none() {
        for entry in [EtagMatch::Any, EtagMatch::Exactly(TAG), EtagMatch::Never] {
            let update = Conditions { if_match: vec![entry], ..Conditions::default() };
            assert!(matches!(update.check_write(None), Err(EngineError::PreconditionFailed)));
        }
    }

    #[test]
    fn a_tier_that_never_changed_is_as_old_as_its_blob() {
        let tiered = |changed| BlobProperties {
            created: at(NOW),
            tier: Some(AccessTier { tier: Tier::Cool, changed, rehydration: None }),
            ..BlobProperties::default()
        };
        let since =
            |seconds| Conditions { if_tier_modified_since: Some(at(seconds)), ..Conditions::default() };
        let until =
            |seconds| Conditions { if_tier_unmodified_since: Some(at(seconds)), ..Conditions::default() };
        let (never, later) = (tiered(None), tiered(Some(at(NOW + 10))));
        assert!(since(NOW - 1).check_tier(&never).is_ok() && since(NOW).check_tier(&never).is_err());
        assert!(since(NOW).check_tier(&later).is_ok() && since(NOW + 10).check_tier(&later).is_err());
        assert!(until(NOW).check_tier(&never).is_ok() && until(NOW).check_tier(&later).is_err());
    }

    #[test]
    fn dates_are_compared_by_the_second() {
        let late = at(NOW).after(std::time::Duration::from_millis(900));
        let unmodified = Conditions { if_unmodified_since: Some(at(NOW)), ..Conditions::default() };
        assert!(unmodified.check_write(Some((TAG, late))).is_ok());
        let modified = Conditions { if_modified_since: Some(at(NOW)), ..Conditions::default() };
        assert!(modified.check_write(Some((TAG, late))).is_err());
    }
}
