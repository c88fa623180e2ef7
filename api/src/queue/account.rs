//! Operations on an account's queues as a whole. One file, one operation.

mod get_user_delegation_key;
mod list_queues;

pub(super) use get_user_delegation_key::GetUserDelegationKey;
pub(super) use list_queues::ListQueues;
