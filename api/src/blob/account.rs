//! Operations on the service of an account.

mod get_account_information;
mod get_blob_service_properties;
mod get_blob_service_stats;
mod get_user_delegation_key;
mod list_containers;
mod preflight_blob_request;
mod set_blob_service_properties;

pub(super) use get_account_information::GetAccountInformation;
pub(super) use get_blob_service_properties::GetBlobServiceProperties;
pub(super) use get_blob_service_stats::GetBlobServiceStats;
pub(super) use get_user_delegation_key::GetUserDelegationKey;
pub(super) use list_containers::ListContainers;
pub(super) use preflight_blob_request::PreflightBlobRequest;
pub(super) use set_blob_service_properties::SetBlobServiceProperties;
