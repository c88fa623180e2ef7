//! The documents of *Get User Delegation Key*, the same in both services: what is asked for, and the key.

use super::{DelegationKeys, KeyFacts, service_letter};
use crate::auth::{Identity, failed};
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::target::ServiceKind;
use crate::version::Version;
use crate::xml::XmlWriter;
use crate::{time, xml};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;

/// How far ahead a key may expire, in seconds: seven days.
const AHEAD_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

/// What a key is asked for. Only the holder of a token can ask.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeyInfo {
    account: AccountName,
    identity: Identity,
    start: String,
    expiry: String,
    service: ServiceKind,
    version: Version,
    delegated_tenant: String,
}

/// A key and what it was issued for.
#[derive(Debug)]
pub(crate) struct Issued {
    info: KeyInfo,
    key: [u8; 32],
}

impl KeyInfo {
    /// Reads `KeyInfo`. Without `Start` the key is valid from now on.
    ///
    /// # Errors
    /// `AuthenticationFailed` without a token; what is wrong with the document or its times.
    pub(crate) fn read(head: &Head, document: &[u8]) -> Result<Self, StorageError> {
        let Some(identity) = head.caller.identity().cloned() else {
            return Err(failed("Only authentication scheme Bearer is supported."));
        };
        let root = xml::parse(document)?;
        if root.name != "KeyInfo" {
            return Err(StorageError::new(ErrorCode::InvalidXmlDocument));
        }
        let known = ["Start", "Expiry", "DelegatedUserTid"];
        if let Some(other) = root.children.iter().find(|child| !known.contains(&child.name.as_str())) {
            let error = StorageError::new(ErrorCode::UnsupportedXmlNode);
            return Err(error.with("XmlNodeName", other.name.as_str()));
        }
        let moment = |name: &'static str| match root.child(name).map(|child| child.text.trim()) {
            None | Some("") => Ok(None),
            Some(text) => time::parse_iso8601(text).map(Some).ok_or_else(|| wrong(name, text)),
        };
        let now = head.received;
        let start = moment("Start")?.unwrap_or(now);
        let Some(expiry) = moment("Expiry")? else {
            let error = StorageError::new(ErrorCode::MissingRequiredXmlNode);
            return Err(error.with("XmlNodeName", "Expiry"));
        };
        let ahead = expiry.ticks().saturating_sub(now.ticks()) / Timestamp::TICKS_PER_SECOND;
        if expiry <= start || expiry <= now || ahead > AHEAD_SECONDS_MAX {
            return Err(wrong("Expiry", &seconds(expiry)));
        }
        let delegated_tenant = root.child("DelegatedUserTid").map(|child| child.text.trim().to_owned());
        Ok(Self {
            account: head.account.clone(),
            identity,
            start: seconds(start),
            expiry: seconds(expiry),
            service: head.target.service,
            version: head.version,
            delegated_tenant: delegated_tenant.unwrap_or_default(),
        })
    }

    /// Makes the key.
    pub(crate) fn issue(self, keys: &DelegationKeys) -> Issued {
        let key = keys.derive(&KeyFacts {
            account: self.account.as_str(),
            object: &self.identity.object,
            tenant: &self.identity.tenant,
            start: &self.start,
            expiry: &self.expiry,
            service: service_letter(self.service),
            version: &self.version.to_string(),
            delegated_tenant: &self.delegated_tenant,
        });
        Issued { info: self, key }
    }
}

impl Issued {
    /// `UserDelegationKey`.
    pub(crate) fn document(&self) -> String {
        let KeyInfo { account: _, identity, start, expiry, service, version, delegated_tenant } = &self.info;
        let mut xml = XmlWriter::new();
        xml.open("UserDelegationKey");
        xml.text("SignedOid", &identity.object);
        xml.text("SignedTid", &identity.tenant);
        xml.text("SignedStart", start);
        xml.text("SignedExpiry", expiry);
        xml.text("SignedService", service_letter(*service));
        xml.text("SignedVersion", &version.to_string());
        if !delegated_tenant.is_empty() {
            xml.text("SignedDelegatedUserTid", delegated_tenant);
        }
        xml.text("Value", &STANDARD.encode(self.key));
        xml.close("UserDelegationKey");
        xml.finish()
    }
}

/// `2026-11-22T01:02:03Z`: clients repeat it in what they sign, most without fractions.
fn seconds(time: Timestamp) -> String {
    let text = time::iso8601(time);
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    format!("{whole}Z")
}

fn wrong(name: &'static str, value: &str) -> StorageError {
    StorageError::new(ErrorCode::InvalidXmlNodeValue).with("XmlNodeName", name).with("XmlNodeValue", value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Caller, Principal};
    use crate::testing;
    use storage_engine::secret::Secret;

    /// The clock of the tests' requests: 2023-11-14T22:13:20Z.
    fn read(document: &str) -> Result<KeyInfo, ErrorCode> {
        let url = "/acc?restype=service&comp=userdelegationkey";
        let mut head = testing::head(ServiceKind::Blob, "POST", url, &[("x-ms-version", "2022-11-02")]);
        let me = Identity { object: "me".into(), tenant: "us".into() };
        head.caller = Caller::new(Principal::Identity(me), None);
        KeyInfo::read(&head, document.as_bytes()).map_err(|error| error.code)
    }

    #[test]
    fn a_key_is_issued_for_what_was_asked_and_says_so() {
        let info = read(
            "<KeyInfo><Start>2023-11-15T00:00:00Z</Start><Expiry>2023-11-16T00:00:00Z</Expiry>\
             <DelegatedUserTid>them</DelegatedUserTid></KeyInfo>",
        );
        let issued = info.unwrap().issue(&DelegationKeys::new(Secret::new([1; 32])));
        let value = STANDARD.encode(issued.key);
        assert!(issued.document().ends_with(&format!(
            "<UserDelegationKey><SignedOid>me</SignedOid><SignedTid>us</SignedTid>\
             <SignedStart>2023-11-15T00:00:00Z</SignedStart><SignedExpiry>2023-11-16T00:00:00Z</SignedExpiry>\
             <SignedService>b</SignedService><SignedVersion>2022-11-02</SignedVersion>\
             <SignedDelegatedUserTid>them</SignedDelegatedUserTid>\
             <Value>{value}</Value></UserDelegationKey>"
        )));
    }

    #[test]
    fn a_key_may_begin_now_and_ends_within_seven_days() {
        let info = read("<KeyInfo><Expiry>2023-11-21T22:13:20Z</Expiry></KeyInfo>").unwrap();
        assert_eq!(
            (info.start.as_str(), info.expiry.as_str()),
            ("2023-11-14T22:13:20Z", "2023-11-21T22:13:20Z")
        );
        for (bad, code) in [
            ("<KeyInfo><Expiry>2023-11-21T22:13:21Z</Expiry></KeyInfo>", ErrorCode::InvalidXmlNodeValue),
            ("<KeyInfo><Expiry>2023-11-14T22:13:20Z</Expiry></KeyInfo>", ErrorCode::InvalidXmlNodeValue),
            (
                "<KeyInfo><Start>2023-11-17</Start><Expiry>2023-11-16</Expiry></KeyInfo>",
                ErrorCode::InvalidXmlNodeValue,
            ),
            (
                "<KeyInfo><Start>x</Start><Expiry>2023-11-16</Expiry></KeyInfo>",
                ErrorCode::InvalidXmlNodeValue,
            ),
            ("<KeyInfo><Start>2023-11-15</Start></KeyInfo>", ErrorCode::MissingRequiredXmlNode),
            ("<KeyInfo><Other>x</Other></KeyInfo>", ErrorCode::UnsupportedXmlNode),
            ("<Other/>", ErrorCode::InvalidXmlDocument),
            ("", ErrorCode::InvalidXmlDocument),
        ] {
            assert_eq!(read(bad), Err(code), "{bad}");
        }
    }

    #[test]
    fn the_owner_of_an_account_cannot_have_one() {
        let head = testing::head(ServiceKind::Blob, "POST", "/acc?restype=service", &[]);
        let document = b"<KeyInfo><Expiry>2023-11-16</Expiry></KeyInfo>";
        assert_eq!(KeyInfo::read(&head, document).unwrap_err().code, ErrorCode::AuthenticationFailed);
    }
}
