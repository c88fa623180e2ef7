//! Stored access policies: what a service's signature may leave to the resource that it is for, so that it can be
//! changed or taken back without a new key. Page "Define a stored access policy".
//!
//! A signature names a policy (`si`); who holds policies is behind a trait, because they lie with containers,
//! queues and tables in the engine while signatures are checked before anything else is known of a request.

use crate::error::StorageError;
use futures_util::future::BoxFuture;
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;

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

/// No policies: as long as none can be stored, every signature that names one is refused.
#[derive(Debug, Clone, Copy)]
pub struct NoPolicies;

impl Policies for NoPolicies {
    fn policy<'a>(
        &'a self,
        _: &'a AccountName,
        _: &'a PolicyHolder,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredPolicy>, StorageError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
