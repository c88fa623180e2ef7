//! Operations on one table. One file, one operation.

mod create_table;
mod delete_table;
mod get_table;

pub(super) use create_table::CreateTable;
pub(super) use delete_table::DeleteTable;
pub(super) use get_table::GetTable;
