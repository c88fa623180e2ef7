//! How accounts are kept.
//!
//! | record | family | key | fields, version 1 |
//! |---|---|---|---|
//! | an account | `Account` | its name | created, whether it is being deleted, whether it may be open, both keys |

use super::{Account, AccountKey};
use crate::error::{EngineError, Result};
use crate::meta::key::{KeyBuilder, KeyReader};
use crate::meta::record::{Decoder, Encoder};
use crate::name::AccountName;

const VERSION: u8 = 1;

/// An account as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) account: Account,
    /// Its names are being taken away, and it is there for nobody.
    pub(super) deleting: bool,
}

/// The key of an account.
pub(super) fn key(name: &AccountName) -> Vec<u8> {
    KeyBuilder::new().text(name.as_str()).finish()
}

/// The account whose key this is.
pub(super) fn name(key: &[u8]) -> Result<AccountName> {
    let mut pieces = KeyReader::new(key);
    let name = pieces.text()?;
    pieces.finish()?;
    AccountName::parse(&name).map_err(|_| EngineError::corrupt("the name of an account"))
}

/// An account's record.
pub(super) fn encode(account: &Account, deleting: bool) -> Vec<u8> {
    let [first, second] = &account.keys;
    let mut fields = Encoder::new(VERSION);
    fields.timestamp(account.created).flag(deleting).flag(account.anonymous);
    fields.bytes(first.as_bytes()).bytes(second.as_bytes());
    fields.finish()
}

/// The account in `record`.
pub(super) fn decode(name: AccountName, record: &[u8]) -> Result<Kept> {
    let (_, mut fields) = Decoder::versioned("account", VERSION, record)?;
    let created = fields.timestamp()?;
    let (deleting, anonymous) = (fields.flag()?, fields.flag()?);
    let keys = [AccountKey::new(fields.bytes()?.to_vec()), AccountKey::new(fields.bytes()?.to_vec())];
    fields.finish()?;
    Ok(Kept { account: Account { name, created, anonymous, keys }, deleting })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::{any, proptest};
    use proptest::{collection, prop_assert_eq};

    proptest! {
        #[test]
        fn an_account_comes_back_as_it_was_kept(
            created in any::<u64>(), flags in any::<[bool; 2]>(), keys in any::<[Vec<u8>; 2]>(),
        ) {
            let [deleting, anonymous] = flags;
            let name = AccountName::parse("account1").unwrap();
            let created = Timestamp::from_ticks(created);
            let account = Account { name, created, anonymous, keys: keys.map(AccountKey::new) };
            prop_assert_eq!(&super::name(&key(&account.name)).unwrap(), &account.name);
            let back = decode(account.name.clone(), &encode(&account, deleting)).unwrap();
            prop_assert_eq!(back, Kept { account, deleting });
        }

        #[test]
        fn damaged_records_are_errors_or_values_but_never_panics(record in collection::vec(any::<u8>(), 0..60)) {
            let _ = (decode(AccountName::parse("abc").unwrap(), &record), name(&record));
        }
    }
}
