//! What a shared access signature grants, once it holds: rights as letters, on what, within which keys.
//!
//! A grant is made by [`super::sas`] and read by [`super::permit`] and by the few operations that a grant narrows.
//! It holds no secret: neither the signature nor the key that it was made with.

use super::Identity;
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::target::Resource;
use crate::version::Version;
use std::fmt;
use storage_engine::clock::Timestamp;
use storage_engine::table::{Comparison, Entity, EntityKey, Filter, Operand, Value};

/// A set of lower-case letters: permissions (`sp`), services (`ss`) or resource types (`srt`).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Letters(u32);

impl Letters {
    /// The letters of `text`; anything else in it counts for nothing.
    pub const fn of(text: &str) -> Self {
        let mut bits = 0;
        let mut bytes = text.as_bytes();
        while let Some((byte, rest)) = bytes.split_first() {
            if byte.is_ascii_lowercase() {
                bits |= 1 << (*byte - b'a');
            }
            bytes = rest;
        }
        Self(bits)
    }

    /// The letters of `text`; none if something else is in it.
    pub fn parse(text: &str) -> Option<Self> {
        text.bytes().all(|byte| byte.is_ascii_lowercase()).then(|| Self::of(text))
    }

    /// Whether all of `wanted` are there.
    pub const fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// Whether one of `wanted` is there.
    pub const fn meets(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }

    /// Without those of `others`.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

impl fmt::Debug for Letters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = ('a'..='z').filter(|letter| self.meets(Self::of(letter.encode_utf8(&mut [0; 4]))));
        write!(f, "{}", letters.collect::<String>())
    }
}

/// What is granted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// An account: services and resource types.
    Account(Letters, Letters),
    /// A container and its blobs.
    Container(String),
    /// A blob of a container, with its snapshots and versions.
    Blob(String, String),
    /// One snapshot or version of a blob: container, blob, query parameter that says which, and its value.
    Past(String, String, &'static str, String),
    /// A directory of a container and what is below it: container and path, which has no `/` at its end.
    Directory(String, String),
    /// A queue and its messages.
    Queue(String),
    /// A table and its entities.
    Table(String),
}

impl Scope {
    /// Whether what the request is about lies in the scope. An account's covers everything: which service and
    /// which types of resources it is for is judged with the letters.
    pub fn covers(&self, head: &Head) -> bool {
        let within = |directory: &str, path: &str| {
            directory.is_empty()
                || path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match (self, &head.target.resource) {
            // What the parts of a table's batch are about is judged part by part.
            (Self::Account(..), _) | (Self::Table(_), Resource::Batch) => true,
            (Self::Container(scope), Resource::Container(name) | Resource::Blob(name, _)) => scope == name,
            (Self::Blob(container, blob), Resource::Blob(c, b)) => (container, blob) == (c, b),
            (Self::Past(container, blob, parameter, at), Resource::Blob(c, b)) => {
                (container, blob) == (c, b) && head.query.get(parameter) == Some(at)
            }
            (Self::Directory(container, path), Resource::Blob(c, b)) => container == c && within(path, b),
            (Self::Queue(scope), Resource::Queue(q) | Resource::Messages(q) | Resource::Message(q, _)) => {
                scope == q
            }
            (Self::Table(scope), Resource::Table(table) | Resource::Entity(table, _)) => {
                scope.eq_ignore_ascii_case(table)
            }
            _ => false,
        }
    }
}

/// Entities from one key to another, both included: `spk`, `srk`, `epk`, `erk`. Without a row key an end is the
/// whole partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first partition, and in it the first row.
    pub from: Option<(String, Option<String>)>,
    /// The last partition, and in it the last row.
    pub to: Option<(String, Option<String>)>,
}

impl KeyRange {
    /// The condition that exactly the entities of the range fulfil. That the filter language says it means that
    /// queries read no more than the range, and that there is one order of keys and not two.
    pub fn filter(&self) -> Option<Filter> {
        let from = self.from.as_ref().map(|end| bound(end, Comparison::Greater, Comparison::GreaterOrEqual));
        let to = self.to.as_ref().map(|end| bound(end, Comparison::Less, Comparison::LessOrEqual));
        and(from, to)
    }

    /// Whether the entity of this key is in the range.
    pub fn covers(&self, key: &EntityKey) -> bool {
        let entity = Entity { key: key.clone(), timestamp: Timestamp::from_ticks(0), properties: Vec::new() };
        self.filter().is_none_or(|filter| filter.matches(&entity))
    }
}

fn bound((partition, row): &(String, Option<String>), beyond: Comparison, from: Comparison) -> Filter {
    let compare = |name: &str, comparison, text: &str| {
        let literal = Operand::Literal(Value::String(text.to_owned()));
        Filter::Compare(Operand::Property(name.to_owned()), comparison, literal)
    };
    let Some(row) = row else { return compare("PartitionKey", from, partition) };
    let inside = Filter::And(
        Box::new(compare("PartitionKey", Comparison::Equal, partition)),
        Box::new(compare("RowKey", from, row)),
    );
    Filter::Or(Box::new(compare("PartitionKey", beyond, partition)), Box::new(inside))
}

/// Both conditions, as far as there are any.
fn and(one: Option<Filter>, other: Option<Filter>) -> Option<Filter> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Filter::And(Box::new(one), Box::new(other))),
        (one, other) => one.or(other),
    }
}

/// What a shared access signature grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The rights.
    pub letters: Letters,
    /// On what.
    pub scope: Scope,
    /// The version that it was signed in (`sv`), by which refusals are spelled.
    pub version: Version,
    /// The entities that a table's is limited to.
    pub keys: Option<KeyRange>,
    /// Headers that a read of a blob answers with instead of the blob's own: `rscc` and its like.
    pub overrides: Vec<(&'static str, String)>,
    /// Whose rights it hands on: the user of a user delegation key.
    pub delegated_by: Option<Identity>,
    /// The encryption scope that what is written must have (`ses`).
    pub encryption_scope: Option<String>,
}

impl Grant {
    /// The refusal of this code, as the version that the grant was signed in knows it.
    pub fn refusal(&self, code: ErrorCode) -> StorageError {
        use ErrorCode::{AuthorizationFailure, AuthorizationPermissionMismatch, ResourceNotFound};
        let hides = matches!(code, AuthorizationFailure | AuthorizationPermissionMismatch);
        let old = self.version < super::sas::SINCE_2015_04_05;
        StorageError::new(if hides && old { ResourceNotFound } else { code })
    }
}

/// The conditions of a query and of the range of keys that the caller is limited to.
pub(crate) fn narrowed(filter: Option<Filter>, keys: Option<&KeyRange>) -> Option<Filter> {
    and(keys.and_then(KeyRange::filter), filter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn range(from: Option<(&str, Option<&str>)>, to: Option<(&str, Option<&str>)>) -> KeyRange {
        let owned = |(partition, row): (&str, Option<&str>)| (partition.to_owned(), row.map(str::to_owned));
        KeyRange { from: from.map(owned), to: to.map(owned) }
    }

    fn covered(range: &KeyRange, keys: &[(&str, &str)]) -> Vec<bool> {
        let key = |(partition, row): &(&str, &str)| EntityKey {
            partition: (*partition).to_owned(),
            row: (*row).to_owned(),
        };
        keys.iter().map(|pair| range.covers(&key(pair))).collect()
    }

    #[test]
    fn a_range_has_both_its_ends_and_rows_count_only_at_them() {
        let keys = [("a", "9"), ("b", "1"), ("b", "2"), ("c", "0"), ("d", "4"), ("d", "5"), ("e", "0")];
        let both = range(Some(("b", Some("2"))), Some(("d", Some("4"))));
        assert_eq!(covered(&both, &keys), [false, false, true, true, true, false, false]);
        let partitions = range(Some(("b", None)), Some(("d", None)));
        assert_eq!(covered(&partitions, &keys), [false, true, true, true, true, true, false]);
        assert_eq!(covered(&range(Some(("d", None)), None), &keys)[..4], [false; 4]);
        assert_eq!(
            covered(&range(None, Some(("b", Some("1")))), &keys),
            [true, true, false, false, false, false, false]
        );
        assert_eq!(covered(&range(None, None), &keys), [true; 7]);
        assert_eq!(covered(&range(Some(("d", None)), Some(("b", None))), &keys), [false; 7]);
    }

    #[test]
    fn a_query_is_narrowed_and_never_widened() {
        let filter = Filter::Bare(Operand::Property("A".into()));
        assert_eq!(narrowed(Some(filter.clone()), None), Some(filter.clone()));
        let one = range(Some(("b", None)), None);
        assert_eq!(narrowed(None, Some(&one)), one.filter());
        let both = Filter::And(Box::new(one.filter().unwrap()), Box::new(filter.clone()));
        assert_eq!(narrowed(Some(filter), Some(&one)), Some(both));
    }

    #[test]
    fn a_scope_ends_at_its_resource() {
        let covers =
            |scope: Scope, service, url: &str| scope.covers(&testing::head(service, "GET", url, &[]));
        let (blob, queue, table) = (ServiceKind::Blob, ServiceKind::Queue, ServiceKind::Table);
        let container = || Scope::Container("con".into());
        assert!(covers(container(), blob, "/acc/con?restype=container"));
        assert!(covers(container(), blob, "/acc/con/a/b") && !covers(container(), blob, "/acc/other/a"));
        assert!(!covers(container(), blob, "/acc") && !covers(container(), blob, "/acc/con"), "of $root");
        let one = || Scope::Blob("con".into(), "a".into());
        assert!(covers(one(), blob, "/acc/con/a?snapshot=1") && !covers(one(), blob, "/acc/con/ab"));
        assert!(!covers(one(), blob, "/acc/con?restype=container"));
        let past = || Scope::Past("con".into(), "a".into(), "snapshot", "1".into());
        assert!(covers(past(), blob, "/acc/con/a?snapshot=1") && !covers(past(), blob, "/acc/con/a"));
        assert!(!covers(past(), blob, "/acc/con/a?snapshot=2"));
        let directory = |path: &str| Scope::Directory("con".into(), path.into());
        assert!(
            covers(directory("x/y"), blob, "/acc/con/x/y/z") && covers(directory(""), blob, "/acc/con/z")
        );
        assert!(!covers(directory("x/y"), blob, "/acc/con/x/yz"));
        let messages = || Scope::Queue("que".into());
        assert!(covers(messages(), queue, "/acc/que/messages/1") && !covers(messages(), queue, "/acc/other"));
        let entities = || Scope::Table("tab".into());
        assert!(covers(entities(), table, "/acc/Tab()") && covers(entities(), table, "/acc/$batch"));
        assert!(!covers(entities(), table, "/acc/other") && !covers(entities(), table, "/acc/Tables('tab')"));
    }

    #[test]
    fn letters_are_a_set() {
        let letters = Letters::parse("rwr").unwrap();
        assert!(letters.contains(Letters::of("w")) && !letters.contains(Letters::of("rd")));
        assert!(letters.meets(Letters::of("dw")) && letters.contains(Letters::of("")));
        assert_eq!(format!("{letters:?} {:?}", letters.without(Letters::of("w"))), "rw r");
        assert!(Letters::parse("rW").is_none() && Letters::parse("r w").is_none());
    }
}
