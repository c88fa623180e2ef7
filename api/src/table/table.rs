//! Operations on one table. One file, one operation.

mod create_table;
mod delete_table;
mod get_table;
mod get_table_acl;
mod set_table_acl;

pub(super) use create_table::CreateTable;
pub(super) use delete_table::DeleteTable;
pub(super) use get_table::GetTable;
pub(super) use get_table_acl::GetTableAcl;
pub(super) use set_table_acl::SetTableAcl;
