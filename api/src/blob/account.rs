//! Operations on the service of an account.

mod list_containers;

pub(super) use list_containers::ListContainers;
