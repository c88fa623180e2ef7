//! What the three services have in common above their resources: settings, who may use a resource by a stored
//! policy, where they are replicated to, and whose account it is.
//!
//! The vendor has a page for each service of an operation that is the same in all of them. Here it is one type over the
//! service ([`StorageService`], and two narrower traits for what not all three have), and a row for each page. An
//! operation is here only if the pages differ in nothing but a name: containers have metadata and policies too, but
//! with leases, conditions and anonymous access, so those stay with blobs. A trait that bends to take such a page in
//! would cost its reader more than the lines that it saves.

use crate::body::Body;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::target::ServiceKind;
use crate::version::{HIERARCHICAL_NAMESPACE, Version};
use crate::xml::Element;
use crate::{header, reply};
use http::Response;
use properties::Change;
use std::future::Future;
use std::sync::Arc;
use storage_engine::name::AccountName;
use storage_engine::settings::{ServiceSettings, SettingsStore};

mod get_acl;
mod get_service_properties;
mod get_service_stats;
mod get_user_delegation_key;
pub(crate) mod policies;
mod preflight_request;
pub(crate) mod properties;
mod set_acl;
mod set_service_properties;

pub(crate) use get_acl::GetAcl;
pub(crate) use get_service_properties::GetServiceProperties;
pub(crate) use get_service_stats::GetServiceStats;
pub(crate) use get_user_delegation_key::{Delegating, GetUserDelegationKey, KEY_INFO_BYTES_MAX};
pub(crate) use preflight_request::PreflightRequest;
pub(crate) use set_acl::SetAcl;
pub(crate) use set_service_properties::SetServiceProperties;

/// Most bytes of a document of settings or policies: several times what the largest valid one has.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 64 << 10;
/// What the account claims to be: one whose secondary address can be read.
const SKU: &str = "Standard_RAGRS";
const KIND: &str = "StorageV2";

/// One of the three services, as far as they are alike.
pub(crate) trait StorageService: Sync + 'static {
    /// Which one.
    const KIND: ServiceKind;

    /// The settings of all services.
    fn settings(&self) -> &SettingsStore;

    /// Makes what the account needs for settings that are about to change so.
    ///
    /// # Errors
    /// As the store's.
    fn prepare(
        &self,
        _account: &AccountName,
        _change: &Change,
    ) -> impl Future<Output = Result<(), StorageError>> + Send {
        async { Ok(()) }
    }

    /// The account's settings of this service.
    ///
    /// # Errors
    /// As the store's.
    fn settings_of(
        &self,
        account: &AccountName,
    ) -> impl Future<Output = Result<Arc<ServiceSettings>, StorageError>> + Send {
        async {
            let settings = self.settings().get(account, Self::KIND.settings()).await;
            settings.map_err(|error| StorageError::from_engine(error, Intent::Read))
        }
    }
}

/// The version of a request: its own, or the one that its service has for requests that name none. What a signature
/// in the address names counts as named. Page "Versioning for the Azure Storage services".
pub(crate) fn version(head: &Head, settings: &ServiceSettings) -> Version {
    let names_one = head.headers.contains_key(header::X_MS_VERSION)
        || ["api-version", "sv"].iter().any(|name| head.query.get(name).is_some());
    let default = settings.blob.default_version.as_deref().filter(|_| !names_one);
    default.and_then(|text| Version::parse(text).ok()).unwrap_or(head.version)
}

/// *Get Account Information*.
pub(crate) fn account_information(version: Version) -> Response<Body> {
    let mut response = reply::empty();
    reply::set(&mut response, header::X_MS_SKU_NAME, SKU);
    reply::set(&mut response, header::X_MS_ACCOUNT_KIND, KIND);
    if version >= HIERARCHICAL_NAMESPACE {
        reply::set(&mut response, header::X_MS_IS_HNS_ENABLED, "false");
    }
    response
}

/// An element's value is not one that it can have.
fn invalid_node(element: &Element, reason: &str) -> StorageError {
    StorageError::new(crate::error::ErrorCode::InvalidXmlNodeValue)
        .with("XmlNodeName", element.name.as_str())
        .with("XmlNodeValue", element.text.trim())
        .with("Reason", reason)
}

/// A required element is missing.
fn missing_node(name: &str) -> StorageError {
    StorageError::new(crate::error::ErrorCode::MissingRequiredXmlNode).with("XmlNodeName", name)
}

/// The document is not of its form; `why` is for the log.
fn invalid_document(why: String) -> StorageError {
    StorageError::new(crate::error::ErrorCode::InvalidXmlDocument).caused_by(why)
}

/// Refuses elements that the parent cannot have, and ones that it has twice.
fn only<'e>(parent: &'e Element, known: &[&str]) -> Result<(), StorageError> {
    let mut seen: Vec<&'e str> = Vec::with_capacity(parent.children.len());
    for Element { name, .. } in &parent.children {
        if !known.contains(&name.as_str()) || seen.contains(&name.as_str()) {
            return Err(invalid_document(format!("'{name}' in '{}' is not expected", parent.name)));
        }
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::value;
    use crate::testing::head;

    #[test]
    fn a_request_that_names_no_version_has_the_services() {
        let mut settings = ServiceSettings::default();
        let of = |settings: &ServiceSettings, url: &str, headers: &[(&str, &str)]| {
            version(&head(ServiceKind::Blob, "GET", url, headers), settings).to_string()
        };
        assert_eq!(of(&settings, "/acc/c/b", &[]), "2009-09-19");
        settings.blob.default_version = Some("2015-04-05".to_owned());
        assert_eq!(of(&settings, "/acc/c/b", &[]), "2015-04-05");
        assert_eq!(of(&settings, "/acc/c/b", &[("x-ms-version", "2021-12-02")]), "2021-12-02");
        assert_eq!(of(&settings, "/acc/c/b?sv=2021-12-02", &[]), "2009-09-19");
    }

    #[test]
    fn an_old_client_is_not_told_of_namespaces() {
        let old = account_information(Version::parse("2018-03-28").unwrap());
        assert_eq!(value(&old, header::X_MS_IS_HNS_ENABLED), "");
        let new = account_information(Version::parse("2019-07-07").unwrap());
        assert_eq!(value(&new, header::X_MS_IS_HNS_ENABLED), "false");
        assert_eq!(value(&new, header::X_MS_ACCOUNT_KIND), "StorageV2");
    }
}
