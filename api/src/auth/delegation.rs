//! User delegation keys: what a user signs with instead of the account's key. Page "Get User Delegation Key".
//!
//! # No state
//! A key is a MAC over all that is said about it (who, from when to when, for which service and version). Whoever
//! presents a signature repeats those facts, so the key is made again instead of being kept; changing any of them
//! makes another key. The vendor's service must do much the same: it has no call to list or to read keys.
//!
//! # The secret
//! It is made of the account's own key, so there is nothing more to configure, to keep safe or to copy between
//! servers, and who holds the account's key gains nothing by being able to make keys that can do less. The price:
//! an account key that is taken out of the configuration takes the delegation keys made with it along. With two
//! keys configured both are tried, so rotating them one by one interrupts nobody.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Sets these MACs apart from all others that are made with an account's key: no string to sign begins like this.
const PURPOSE: &str = "linarite user delegation key 1";

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
pub struct DelegationKeys {
    secret: Hmac<Sha256>,
}

impl DelegationKeys {
    /// The keys that come from one of an account's keys. None only for a key that no MAC takes.
    pub fn of(account_key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(account_key).ok().map(|secret| Self { secret })
    }

    /// The key of these facts, 32 bytes: what *Get User Delegation Key* gives as `Value`, in Base64.
    pub fn derive(&self, facts: &KeyFacts<'_>) -> [u8; 32] {
        let mut mac = self.secret.clone();
        mac.update(PURPOSE.as_bytes());
        let KeyFacts { account, object, tenant, start, expiry, service, version, delegated_tenant } = facts;
        for text in [account, object, tenant, start, expiry, service, version, delegated_tenant] {
            // Lengths keep two different lists of texts from being one text.
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
        let keys = DelegationKeys::of(b"secret").unwrap();
        assert_eq!(keys.derive(&FACTS), DelegationKeys::of(b"secret").unwrap().derive(&FACTS));
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
        assert!(!derived.contains(&DelegationKeys::of(b"another").unwrap().derive(&FACTS)));
    }
}
