//! The names a certificate speaks for, as they are configured.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A host name or an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum CertificateName {
    /// A host name in lower case. The certificate also speaks for the accounts below it (`*.blob.NAME` …).
    Dns(String),
    /// An address.
    Address(IpAddr),
}

impl CertificateName {
    /// Reads an address or a host name.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let name = text.to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() > 200 || !name.split('.').all(label) {
            return Err(format!("'{text}' is neither a host name nor an address"));
        }
        Ok(Self::Dns(name))
    }
}

impl TryFrom<String> for CertificateName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<CertificateName> for String {
    fn from(name: CertificateName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_hosts_or_addresses_and_no_patterns() {
        assert_eq!(
            CertificateName::parse("Azure.Test").unwrap(),
            CertificateName::Dns("azure.test".to_owned())
        );
        assert_eq!(CertificateName::parse("::1").unwrap().to_string(), "::1");
        for bad in ["", "*.example.org", "a b", "-a", "a..b", "a_b", &"a".repeat(64)] {
            assert!(CertificateName::parse(bad).is_err(), "{bad}");
        }
    }
}
