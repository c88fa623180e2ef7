//! Operations on an account's queues as a whole. One file, one operation.

mod list_queues;

pub(super) use list_queues::ListQueues;
