//! The accounts that the configuration names, and their keys.

use api::auth::AccountKeys;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use storage_engine::name::AccountName;

/// The account that every tool of this field knows, with its published key.
const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1:\
    Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Accounts by name.
#[derive(Debug)]
pub(crate) struct ConfiguredAccounts {
    keys: HashMap<AccountName, Arc<AccountKeys>>,
    /// Those whose containers cannot be public.
    private: HashSet<AccountName>,
    /// Whether nothing is configured, and the account is the development account because of that.
    pub(crate) built_in: bool,
    /// The account of the connection string to show.
    pub(crate) shown: Shown,
}

/// An account as it is shown to whoever starts the server.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) name: String,
    /// Its key, if it is the published one; others are secrets and stay out of what may be a log.
    pub(crate) key: Option<String>,
}

impl ConfiguredAccounts {
    /// Reads `NAME:KEY[:KEY2]` entries; none means the development account.
    ///
    /// # Errors
    /// A sentence for the user. Never repeats a key.
    pub(crate) fn parse(entries: Option<Vec<String>>) -> Result<Self, String> {
        let built_in = entries.is_none();
        let entries = entries.unwrap_or_else(|| vec![DEVELOPMENT_ACCOUNT.to_owned()]);
        let mut keys = HashMap::new();
        let mut shown = None;
        for entry in entries.iter().filter(|entry| !entry.is_empty()) {
            let mut parts = entry.split(':');
            let name = parts.next().unwrap_or_default();
            let account = AccountName::parse(name)
                .map_err(|_| format!("account '{name}': a name is 3 to 24 lower-case letters and digits"))?;
            let texts: Vec<&str> = parts.collect();
            if texts.is_empty() || texts.len() > 2 {
                return Err(format!("account '{name}': give it as NAME:KEY or NAME:KEY:KEY2"));
            }
            let decoded: Result<Vec<_>, _> = texts.iter().map(|text| STANDARD.decode(text)).collect();
            let decoded = decoded.map_err(|_| format!("account '{name}': a key is not Base64"))?;
            if decoded.iter().any(Vec::is_empty) {
                return Err(format!("account '{name}': a key is empty"));
            }
            let published = entry.as_str() == DEVELOPMENT_ACCOUNT;
            let key = texts.first().filter(|_| published).map(|key| (*key).to_owned());
            shown = shown.or_else(|| Some(Shown { name: name.to_owned(), key }));
            keys.insert(account, Arc::new(AccountKeys::new(decoded)));
        }
        let private = HashSet::new();
        shown
            .map(|shown| Self { keys, private, built_in, shown })
            .ok_or_else(|| "no account is configured".to_owned())
    }

    /// With these accounts closed to whoever has no credentials.
    ///
    /// # Errors
    /// A sentence for the user, if there is no such account: a misspelled name must not leave one open.
    pub(crate) fn closed_to_anybody(mut self, names: &[String]) -> Result<Self, String> {
        for name in names.iter().filter(|name| !name.is_empty()) {
            let account = AccountName::parse(name).ok().filter(|account| self.keys.contains_key(account));
            self.private.insert(
                account.ok_or_else(|| format!("private account '{name}': there is no such account"))?,
            );
        }
        Ok(self)
    }
}

impl ConfiguredAccounts {
    /// The account's keys; none if it is not configured.
    pub(crate) fn keys(&self, account: &AccountName) -> Option<&Arc<AccountKeys>> {
        self.keys.get(account)
    }

    /// The names of all, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &AccountName> {
        self.keys.keys()
    }

    /// Whether an account can be entered with the key that everybody knows.
    pub(crate) fn any_well_known(&self) -> bool {
        let published = DEVELOPMENT_ACCOUNT.rsplit(':').next().and_then(|key| STANDARD.decode(key).ok());
        let known = |key: &[u8]| published.as_deref() == Some(key);
        self.keys.values().any(|keys| keys.iter().any(known))
    }

    /// Whether its containers may be public.
    pub(crate) fn anonymous_allowed(&self, account: &AccountName) -> bool {
        !self.private.contains(account)
    }
}

/// Azurite's own variable: entries separated by `;`.
pub(super) fn from_azurite_environment() -> Option<Vec<String>> {
    let text = std::env::var("AZURITE_ACCOUNTS").ok()?;
    Some(text.split(';').map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_name_one_or_two_keys() {
        let accounts =
            ConfiguredAccounts::parse(Some(vec!["abc:aGk=:aG8=".into(), "def:aGk=".into()])).unwrap();
        let name = |text| AccountName::parse(text).unwrap();
        assert_eq!(accounts.keys(&name("abc")).unwrap().iter().count(), 2);
        assert_eq!(accounts.keys(&name("def")).unwrap().iter().count(), 1);
        assert!(accounts.keys(&name("devstoreaccount1")).is_none());
        assert_eq!((accounts.shown.name.as_str(), accounts.shown.key), ("abc", None));
    }

    #[test]
    fn accounts_are_open_unless_they_are_closed_by_name() {
        let accounts =
            || ConfiguredAccounts::parse(Some(vec!["abc:aGk=".into(), "def:aGk=".into()])).unwrap();
        let name = |text| AccountName::parse(text).unwrap();
        let closed = accounts().closed_to_anybody(&["def".into()]).unwrap();
        assert!(closed.anonymous_allowed(&name("abc")) && !closed.anonymous_allowed(&name("def")));
        assert!(accounts().closed_to_anybody(&["dfe".into()]).unwrap_err().contains("'dfe'"));
    }

    #[test]
    fn the_published_key_is_known_wherever_it_is_used() {
        let parse = |entries| ConfiguredAccounts::parse(entries).unwrap();
        assert!(parse(None).built_in && parse(None).any_well_known());
        let own = parse(Some(vec!["abc:aGk=".into()]));
        assert!(!own.built_in && !own.any_well_known());
        let (_, key) = DEVELOPMENT_ACCOUNT.split_once(':').unwrap();
        assert!(parse(Some(vec![format!("abc:aGk=:{key}")])).any_well_known());
    }

    #[test]
    fn a_refused_entry_is_named_without_its_key() {
        for bad in ["abc", "abc:", "abc:not base64!", "abc:aGk=:aGk=:aGk=", "AB:aGk="] {
            let error = ConfiguredAccounts::parse(Some(vec![bad.into()])).unwrap_err();
            assert!(!error.contains("base64!") && !error.contains("aGk="), "{error}");
        }
    }
}
