//! What the three services have in common above their resources: settings, who may use a resource by a stored
//! policy, where they are replicated to, and whose account it is.
//!
//! Each operation is a file of its service, as all are; the documents and the rules are here, once.

use crate::body::Body;
use crate::error::StorageError;
use crate::head::Head;
use crate::version::{HIERARCHICAL_NAMESPACE, Version};
use crate::xml::{Element, XmlWriter};
use crate::{header, reply, time};
use http::Response;
use storage_engine::clock::Timestamp;
use storage_engine::settings::ServiceSettings;

pub(crate) mod policies;
pub(crate) mod properties;

/// Most bytes of a document of settings or policies: several times what the largest valid one has.
pub(crate) const DOCUMENT_BYTES_MAX: u64 = 64 << 10;
/// What the account claims to be: one whose secondary address can be read.
const SKU: &str = "Standard_RAGRS";
const KIND: &str = "StorageV2";

/// The version of a request: its own, or the one that its service has for requests that name none. What a signature
/// in the address names counts as named. Page "Versioning for the Azure Storage services".
pub(crate) fn version(head: &Head, settings: &ServiceSettings) -> Version {
    let names_one = head.headers.contains_key(header::X_MS_VERSION)
        || ["api-version", "sv"].iter().any(|name| head.query.get(name).is_some());
    let default = settings.blob.default_version.as_deref().filter(|_| !names_one);
    default.and_then(|text| Version::parse(text).ok()).unwrap_or(head.version)
}

/// The moment of which the secondary address has everything, which must be the one that is asked. It reads the same
/// store as the primary, so that is when the request came.
///
/// # Errors
/// `InvalidQueryParameterValue` at the primary address.
pub(crate) fn last_sync(head: &Head) -> Result<Timestamp, StorageError> {
    if head.target.secondary {
        return Ok(head.received);
    }
    let reason = "Statistics of replication are told by the secondary address.";
    Err(StorageError::invalid_query("comp", "stats", reason))
}

/// The document of *Get Blob Service Stats* and its siblings.
pub(crate) fn stats(last_sync: Timestamp) -> Response<Body> {
    let mut xml = XmlWriter::new();
    xml.open("StorageServiceStats");
    xml.open("GeoReplication");
    xml.text("Status", "live");
    xml.text("LastSyncTime", &time::rfc1123(last_sync));
    xml.close("GeoReplication");
    xml.close("StorageServiceStats");
    reply::xml(xml.finish())
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
    use crate::error::ErrorCode;
    use crate::reply::tests::{text, value};
    use crate::target::ServiceKind;
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
    fn statistics_are_those_of_the_secondary_address() {
        let at = |account: &str| head(ServiceKind::Queue, "GET", &format!("/{account}?comp=stats"), &[]);
        assert_eq!(last_sync(&at("acc")).unwrap_err().code, ErrorCode::InvalidQueryParameterValue);
        let head = at("acc-secondary");
        let document = text(stats(last_sync(&head).unwrap()));
        let end = "<StorageServiceStats><GeoReplication><Status>live</Status>\
            <LastSyncTime>Tue, 14 Nov 2023 22:13:20 GMT</LastSyncTime></GeoReplication></StorageServiceStats>";
        assert!(document.ends_with(end), "{document}");
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
