//! Operations on an account's blobs as a whole. One file, one operation; those that the services share are in
//! [`service`](crate::service).

mod get_account_information;
mod list_containers;

pub(super) use get_account_information::GetAccountInformation;
pub(super) use list_containers::ListContainers;
