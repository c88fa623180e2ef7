//! Operations on one queue. One file, one operation.

mod create_queue;
mod delete_queue;
mod get_queue_metadata;
mod set_queue_metadata;

pub(super) use create_queue::CreateQueue;
pub(super) use delete_queue::DeleteQueue;
pub(super) use get_queue_metadata::GetQueueMetadata;
pub(super) use set_queue_metadata::SetQueueMetadata;
