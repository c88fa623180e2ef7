//! Operations on an account's tables as a whole. One file, one operation.

mod entity_group_transaction;
mod get_table_service_properties;
mod get_table_service_stats;
mod preflight_table_request;
mod query_tables;
mod set_table_service_properties;

pub(super) use entity_group_transaction::{BATCH_BYTES_MAX, EntityGroupTransaction};
pub(super) use get_table_service_properties::GetTableServiceProperties;
pub(super) use get_table_service_stats::GetTableServiceStats;
pub(super) use preflight_table_request::PreflightTableRequest;
pub(super) use query_tables::QueryTables;
pub(super) use set_table_service_properties::SetTableServiceProperties;
