//! Operations on the service of an account.

mod get_user_delegation_key;
mod list_containers;

pub(super) use get_user_delegation_key::GetUserDelegationKey;
pub(super) use list_containers::ListContainers;
