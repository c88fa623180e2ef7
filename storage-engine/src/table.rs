//! Tables and entities: the verbs of the Table service.
//!
//! A table is a name that points to an id; its entities live under the id, ordered by partition key and then
//! row key as UTF-16 code units compare, which is the order that the service gives. The scope of a verb is one
//! partition, so an entity group transaction is one verb.
//!
//! Table names are found without regard to case, and given back as they were created.

use crate::blob::Page;
use crate::catalog::content::{commit_under, find_id};
use crate::catalog::{self, Entry, Key, Kind};
use crate::clock::Timestamp;
use crate::error::{EngineError, Result};
use crate::meta::{self, MetaStore, Scope, Transaction, View, Weight};
use crate::name::{AccountName, TableName};
use crate::policy::{self, StoredPolicy};
use bytes::Bytes;
use std::sync::Arc;

mod bounds;
mod column;
mod condition;
mod entity;
mod excerpt;
pub mod filter;
mod query;
mod record;
#[cfg(test)]
mod scan_tests;
#[cfg(test)]
mod tests;
use excerpt::Excerpts;
pub use filter::{Comparison, Filter, Operand};
use record::TableRecord;

/// Most bytes of an entity (page "Understanding the Table service data model").
pub const ENTITY_BYTES_MAX: usize = 1 << 20;
/// Most properties of an entity, keys and timestamp not counted.
pub const PROPERTIES_MAX: usize = 252;
/// Tables that one page of a listing looks at, at most.
const LISTED_MAX: usize = 50_000;

/// Which table: account and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableAddress {
    /// The account.
    pub account: AccountName,
    /// The table.
    pub table: TableName,
}

/// A property's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `Edm.String`.
    String(String),
    /// `Edm.Int32`.
    Int32(i32),
    /// `Edm.Int64`.
    Int64(i64),
    /// `Edm.Double`.
    Double(f64),
    /// `Edm.Boolean`.
    Boolean(bool),
    /// `Edm.DateTime`.
    DateTime(Timestamp),
    /// `Edm.Guid`, its 16 bytes in the order in which they are written.
    Guid(u128),
    /// `Edm.Binary`.
    Binary(Bytes),
}

/// Named properties, in the order they were given.
pub type Properties = Vec<(String, Value)>;

/// Which entity of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntityKey {
    /// `PartitionKey`.
    pub partition: String,
    /// `RowKey`.
    pub row: String,
}

/// An entity.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    /// Its keys.
    pub key: EntityKey,
    /// When it was last written; also its version.
    pub timestamp: Timestamp,
    /// Its properties, without keys and timestamp.
    pub properties: Properties,
}

/// Which version of an entity a write is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any, or none: an upsert.
    Whatever,
    /// Any, but there must be one (`If-Match: *`).
    Existing,
    /// This one.
    Version(Timestamp),
}

/// A write of one entity.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// *Insert Entity*.
    Insert(Properties),
    /// *Update Entity*, *Insert Or Replace Entity*.
    Replace(Expected, Properties),
    /// *Merge Entity*, *Insert Or Merge Entity*.
    Merge(Expected, Properties),
    /// *Delete Entity*.
    Delete(Expected),
}

/// Which entities to return.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only those for which this is true.
    pub filter: Option<Filter>,
    /// Only those at or behind these keys.
    pub from: Option<EntityKey>,
    /// At most so many.
    pub limit: usize,
    /// Of each only the properties of these names; none for all. Keys and timestamp are always given.
    pub properties: Option<Vec<String>>,
}

/// A part of a query's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityPage {
    /// The entities.
    pub entities: Vec<Entity>,
    /// Where to go on; none at the end. A page may be empty and still have one.
    pub next: Option<EntityKey>,
}

/// Tables of all accounts.
#[derive(Debug, Clone)]
pub struct TableStore {
    meta: Arc<dyn MetaStore>,
    excerpts: Arc<Excerpts>,
}

impl TableStore {
    /// The tables whose records are in `meta`.
    pub fn new(meta: Arc<dyn MetaStore>) -> Self {
        Self { meta, excerpts: Arc::default() }
    }

    /// Creates a table. *Create Table*.
    ///
    /// # Errors
    /// [`EngineError::TableExists`].
    pub async fn create(&self, at: &TableAddress) -> Result<()> {
        let name = name_key(at);
        let record = TableRecord { name: at.table.as_str().to_owned(), policies: Vec::new() };
        let (scope, payload) = (name.scope(), record.encode());
        let verb = move |transaction: &mut dyn Transaction| {
            if catalog::find(transaction, &name)?.is_some() {
                return Err(EngineError::TableExists);
            }
            let id = transaction.now().ticks();
            catalog::write(transaction, &name, id, &payload);
            Ok(())
        };
        meta::commit(&*self.meta, scope, None, verb).await
    }

    /// Deletes the table and, in time, its entities. *Delete Table*.
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`].
    pub async fn delete(&self, at: &TableAddress) -> Result<()> {
        let name = name_key(at);
        let scope = name.scope();
        let verb = move |transaction: &mut dyn Transaction| {
            let entry = catalog::find(transaction, &name)?.ok_or(EngineError::TableNotFound)?;
            catalog::remove(transaction, &name, entry.id);
            Ok(())
        };
        meta::commit(&*self.meta, scope, None, verb).await
    }

    /// The table's name as it was created. *Query Tables* of one.
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`].
    pub async fn table(&self, at: &TableAddress) -> Result<TableName> {
        self.read(at, Weight::Point, |_, entry| table_name(&entry)).await
    }

    /// The table's stored access policies. *Get Table ACL*.
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`].
    pub async fn policies(&self, at: &TableAddress) -> Result<Vec<StoredPolicy>> {
        self.read(at, Weight::Point, |_, entry| Ok(TableRecord::decode(&entry.payload)?.policies)).await
    }

    /// The policy of this name, if the table has it: what a signature refers to.
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`].
    pub async fn policy(&self, at: &TableAddress, id: &str) -> Result<Option<StoredPolicy>> {
        Ok(policy::named(self.policies(at).await?, id))
    }

    /// Replaces the table's stored access policies. *Set Table ACL*.
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`].
    pub async fn set_policies(&self, at: &TableAddress, policies: Vec<StoredPolicy>) -> Result<()> {
        let name = name_key(at);
        let scope = name.scope();
        let verb = move |transaction: &mut dyn Transaction| {
            let entry = catalog::find(transaction, &name)?.ok_or(EngineError::TableNotFound)?;
            let record = TableRecord { policies: policies.clone(), ..TableRecord::decode(&entry.payload)? };
            catalog::write(transaction, &name, entry.id, &record.encode());
            Ok(())
        };
        meta::commit(&*self.meta, scope, None, verb).await
    }

    /// Tables of an account by name for which `filter` (on `TableName`) is true, behind `after`, at most
    /// `limit`. *Query Tables*.
    pub async fn list(
        &self,
        account: &AccountName,
        filter: Option<Filter>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<TableName>> {
        let account = account.clone();
        let after = after.map(|name| name.to_ascii_lowercase());
        let listing = meta::read(&*self.meta, Weight::Scan, move |view| {
            let mut page = Page { entries: Vec::new(), next: None };
            let (mut last, mut rows) = (None, 0);
            catalog::scan(view, &account, Kind::Table, "", after.as_deref(), &mut |_, entry| {
                if page.entries.len() >= limit || rows >= LISTED_MAX {
                    page.next = last.take();
                    return Ok(false);
                }
                rows += 1;
                let name = table_name(&entry)?;
                last = Some(name.as_str().as_bytes().to_vec());
                if filter.as_ref().is_none_or(|filter| filter.matches(&as_entity(&name))) {
                    page.entries.push(name);
                }
                Ok(true)
            })?;
            Ok(page)
        });
        listing.await
    }

    /// One entity. *Query Entities* by keys.
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`], [`EngineError::EntityNotFound`].
    pub async fn get(&self, at: &TableAddress, key: EntityKey) -> Result<Entity> {
        self.read(at, Weight::Point, move |view, entry| {
            entity::find(view, entry.id, &key)?.ok_or(EngineError::EntityNotFound)
        })
        .await
    }

    /// Makes one change; gives the entity's new version (that of its removal for a delete).
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`], or why the change cannot be made.
    pub async fn change(&self, at: &TableAddress, key: EntityKey, change: Change) -> Result<Timestamp> {
        let partition = key.partition.clone();
        self.run(at, &partition, move |transaction, table| entity::change(transaction, table, &key, &change))
            .await
    }

    /// Makes all changes of one partition, or none. *Performing entity group transactions*.
    ///
    /// # Errors
    /// [`crate::error::EngineError::Batch`] with the index of the change that failed.
    pub async fn batch(
        &self,
        at: &TableAddress,
        partition: String,
        changes: Vec<(String, Change)>,
    ) -> Result<Vec<Timestamp>> {
        let keyed = |(row, change)| (EntityKey { partition: partition.clone(), row }, change);
        let changes: Vec<_> = changes.into_iter().map(keyed).collect();
        self.run(at, &partition, move |transaction, table| entity::batch(transaction, table, &changes)).await
    }

    /// Entities in key order. *Query Entities*.
    ///
    /// # Errors
    /// [`EngineError::TableNotFound`].
    pub async fn query(&self, at: &TableAddress, query: Query) -> Result<EntityPage> {
        let weight = query::weight(&query);
        let excerpts = Arc::clone(&self.excerpts);
        self.read(at, weight, move |view, entry| query::select(view, &excerpts, entry.id, &query)).await
    }

    /// Runs a read on the table.
    async fn read<T, F>(&self, at: &TableAddress, weight: Weight, inquiry: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&dyn View, Entry) -> Result<T> + Send + 'static,
    {
        let name = name_key(at);
        let checked = move |view: &dyn View| {
            inquiry(view, catalog::find(view, &name)?.ok_or(EngineError::TableNotFound)?)
        };
        meta::read(&*self.meta, weight, checked).await
    }

    /// Runs a verb on one partition of the table, which it is given by its id.
    async fn run<T, F>(&self, at: &TableAddress, partition: &str, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: Fn(&mut dyn Transaction, u64) -> Result<T> + Send + Sync + 'static,
    {
        let name = name_key(at);
        let verb = Arc::new(verb);
        loop {
            let id = find_id(&*self.meta, &name, EngineError::TableNotFound).await?;
            let scope = Scope(record::partition_key(id, partition).into());
            let verb = Arc::clone(&verb);
            let on_table = move |transaction: &mut dyn Transaction, entry: Entry| verb(transaction, entry.id);
            let missing = EngineError::TableNotFound;
            if let Some(answer) = commit_under(&*self.meta, &name, id, scope, missing, on_table).await? {
                return Ok(answer);
            }
        }
    }
}

fn name_key(at: &TableAddress) -> Key {
    catalog::key(&at.account, Kind::Table, &at.table.folded())
}

fn table_name(entry: &Entry) -> Result<TableName> {
    let name = TableRecord::decode(&entry.payload)?.name;
    TableName::parse(&name).map_err(|_| EngineError::corrupt("the name of a table"))
}

/// A table as a filter of *Query Tables* sees it.
fn as_entity(name: &TableName) -> Entity {
    Entity {
        key: EntityKey { partition: String::new(), row: String::new() },
        timestamp: Timestamp::from_ticks(0),
        properties: vec![("TableName".to_owned(), Value::String(name.as_str().to_owned()))],
    }
}
