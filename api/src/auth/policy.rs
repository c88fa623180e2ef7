//! Stored access policies: what a service's signature may leave to the resource that it is for, so that it can be
//! changed or taken back without a new key. Page "Define a stored access policy".
//!
//! A signature names a policy (`si`); who holds policies is behind a trait, because they lie with containers,
//! queues and tables in the engine while signatures are checked before anything else is known of a request.

use crate::error::{Intent, StorageError};
use futures_util::future::BoxFuture;
use storage_engine::blob::BlobStore;
use storage_engine::clock::Timestamp;
use storage_engine::name::{AccountName, ContainerName, QueueName, TableName};
use storage_engine::policy;
use storage_engine::queue::{QueueAddress, QueueStore};
use storage_engine::table::{TableAddress, TableStore};
use storage_engine::{Engine, EngineError};

/// What has policies, by name as the address has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyHolder {
    /// A container.
    Container(String),
    /// A queue.
    Queue(String),
    /// A table.
    Table(String),
}

/// A policy. What it leaves open the signature must say, and what it says the signature must not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredPolicy {
    /// From when on.
    pub start: Option<Timestamp>,
    /// Until when.
    pub expiry: Option<Timestamp>,
    /// The rights, in letters.
    pub permissions: Option<String>,
}

/// Where stored access policies are found.
pub trait Policies: Send + Sync + 'static {
    /// The policy of this id; none if there is none, or no such holder.
    fn policy<'a>(
        &'a self,
        account: &'a AccountName,
        holder: &'a PolicyHolder,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredPolicy>, StorageError>>;
}

/// The policies that containers, queues and tables of an engine keep.
#[derive(Debug, Clone)]
pub struct EnginePolicies {
    blobs: BlobStore,
    queues: QueueStore,
    tables: TableStore,
}

impl EnginePolicies {
    /// The policies in this engine.
    pub fn new(engine: &Engine) -> Self {
        let (blobs, queues) = (engine.blobs().clone(), engine.queues().clone());
        Self { blobs, queues, tables: engine.tables().clone() }
    }

    /// As the engine keeps it. A name that can be no name's is no holder's.
    async fn kept(
        &self,
        account: &AccountName,
        holder: &PolicyHolder,
        id: &str,
    ) -> Result<Option<policy::StoredPolicy>, EngineError> {
        match holder {
            PolicyHolder::Container(name) => {
                let Ok(name) = ContainerName::parse(name) else { return Ok(None) };
                self.blobs.container_policy(account, &name, id).await
            }
            PolicyHolder::Queue(name) => {
                let Ok(queue) = QueueName::parse(name) else { return Ok(None) };
                self.queues.policy(&QueueAddress { account: account.clone(), queue }, id).await
            }
            PolicyHolder::Table(name) => {
                let Ok(table) = TableName::parse(name) else { return Ok(None) };
                self.tables.policy(&TableAddress { account: account.clone(), table }, id).await
            }
        }
    }
}

impl Policies for EnginePolicies {
    fn policy<'a>(
        &'a self,
        account: &'a AccountName,
        holder: &'a PolicyHolder,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredPolicy>, StorageError>> {
        Box::pin(async move {
            match self.kept(account, holder, id).await {
                Ok(kept) => Ok(kept.map(|policy::StoredPolicy { start, expiry, permissions, .. }| {
                    StoredPolicy { start, expiry, permissions }
                })),
                Err(
                    EngineError::ContainerNotFound | EngineError::QueueNotFound | EngineError::TableNotFound,
                ) => Ok(None),
                Err(error) => Err(StorageError::from_engine(error, Intent::Read)),
            }
        })
    }
}
