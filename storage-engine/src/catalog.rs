//! Names that point to ids: containers, queues and tables.
//!
//! What a container, queue or table holds lives under a 64-bit id, and the catalogue says which id a name
//! means just now. So creating, deleting and creating a name again are one record each, whatever the name
//! holds: its former content keeps the former id, which nothing finds any more.
//!
//! | records | family | key | value |
//! |---|---|---|---|
//! | a name | `Catalog` | account, `00`, kind, name, `00` | version, id, what the kind keeps |
//! | a deleted name that can be restored | `Catalog` | the name's key, id | the same |
//! | remains of a deleted name | `Remains` | the same | version |
//!
//! Account, container, queue and table names are ASCII without control characters, so bytes sort as names do
//! and `00` ends them. Ids are written high byte first.
//!
//! # Names of one kind are one scope
//! All names of one kind in an account, and what was noted about deleted ones, are written in one scope
//! ([`Key::scope`]). So renaming a container takes a record from one name and puts it at another in one verb, and no
//! crash leaves it under both or under none. A scope for each name was the alternative; a rename would then have needed
//! a record of what is intended, which everybody who looks a name up would have to know of. What it costs is that verbs
//! on names of one account stand in one line. They are few: what a container, queue or table *holds* has scopes of its
//! own.
//!
//! # Deleted names
//! A container that can be restored stands right behind its name, under its former id, so that a listing that shows
//! such meets it in order and no name can be in its way. [`bury`] puts it there, [`unearth`] takes it back.
//!
//! # Remains
//! Deleting a name leaves a note that its id is to be swept ([`crate::sweep`]). The note begins with the
//! scope's bytes, as all that a verb writes must, but stands in a family of its own: sweeping then reads only
//! notes, however many names there are, and a listing never walks over them.

use crate::error::{EngineError, Result};
use crate::meta::{Family, Scope, Step, Transaction, View};
use crate::name::AccountName;
use bytes::Bytes;

pub(crate) mod content;

/// Version of both kinds of records.
const VERSION: u8 = 1;
/// Ends account and name in a key.
const END: u8 = 0;
const ID_BYTES: usize = size_of::<u64>();

/// What a name is the name of. Names of different kinds do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// A container of blobs.
    Container,
    /// A queue of messages.
    Queue,
    /// A table of entities; its name is folded before it comes here.
    Table,
}

impl Kind {
    const fn byte(self) -> u8 {
        match self {
            Self::Container => 1,
            Self::Queue => 2,
            Self::Table => 3,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Container),
            2 => Some(Self::Queue),
            3 => Some(Self::Table),
            _ => None,
        }
    }
}

/// What a name points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Under which id its content lives. Unique in the store, never used again.
    pub(crate) id: u64,
    /// What the kind keeps about it.
    pub(crate) payload: Bytes,
}

/// A deleted name whose content is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remains {
    /// The key that the name had.
    pub(crate) name: Key,
    /// What it was.
    pub(crate) kind: Kind,
    /// Under which id its content lives.
    pub(crate) id: u64,
}

/// Where the record of a name stands, or that of a deleted one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(pub(crate) Bytes);

impl Key {
    /// The scope of verbs that write the name: that of all names of its account and kind.
    pub(crate) fn scope(&self) -> Scope {
        let account_bytes = self.0.iter().position(|byte| *byte == END).unwrap_or(self.0.len());
        let end = self.0.len().min(account_bytes + 2);
        Scope(self.0.slice(..end))
    }
}

/// The key of a name.
pub(crate) fn key(account: &AccountName, kind: Kind, name: &str) -> Key {
    let mut key = beginning(account, kind, name);
    key.push(END);
    Key(key.into())
}

/// What the name points to now.
pub(crate) fn find(view: &dyn View, name: &Key) -> Result<Option<Entry>> {
    view.get(Family::Catalog, &name.0)?.map(|value| decode(&value)).transpose()
}

/// Makes the name point to `id`, with what the kind keeps about it. For a new name, `id` is
/// [`Transaction::now`] in ticks: no other verb has the same.
pub(crate) fn write(transaction: &mut dyn Transaction, name: &Key, id: u64, payload: &[u8]) {
    transaction.put(Family::Catalog, &name.0, &encode(id, payload));
}

/// Makes the name `to` point to `id`, to which `from` pointed until now. Both are of one account and kind, so this is
/// one scope.
pub(crate) fn rename(transaction: &mut dyn Transaction, (from, to): (&Key, &Key), id: u64, payload: &[u8]) {
    transaction.delete(Family::Catalog, &from.0);
    write(transaction, to, id, payload);
}

/// Deletes the name, which pointed to `id`, and notes that what is under the id awaits sweeping.
pub(crate) fn remove(transaction: &mut dyn Transaction, name: &Key, id: u64) {
    transaction.delete(Family::Catalog, &name.0);
    discard(transaction, name, id);
}

/// Deletes the name, which pointed to `id`, so that it can be restored. `payload` is what the kind keeps about it.
pub(crate) fn bury(transaction: &mut dyn Transaction, name: &Key, id: u64, payload: &[u8]) {
    transaction.delete(Family::Catalog, &name.0);
    transaction.put(Family::Catalog, &buried_key(name, id), &encode(id, payload));
}

/// A deleted name that can be restored.
pub(crate) fn buried(view: &dyn View, name: &Key, id: u64) -> Result<Option<Entry>> {
    view.get(Family::Catalog, &buried_key(name, id))?.map(|value| decode(&value)).transpose()
}

/// Takes a deleted name from among those that can be restored.
pub(crate) fn unearth(transaction: &mut dyn Transaction, name: &Key, id: u64) {
    transaction.delete(Family::Catalog, &buried_key(name, id));
}

/// Takes away what stands at one of the keys of [`names_of`], a name or a deleted one that could be restored, and
/// leaves what it held to the sweep.
pub(crate) fn take_away(transaction: &mut dyn Transaction, key: &Key) -> Result<()> {
    if let Some(entry) = find(transaction, key)? {
        transaction.delete(Family::Catalog, &key.0);
        discard(transaction, &name_at(key), entry.id);
    }
    Ok(())
}

/// The key of the name, deleted or not, that stands at a key.
fn name_at(key: &Key) -> Key {
    let buried = split_buried_key(&key.0).filter(|(name, _)| name_of(&name.0).is_some_and(is_name));
    buried.map_or_else(|| key.clone(), |(name, _)| name)
}

/// Whether it is whole: a name has no end within it.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.bytes().any(|byte| byte == END)
}

/// The key of a deleted name that can be restored.
pub(crate) fn buried_key(name: &Key, id: u64) -> Vec<u8> {
    [name.0.as_ref(), &id.to_be_bytes()].concat()
}

/// The name's key and the id of such a key.
pub(crate) fn split_buried_key(key: &[u8]) -> Option<(Key, u64)> {
    let (name, id) = key.split_last_chunk()?;
    Some((Key(Bytes::copy_from_slice(name)), u64::from_be_bytes(*id)))
}

/// The name that a key is of.
pub(crate) fn name_of(key: &[u8]) -> Option<&str> {
    let account_bytes = key.iter().position(|byte| *byte == END)?;
    let name = key.get(account_bytes + 2..)?.strip_suffix(&[END])?;
    std::str::from_utf8(name).ok()
}

/// Notes that what is under `id` awaits sweeping, for a name that has been removed or now points elsewhere.
pub(crate) fn discard(transaction: &mut dyn Transaction, name: &Key, id: u64) {
    transaction.put(Family::Remains, &remains_key(name, id), &[VERSION]);
}

/// Visits the names of `account` that begin with `prefix` and come behind `after`, in order, until `visit`
/// says `false`.
pub(crate) fn scan(
    view: &dyn View,
    account: &AccountName,
    kind: Kind,
    prefix: &str,
    after: Option<&str>,
    visit: &mut dyn FnMut(&str, Entry) -> Result<bool>,
) -> Result<()> {
    let after = after.map(|name| behind_all(&key(account, kind, name).0));
    scan_from(view, account, kind, (prefix, after), &mut |name, entry, buried| {
        if buried { Ok(true) } else { visit(name, entry) }
    })
}

/// As [`scan`], from a key on, and with deleted names that can be restored, each behind its namesake; `visit` is
/// told of each whether it is one.
pub(crate) fn scan_from(
    view: &dyn View,
    account: &AccountName,
    kind: Kind,
    (prefix, from): (&str, Option<Vec<u8>>),
    visit: &mut dyn FnMut(&str, Entry, bool) -> Result<bool>,
) -> Result<()> {
    let first = beginning(account, kind, prefix);
    let end = behind_all(&first);
    let from = from.unwrap_or_default().max(first);
    if from >= end {
        return Ok(());
    }
    let name_at = beginning(account, kind, "").len();
    view.scan(Family::Catalog, &from, Some(&end), &mut |key, value| {
        let rest = key.get(name_at..).unwrap_or_default();
        let (name, behind) = rest
            .iter()
            .position(|byte| *byte == END)
            .and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)))
            .filter(|(_, behind)| behind.is_empty() || behind.len() == ID_BYTES)
            .ok_or_else(damaged)?;
        let name = std::str::from_utf8(name).map_err(|_| damaged())?;
        Ok(if visit(name, decode(value)?, !behind.is_empty())? { Step::Next } else { Step::Stop })
    })
}

/// Names of the account, of all kinds, deleted ones that can be restored among them, at most `limit`: their keys.
pub(crate) fn names_of(view: &dyn View, account: &AccountName, limit: usize) -> Result<Vec<Key>> {
    let mut first = account.as_str().as_bytes().to_vec();
    first.push(END);
    let mut found = Vec::new();
    view.scan(Family::Catalog, &first, Some(&behind_all(&first)), &mut |key, _| {
        if found.len() >= limit {
            return Ok(Step::Stop);
        }
        found.push(Key(Bytes::copy_from_slice(key)));
        Ok(Step::Next)
    })?;
    Ok(found)
}

/// Deleted names that await sweeping, at most `limit`.
pub(crate) fn remains(view: &dyn View, limit: usize) -> Result<Vec<Remains>> {
    let mut found = Vec::new();
    view.scan(Family::Remains, &[], None, &mut |key, _| {
        if found.len() >= limit {
            return Ok(Step::Stop);
        }
        found.push(decode_remains(key).ok_or_else(damaged)?);
        Ok(Step::Next)
    })?;
    Ok(found)
}

/// Says that nothing is left under a deleted name's id. To be run in the scope of the name's key.
pub(crate) fn forget(transaction: &mut dyn Transaction, remains: &Remains) {
    transaction.delete(Family::Remains, &remains_key(&remains.name, remains.id));
}

/// How keys of names with this prefix begin.
fn beginning(account: &AccountName, kind: Kind, prefix: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(account.as_str().len() + prefix.len() + 3);
    key.extend_from_slice(account.as_str().as_bytes());
    key.push(END);
    key.push(kind.byte());
    key.extend_from_slice(prefix.as_bytes());
    key
}

/// A key behind all keys that begin with `beginning`: no key has a byte `FF`, because text is UTF-8.
fn behind_all(beginning: &[u8]) -> Vec<u8> {
    let mut key = beginning.to_vec();
    key.push(u8::MAX);
    key
}

/// The key of a note of what is left of a name, which is of another family than a deleted name's and of the same form.
fn remains_key(name: &Key, id: u64) -> Vec<u8> {
    buried_key(name, id)
}

fn encode(id: u64, payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(1 + ID_BYTES + payload.len());
    value.push(VERSION);
    value.extend_from_slice(&id.to_be_bytes());
    value.extend_from_slice(payload);
    value
}

fn decode(value: &[u8]) -> Result<Entry> {
    let id = value.strip_prefix(&[VERSION]).and_then(<[u8]>::split_first_chunk);
    let (id, payload) = id.ok_or_else(damaged)?;
    Ok(Entry { id: u64::from_be_bytes(*id), payload: Bytes::copy_from_slice(payload) })
}

fn decode_remains(key: &[u8]) -> Option<Remains> {
    let (key, id) = key.split_last_chunk()?;
    let account_bytes = key.iter().position(|byte| *byte == END)?;
    let kind = Kind::of(*key.get(account_bytes + 1)?)?;
    let text = key.get(account_bytes + 2..)?.strip_suffix(&[END])?;
    let name = Key(Bytes::copy_from_slice(key));
    (!text.contains(&END)).then_some(Remains { name, kind, id: u64::from_be_bytes(*id) })
}

fn damaged() -> EngineError {
    EngineError::corrupt("a record of the catalogue")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> AccountName {
        AccountName::parse(name).unwrap()
    }

    #[test]
    fn a_scope_is_that_of_all_names_of_a_kind_in_an_account_and_of_no_others() {
        let acc = account("acc");
        let scope = key(&acc, Kind::Container, "abc").scope();
        let same = key(&acc, Kind::Container, "x");
        assert_eq!(same.scope(), scope);
        assert_eq!(Key(buried_key(&same, 7).into()).scope(), scope);
        assert!(remains_key(&same, 7).starts_with(&scope.0));
        for other in [key(&acc, Kind::Queue, "abc"), key(&account("acc1"), Kind::Container, "abc")] {
            assert!(!other.0.starts_with(&scope.0) && !scope.0.starts_with(&other.scope().0));
        }
    }

    #[test]
    fn names_sort_by_account_and_kind_before_name() {
        let keys = [
            key(&account("acc"), Kind::Container, "zzz"),
            key(&account("acc"), Kind::Queue, "aaa"),
            key(&account("acc1"), Kind::Container, "aaa"),
            key(&account("acc1"), Kind::Container, "aaa-b"),
            key(&account("acc1"), Kind::Container, "aaa0"),
        ];
        assert!(keys.iter().map(|key| &key.0).is_sorted());
    }

    #[test]
    fn remains_come_back_as_they_were_noted_and_anything_else_does_not() {
        let name = key(&account("acc"), Kind::Table, "people");
        for id in [0, 1, u64::MAX] {
            let back = decode_remains(&remains_key(&name, id)).unwrap();
            assert_eq!(back, Remains { name: name.clone(), kind: Kind::Table, id });
        }
        for other in
            [&b""[..], b"short", b"account\0\x09name\0\0\0\0\0\0\0\0\0", b"account\0\x01name\0\0\0\0\0\0\0"]
        {
            assert_eq!(decode_remains(other), None);
        }
    }

    #[test]
    fn a_damaged_entry_is_an_error() {
        for value in [&b""[..], b"\x02\0\0\0\0\0\0\0\0", b"\x01\0\0"] {
            assert!(matches!(decode(value), Err(EngineError::Corrupt { .. })));
        }
    }
}
