//! Operations on an account's queues as a whole. One file, one operation.

mod get_queue_service_properties;
mod get_queue_service_stats;
mod get_user_delegation_key;
mod list_queues;
mod preflight_queue_request;
mod set_queue_service_properties;

pub(super) use get_queue_service_properties::GetQueueServiceProperties;
pub(super) use get_queue_service_stats::GetQueueServiceStats;
pub(super) use get_user_delegation_key::GetUserDelegationKey;
pub(super) use list_queues::ListQueues;
pub(super) use preflight_queue_request::PreflightQueueRequest;
pub(super) use set_queue_service_properties::SetQueueServiceProperties;
