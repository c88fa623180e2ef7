//! Stored access policies: what a container, a queue or a table keeps so that signatures can refer to it by name.
//!
//! A policy is part of the record of whatever it belongs to, not a record of its own: there are at most
//! [`POLICIES_MAX`], they are always replaced together, and they must go when their owner goes. Each of their
//! values may be missing; a signature then has to say it. Permissions are kept as letters, because which letters
//! there are differs by service and grows with the protocol, and the engine judges none of them.

use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};

/// Most policies of one container, queue or table (page "Define a stored access policy").
pub const POLICIES_MAX: usize = 5;

/// A stored access policy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredPolicy {
    /// Its name, at most 64 characters. Unique among those of its owner.
    pub id: String,
    /// From when on it allows something.
    pub start: Option<Timestamp>,
    /// Until when it does.
    pub expiry: Option<Timestamp>,
    /// The letters of what it allows, as they were given.
    pub permissions: Option<String>,
}

/// The policy of this name.
pub fn named(policies: Vec<StoredPolicy>, id: &str) -> Option<StoredPolicy> {
    policies.into_iter().find(|policy| policy.id == id)
}

/// Writes policies: their count, then name, start, expiry and letters of each.
pub(crate) fn encode(fields: &mut Encoder, policies: &[StoredPolicy]) {
    fields.count(policies.len());
    for policy in policies {
        fields.str(&policy.id);
        fields.option(policy.start, |fields, start| {
            fields.timestamp(start);
        });
        fields.option(policy.expiry, |fields, expiry| {
            fields.timestamp(expiry);
        });
        fields.option(policy.permissions.as_deref(), |fields, letters| {
            fields.str(letters);
        });
    }
}

/// Reads policies.
pub(crate) fn decode(fields: &mut Decoder<'_>) -> Result<Vec<StoredPolicy>> {
    let policy = |fields: &mut Decoder<'_>| {
        Ok(StoredPolicy {
            id: fields.str()?.to_owned(),
            start: fields.option(Decoder::timestamp)?,
            expiry: fields.option(Decoder::timestamp)?,
            permissions: fields.option(|fields| Ok(fields.str()?.to_owned()))?,
        })
    };
    (0..fields.count()?).map(|_| policy(fields)).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    /// Two policies, one with everything and one with nothing.
    pub(crate) fn some_policies() -> Vec<StoredPolicy> {
        let full = StoredPolicy {
            id: "full".to_owned(),
            start: Some(Timestamp::from_unix_seconds(1)),
            expiry: Some(Timestamp::MAX),
            permissions: Some("rl".to_owned()),
        };
        vec![full, StoredPolicy { id: "empty".to_owned(), ..StoredPolicy::default() }]
    }

    #[test]
    fn a_policy_is_found_by_its_exact_name() {
        assert_eq!(named(some_policies(), "full").unwrap().permissions.as_deref(), Some("rl"));
        assert_eq!(named(some_policies(), "Full"), None);
    }

    proptest! {
        #[test]
        fn policies_come_back_as_they_were_kept(
            raw in collection::vec((".{0,9}", any::<Option<u64>>(), any::<Option<u64>>(), any::<Option<bool>>()), 0..6),
        ) {
            let policies: Vec<_> = raw.into_iter().map(|(id, start, expiry, letters)| StoredPolicy {
                id,
                start: start.map(Timestamp::from_ticks),
                expiry: expiry.map(Timestamp::from_ticks),
                permissions: letters.map(|all| if all { "racwd".to_owned() } else { String::new() }),
            }).collect();
            let mut fields = Encoder::new(1);
            encode(&mut fields, &policies);
            let record = fields.finish();
            let (_, mut fields) = Decoder::versioned("test", 1, &record).unwrap();
            prop_assert_eq!(decode(&mut fields).unwrap(), policies);
            fields.finish().unwrap();
        }

        #[test]
        fn damaged_policies_are_errors_or_values_but_never_panics(record in collection::vec(any::<u8>(), 0..60)) {
            if let Ok((_, mut fields)) = Decoder::versioned("test", 1, &record) {
                let _ = decode(&mut fields);
            }
        }
    }
}
