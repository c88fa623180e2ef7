//! What nobody asked for: blobs, copies and volumes whose time is over, and what a deleted container leaves behind.
//!
//! It stands above all verbs and nothing of this service calls it: the [`keeper`](crate::keeper) and the
//! [`sweep`](crate::sweep) do. Whatever it has not done yet is not shown to anybody either, for verbs and reads judge
//! by the clock and by the container's id.

pub(super) mod retention;
pub(super) mod sweep;
