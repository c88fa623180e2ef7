//! The store's own secret: from it, keys are derived that need not be kept.
//!
//! Made once, when it is first asked for, and never changed: what was signed with a key derived from it stays valid
//! across restarts. It is kept beside the records that it protects, because whoever reads those needs no key any more.
//!
//! Layout, family [`Family::Access`]: key `secret`; value, version 1: 32 bytes.

use crate::clock::Entropy;
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};
use crate::meta::{self, Family, MetaStore, Scope, Transaction, View};
use bytes::Bytes;
use std::fmt;

const KEY: &[u8] = b"secret";
const KIND: &str = "secret";
const VERSION: u8 = 1;

/// 256 random bits. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// This secret.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The store's secret, made now if it has none.
///
/// # Errors
/// If there is no randomness, or the store's.
pub(crate) async fn get_or_make(meta: &dyn MetaStore, entropy: &dyn Entropy) -> Result<Secret> {
    let new = entropy.secret()?;
    let verb = move |transaction: &mut dyn Transaction| {
        if let Some(kept) = find(transaction)? {
            return Ok(kept);
        }
        let mut fields = Encoder::new(VERSION);
        fields.raw(new.expose());
        transaction.put(Family::Access, KEY, &fields.finish());
        Ok(new.clone())
    };
    meta::commit(meta, Scope(Bytes::from_static(KEY)), None, verb).await
}

/// The store's secret, if it has been made.
///
/// # Errors
/// The store's.
pub(crate) fn find<V: View + ?Sized>(view: &V) -> Result<Option<Secret>> {
    let Some(record) = view.get(Family::Access, KEY)? else { return Ok(None) };
    let (_, mut fields) = Decoder::versioned(KIND, VERSION, &record)?;
    let kept = fields.array()?;
    fields.finish()?;
    Ok(Some(Secret(kept)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, SeededEntropy};
    use crate::meta::memory::MemoryMeta;
    use futures_executor::block_on;
    use std::sync::Arc;

    #[test]
    fn a_store_keeps_its_first_secret_and_another_has_another() {
        let entropy = SeededEntropy::new(1);
        let store = || MemoryMeta::new(Arc::new(ManualClock::default()));
        let (one, two) = (store(), store());
        let secret = |store: &Arc<MemoryMeta>| block_on(get_or_make(&**store, &entropy)).unwrap();
        assert_eq!(secret(&one), secret(&one));
        assert_ne!(secret(&one), secret(&two));
        assert_eq!(format!("{:?}", secret(&one)), "Secret");
    }
}
