//! User delegation keys: what shared access signatures of token holders are signed with.
//!
//! A key is not kept. It is an HMAC, under the store's secret, of all that it was issued for, each field behind its
//! length. Whoever shows a signature names those fields in it, so its key can be made again; a field that is not the
//! one of the issued key gives another key, under which the signature does not hold. Rights are not part of it: they
//! are what the holder's roles say at the time of use. Page "Get User Delegation Key".

mod document;

pub(crate) use document::{Issued, KeyInfo};

use crate::target::ServiceKind;
use hmac::digest::Key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use storage_engine::secret::Secret;

/// Keeps this use of the secret apart from any other.
const PURPOSE: &str = "user delegation key 1";

/// What a key was issued for. Texts are those of the wire: the same moment spelled in another way is another key.
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

/// Makes user delegation keys.
#[derive(Debug, Clone)]
pub struct DelegationKeys(Secret);

impl DelegationKeys {
    /// Keys that come from this secret.
    pub const fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The key that was, or would be, issued for these facts: 32 bytes.
    pub fn derive(&self, facts: &KeyFacts<'_>) -> [u8; 32] {
        let KeyFacts { account, object, tenant, start, expiry, service, version, delegated_tenant } = facts;
        // An HMAC fills its key up with zeros, so this is the HMAC under the secret itself.
        let mut key = Key::<Hmac<Sha256>>::default();
        for (byte, secret) in key.iter_mut().zip(self.0.expose()) {
            *byte = *secret;
        }
        let mut mac = Hmac::<Sha256>::new(&key);
        for text in [PURPOSE, account, object, tenant, start, expiry, service, version, delegated_tenant] {
            // Lengths keep two lists of texts from being one text.
            mac.update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(text.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// The service as `sks` spells it.
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
        object: "me",
        tenant: "us",
        start: "2026-01-01T00:00:00Z",
        expiry: "2026-01-02T00:00:00Z",
        service: "b",
        version: "2026-10-06",
        delegated_tenant: "",
    };

    #[test]
    fn every_fact_counts_and_where_one_ends_too() {
        let keys = DelegationKeys::new(Secret::new([7; 32]));
        let all = [
            FACTS,
            KeyFacts { account: "acc2", ..FACTS },
            KeyFacts { object: "you", ..FACTS },
            KeyFacts { object: "meu", tenant: "s", ..FACTS },
            KeyFacts { start: "2026-01-01T00:00:01Z", ..FACTS },
            KeyFacts { expiry: "2026-01-03T00:00:00Z", ..FACTS },
            KeyFacts { service: "q", ..FACTS },
            KeyFacts { version: "2026-10-07", ..FACTS },
            KeyFacts { delegated_tenant: "them", ..FACTS },
        ];
        let mut derived: HashSet<_> = all.iter().map(|facts| keys.derive(facts)).collect();
        derived.insert(DelegationKeys::new(Secret::new([8; 32])).derive(&FACTS));
        assert_eq!(derived.len(), all.len() + 1);
        assert_eq!(keys.derive(&FACTS), keys.clone().derive(&FACTS));
        assert_eq!(format!("{keys:?}"), "DelegationKeys(Secret)");
    }
}
