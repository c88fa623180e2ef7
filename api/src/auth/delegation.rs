//! User delegation keys: what shared access signatures of token holders are signed with.
//!
//! A key is not kept. It is an HMAC, under the store's secret, of all that it was issued for, each field behind its length.
//! Whoever shows a signature names those fields in it, so its key can be made again; a field that is not the one of the
//! issued key gives another key, under which the signature does not hold. Rights are not part of it: they are what the
//! holder's roles say at the time of use. Page "Get User Delegation Key".

mod document;

pub(crate) use document::{Issued, KeyInfo};

use crate::target::ServiceKind;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use storage_engine::clock::Timestamp;
use storage_engine::secret::Secret;

/// Keeps this use of the secret apart from any other.
const PURPOSE: &[u8] = b"user delegation key 1";

/// Makes user delegation keys.
#[derive(Debug, Clone)]
pub struct DelegationKeys(Secret);

impl DelegationKeys {
    /// Keys that come from this secret.
    pub const fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The key that was, or would be, issued for these fields: `skoid`, `sktid`, `skt`, `ske`, `sks` and `skv` of a
    /// signature. Of the times, whole seconds count.
    pub fn derive(
        &self,
        object: &str,
        tenant: &str,
        start: Timestamp,
        expiry: Timestamp,
        service: ServiceKind,
        version: &str,
    ) -> [u8; 32] {
        let seconds = |time: Timestamp| (time.ticks() / Timestamp::TICKS_PER_SECOND).to_be_bytes();
        let fields: [&[u8]; 7] = [
            PURPOSE,
            object.as_bytes(),
            tenant.as_bytes(),
            &seconds(start),
            &seconds(expiry),
            service_letter(service).as_bytes(),
            version.as_bytes(),
        ];
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("an HMAC takes a key of any length");
        for field in fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field);
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

    #[test]
    fn every_field_counts_and_where_one_ends_too() {
        let keys = DelegationKeys::new(Secret::new([7; 32]));
        let at = Timestamp::from_unix_seconds;
        let (start, expiry) = (at(1_000), at(2_000));
        let key = |object, tenant, start, expiry, service, version| {
            keys.derive(object, tenant, start, expiry, service, version)
        };
        let (blob, version) = (ServiceKind::Blob, "2026-10-06");
        let all = [
            key("ab", "c", start, expiry, blob, version),
            key("a", "bc", start, expiry, blob, version),
            key("ab", "c", at(1_001), expiry, blob, version),
            key("ab", "c", start, at(2_001), blob, version),
            key("ab", "c", start, expiry, ServiceKind::Queue, version),
            key("ab", "c", start, expiry, blob, "2026-10-07"),
            DelegationKeys::new(Secret::new([8; 32])).derive("ab", "c", start, expiry, blob, version),
        ];
        let different: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        let within = Timestamp::from_ticks(start.ticks() + 5);
        assert_eq!(key("ab", "c", within, expiry, blob, version), all[0]);
        assert_eq!(format!("{keys:?}"), "DelegationKeys(Secret)");
    }
}
