//! User delegation keys: what a user signs with instead of the account's key. Page "Get User Delegation Key".
//!
//! # No state
//! A key is a MAC over all that is said about it (who, from when to when, for which service and version). Whoever
//! presents a signature repeats those facts, so the key is made again instead of being kept; changing any of them
//! makes another key. The vendor's service must do much the same: it has no call to list or to read keys.
//!
//! Rights are not part of it: they are what the user's roles say when the signature is used.

use crate::target::ServiceKind;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Keeps this use of the secret apart from any other.
const PURPOSE: &str = "user delegation key 1";

/// What is said about a key. Texts are those of the wire: the same moment spelled in another way is another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyFacts<'a> {
    /// The account that the key is for.
    pub account: &'a str,
    /// The user's object id (`skoid`).
    pub object: &'a str,
    /// The user's tenant (`sktid`).
    pub tenant: &'a str,
    /// From when on (`skt`).
    pub start: &'a str,
    /// Until when (`ske`).
    pub expiry: &'a str,
    /// The service's letter (`sks`).
    pub service: &'a str,
    /// The version (`skv`).
    pub version: &'a str,
    /// The tenant of users that a signature may be bound to (`skdutid`); empty if it was not asked for.
    pub delegated_tenant: &'a str,
}

/// The keys that come from one secret. Never printed.
pub struct DelegationKeys([u8; 32]);

impl DelegationKeys {
    /// The keys that come from this secret.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The key that was, or would be, given for these facts, 32 bytes: in Base64, what *Get User Delegation Key* gives
    /// as `Value`.
    pub fn derive(&self, facts: &KeyFacts<'_>) -> [u8; 32] {
        let KeyFacts { account, object, tenant, start, expiry, service, version, delegated_tenant } = facts;
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("an HMAC takes a key of any length");
        for text in [PURPOSE, account, object, tenant, start, expiry, service, version, delegated_tenant] {
            // Lengths keep two lists of texts from being one text.
            mac.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for DelegationKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DelegationKeys")
    }
}

/// The service as `sks` and `ss` spell it.
pub const fn service_letter(service: ServiceKind) -> &'static str {
    match service {
        ServiceKind::Blob => "b",
        ServiceKind::Queue => "q",
        ServiceKind::Table => "t",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const FACTS: KeyFacts<'_> = KeyFacts {
        account: "acc",
        object: "o",
        tenant: "t",
        start: "2026-01-01T00:00:00Z",
        expiry: "2026-01-02T00:00:00Z",
        service: "b",
        version: "2021-12-02",
        delegated_tenant: "",
    };

    #[test]
    fn the_same_facts_make_the_same_key_and_any_other_fact_another() {
        let keys = DelegationKeys::new([7; 32]);
        assert_eq!(keys.derive(&FACTS), DelegationKeys::new([7; 32]).derive(&FACTS));
        let others = [
            KeyFacts { account: "other", ..FACTS },
            KeyFacts { object: "ot", tenant: "", ..FACTS },
            KeyFacts { object: "x", ..FACTS },
            KeyFacts { tenant: "x", ..FACTS },
            KeyFacts { start: "x", ..FACTS },
            KeyFacts { expiry: "x", ..FACTS },
            KeyFacts { service: "q", ..FACTS },
            KeyFacts { version: "x", ..FACTS },
            KeyFacts { delegated_tenant: "x", ..FACTS },
            FACTS,
        ];
        let derived: HashSet<_> = others.iter().map(|facts| keys.derive(facts)).collect();
        assert_eq!(derived.len(), others.len());
        assert!(!derived.contains(&DelegationKeys::new([8; 32]).derive(&FACTS)));
    }
}
