//! Operations on an account's tables as a whole. One file, one operation; those that the services share are in
//! [`service`](crate::service).

mod entity_group_transaction;
mod query_tables;

pub(super) use entity_group_transaction::{BATCH_BYTES_MAX, EntityGroupTransaction};
pub(super) use query_tables::QueryTables;
