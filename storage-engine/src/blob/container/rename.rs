//! Renaming a container: its record goes from one name to another, and what it holds stays where it is.
//!
//! What a container holds lies under its id, so a rename writes one record and removes one, however much that is, in
//! the one scope that all container names of an account have ([`crate::catalog`]). A crash leaves the container under
//! the old name or under the new one.
//!
//! # What goes along, and what stays
//! Metadata, public access, stored policies, the default encryption scope: all that stands in the record goes along,
//! and all blobs with their snapshots, versions, leases, tags, holds (whose index knows the container by its id) and
//! what is due of them. Whatever was said about a *name* stays with the name: role assignments, signatures, lifecycle
//! rules, and deleted containers that had it, which can be restored once it is free.
//!
//! The container's own lease ends, as it does with a deletion: who held it held a name that is no more. So a container
//! that is leased is renamed only by the lease's holder, and everybody may then use it under the new name, which is
//! also what the vendor's client for .NET expects in its tests.
//!
//! # What is on its way
//! A verb on a blob looks up the name when it runs, so one that was submitted under the old name either takes effect
//! before the rename, and goes along, or is told that there is no such container. The same holds for a copy on its way:
//! [`crate::blob::write::copy`] ends it as failed.

use crate::blob::record::lease::{self, Lease, LeaseId, Leased};
use crate::blob::record::place::container_key;
use crate::blob::record::{self, ContainerRecord};
use crate::blob::state::tag_index;
use crate::blob::{BlobStore, Stamp};
use crate::catalog;
use crate::error::{EngineError, Result};
use crate::meta;
use crate::name::{AccountName, ContainerName};

impl BlobStore {
    /// Gives the container `source` the name `name`, with a new `ETag`. *Rename Container*.
    ///
    /// # Errors
    /// [`EngineError::ContainerNotFound`] without a source; [`EngineError::ContainerExists`] if the new name is taken,
    /// be it by the source itself; [`EngineError::Lease`] if the source is leased and `lease` is not its id, or is
    /// given and there is no lease.
    pub async fn rename_container(
        &self,
        account: &AccountName,
        source: &ContainerName,
        name: &ContainerName,
        lease: Option<LeaseId>,
    ) -> Result<Stamp> {
        let (from, to) = (container_key(account, source), container_key(account, name));
        meta::commit(self.meta.as_ref(), to.scope(), None, move |transaction| {
            let (id, former) = ContainerRecord::find(transaction, &from)?;
            if catalog::find(transaction, &to)?.is_some() {
                return Err(EngineError::ContainerExists);
            }
            lease::check_write(former.lease, lease, transaction.clock(), Leased::Container)?;
            let stamp = record::stamp(transaction);
            let record = ContainerRecord { stamp, lease: Lease::None, ..former };
            catalog::rename(transaction, (&from, &to), id, &record.encode());
            tag_index::strike_name(transaction, &from, id);
            tag_index::enter_name(transaction, &to, id);
            Ok(stamp)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
