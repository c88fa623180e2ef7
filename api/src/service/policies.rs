//! The document of stored access policies, `SignedIdentifiers`. Page "Define a stored access policy".
//!
//! It is always written and read whole: what a document leaves out is gone, and a request without a document takes
//! all policies away. A policy without any value still reserves its name, and is told without an `AccessPolicy`.

use super::{invalid_document, invalid_node, missing_node, only};
use crate::error::StorageError;
use crate::head::Head;
use crate::time;
use crate::xml::{self, Element, XmlWriter};
use std::future::Future;
use storage_engine::EngineError;
use storage_engine::clock::Timestamp;
use storage_engine::policy::{POLICIES_MAX, StoredPolicy};

/// Most characters of a policy's name.
const ID_CHARACTERS_MAX: usize = 64;
/// What may be allowed in a container.
pub(crate) const CONTAINER_LETTERS: &str = "racwdxyltmeopif";
/// What may be allowed in a queue.
pub(crate) const QUEUE_LETTERS: &str = "raup";
/// What may be allowed in a table.
pub(crate) const TABLE_LETTERS: &str = "raud";

/// A service whose resources have stored access policies and nothing else in their access control list. A container's
/// has more, so the Blob service is none.
pub(crate) trait PolicyHolder: Sync + 'static {
    /// What a resource is addressed by.
    type Address: Send + Sync;
    /// What may be allowed in a resource.
    const LETTERS: &'static str;

    /// The resource of the address.
    ///
    /// # Errors
    /// What is wrong with it.
    fn address(head: &Head) -> Result<Self::Address, StorageError>;

    /// The policies of a resource.
    ///
    /// # Errors
    /// As the engine's verb.
    fn policies(
        &self,
        at: &Self::Address,
    ) -> impl Future<Output = Result<Vec<StoredPolicy>, EngineError>> + Send;

    /// Replaces them.
    ///
    /// # Errors
    /// As the engine's verb.
    fn set_policies(
        &self,
        at: &Self::Address,
        policies: Vec<StoredPolicy>,
    ) -> impl Future<Output = Result<(), EngineError>> + Send;
}

/// Reads a document; `letters` are those that permissions may have.
///
/// # Errors
/// `InvalidXmlDocument`, also for too many policies or a name twice; `InvalidXmlNodeValue`;
/// `MissingRequiredXmlNode`.
pub(crate) fn read(document: &[u8], letters: &str) -> Result<Vec<StoredPolicy>, StorageError> {
    if document.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let root = xml::parse(document)?;
    let foreign = root.children.iter().find(|child| child.name != "SignedIdentifier");
    if root.name != "SignedIdentifiers" || foreign.is_some() {
        return Err(invalid_document("the document is not one of signed identifiers".to_owned()));
    }
    if root.children.len() > POLICIES_MAX {
        return Err(invalid_document(format!("{} policies", root.children.len())));
    }
    let mut policies: Vec<StoredPolicy> = Vec::new();
    for identifier in &root.children {
        let policy = read_policy(identifier, letters)?;
        if policies.iter().any(|other| other.id == policy.id) {
            return Err(invalid_document(format!("two policies are named '{}'", policy.id)));
        }
        policies.push(policy);
    }
    Ok(policies)
}

fn read_policy(identifier: &Element, letters: &str) -> Result<StoredPolicy, StorageError> {
    only(identifier, &["Id", "AccessPolicy"])?;
    let id = identifier.child("Id").ok_or_else(|| missing_node("Id"))?;
    if id.text.is_empty() || id.text.chars().count() > ID_CHARACTERS_MAX {
        return Err(invalid_node(id, "A name has 1 to 64 characters."));
    }
    let mut policy = StoredPolicy { id: id.text.clone(), ..StoredPolicy::default() };
    let Some(access) = identifier.child("AccessPolicy") else { return Ok(policy) };
    only(access, &["Start", "Expiry", "Permission"])?;
    policy.start = moment(access, "Start")?;
    policy.expiry = moment(access, "Expiry")?;
    if let Some(permission) = access.child("Permission") {
        let text = permission.text.trim();
        if !text.chars().all(|letter| letters.contains(letter)) {
            return Err(invalid_node(permission, &format!("Permissions are letters of '{letters}'.")));
        }
        policy.permissions = (!text.is_empty()).then(|| text.to_owned());
    }
    Ok(policy)
}

fn moment(access: &Element, name: &str) -> Result<Option<Timestamp>, StorageError> {
    let Some(element) = access.child(name).filter(|element| !element.text.trim().is_empty()) else {
        return Ok(None);
    };
    let moment = time::parse_iso8601(element.text.trim());
    moment.map(Some).ok_or_else(|| invalid_node(element, "The value is not a date of ISO 8601."))
}

/// Writes the document.
pub(crate) fn write(policies: &[StoredPolicy]) -> String {
    let mut xml = XmlWriter::new();
    xml.open("SignedIdentifiers");
    for StoredPolicy { id, start, expiry, permissions } in policies {
        xml.open("SignedIdentifier");
        xml.text("Id", id);
        if start.is_some() || expiry.is_some() || permissions.is_some() {
            xml.open("AccessPolicy");
            if let Some(start) = start {
                xml.text("Start", &time::iso8601(*start));
            }
            if let Some(expiry) = expiry {
                xml.text("Expiry", &time::iso8601(*expiry));
            }
            if let Some(permissions) = permissions {
                xml.text("Permission", permissions);
            }
            xml.close("AccessPolicy");
        }
        xml.close("SignedIdentifier");
    }
    xml.close("SignedIdentifiers");
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn of(inner: &str) -> Result<Vec<StoredPolicy>, ErrorCode> {
        let document = format!("<?xml version=\"1.0\"?><SignedIdentifiers>{inner}</SignedIdentifiers>");
        read(document.as_bytes(), CONTAINER_LETTERS).map_err(|error| error.code)
    }

    fn policy(id: &str, access: &str) -> String {
        format!("<SignedIdentifier><Id>{id}</Id>{access}</SignedIdentifier>")
    }

    #[test]
    fn every_documented_form_of_a_date_is_read_and_told_with_seven_digits() {
        for date in
            ["2026-01-02", "2026-01-02T00:00Z", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00.0000000Z"]
        {
            let access =
                format!("<AccessPolicy><Start>{date}</Start><Permission>rl</Permission></AccessPolicy>");
            let written = write(&of(&policy("a", &access)).unwrap());
            let start = "<AccessPolicy><Start>2026-01-02T00:00:00.0000000Z</Start><Permission>rl</Permission></AccessPolicy>";
            assert!(written.contains(start), "{date}: {written}");
        }
    }

    #[test]
    fn a_policy_may_be_a_name_and_nothing_else() {
        for access in ["", "<AccessPolicy/>", "<AccessPolicy><Start/><Expiry/><Permission/></AccessPolicy>"] {
            let policies = of(&policy("only", access)).unwrap();
            assert!(write(&policies).ends_with(
                "<SignedIdentifiers><SignedIdentifier><Id>only</Id></SignedIdentifier></SignedIdentifiers>"
            ));
        }
        assert_eq!(read(b"", QUEUE_LETTERS).unwrap(), []);
        assert_eq!(of("").unwrap(), []);
    }

    #[test]
    fn what_breaks_a_rule_is_refused_by_name() {
        let many: String = (0..6).map(|number| policy(&number.to_string(), "")).collect();
        let long = policy(&"x".repeat(65), "");
        for (inner, code) in [
            (many.as_str(), ErrorCode::InvalidXmlDocument),
            (&(policy("a", "") + &policy("a", "")), ErrorCode::InvalidXmlDocument),
            ("<Other/>", ErrorCode::InvalidXmlDocument),
            (&policy("a", "<Other/>"), ErrorCode::InvalidXmlDocument),
            ("<SignedIdentifier/>", ErrorCode::MissingRequiredXmlNode),
            (&long, ErrorCode::InvalidXmlNodeValue),
            (&policy("", ""), ErrorCode::InvalidXmlNodeValue),
            (
                &policy("a", "<AccessPolicy><Expiry>soon</Expiry></AccessPolicy>"),
                ErrorCode::InvalidXmlNodeValue,
            ),
            (
                &policy("a", "<AccessPolicy><Permission>rz</Permission></AccessPolicy>"),
                ErrorCode::InvalidXmlNodeValue,
            ),
        ] {
            assert_eq!(of(inner).err(), Some(code), "{inner}");
        }
        assert!(of(&policy(&"é".repeat(64), "")).is_ok());
        assert!(read(b"<Other/>", TABLE_LETTERS).is_err());
    }
}
