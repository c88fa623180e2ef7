//! The fields that all shared access signatures have, read once.
//!
//! Texts are kept as they were sent, decoded, because that is what was signed; their meanings are read beside them.
//! What cannot be read is refused: a restriction that is misspelled must not count as none.

use super::SINCE_2012_02_12;
use crate::auth::failed;
use crate::auth::grant::Letters;
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::time::parse_iso8601;
use crate::version::{OLDEST, Version};
use std::net::{IpAddr, Ipv4Addr};
use storage_engine::clock::Timestamp;

/// The fields of a signature.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    head: &'a Head,
    /// `sv`. A signature without it is of the oldest form.
    pub(super) version: Version,
    /// `sp`
    pub(super) letters: Option<Letters>,
    /// `st`
    pub(super) start: Option<Timestamp>,
    /// `se`
    pub(super) expiry: Option<Timestamp>,
}

impl<'a> Fields<'a> {
    /// Reads the fields of a request's query.
    ///
    /// # Errors
    /// `AuthenticationFailed` for one that cannot be read.
    pub(super) fn of(head: &'a Head) -> Result<Self, StorageError> {
        let given = |name| head.query.get(name).filter(|text| !text.is_empty());
        let malformed = |name, text| failed(format!("{name} cannot be read: '{text}'."));
        let time = |name| {
            let read = |text| moment(text).ok_or_else(|| malformed(name, text));
            given(name).map(read).transpose()
        };
        let version = match given("sv") {
            None => OLDEST,
            Some(text) => Version::parse(text)
                .ok()
                .filter(|version| *version >= SINCE_2012_02_12)
                .ok_or_else(|| malformed("sv", text))?,
        };
        let letters = |text| Letters::parse(text).ok_or_else(|| malformed("sp", text));
        let letters = given("sp").map(letters).transpose()?;
        Ok(Self { head, version, letters, start: time("st")?, expiry: time("se")? })
    }

    /// The field as it was sent, decoded; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &'a str {
        self.head.query.get(name).unwrap_or_default()
    }

    /// The field, unless it is missing or empty.
    pub(super) fn some(&self, name: &str) -> Option<&'a str> {
        self.head.query.get(name).filter(|text| !text.is_empty())
    }

    /// The field's letters.
    ///
    /// # Errors
    /// `AuthenticationFailed` if there are others than `known`, or none.
    pub(super) fn known_letters(&self, name: &str, known: &str) -> Result<Letters, StorageError> {
        let text = self.text(name);
        let good = |letters: &Letters| !text.is_empty() && Letters::of(known).contains(*letters);
        Letters::parse(text).filter(good).ok_or_else(|| failed(format!("{name} cannot be read: '{text}'.")))
    }

    /// Refuses a request that came another way than the signature allows: from elsewhere (`sip`), or in the clear
    /// (`spr`).
    ///
    /// # Errors
    /// `AuthorizationSourceIPMismatch`, `AuthorizationProtocolMismatch`; `AuthenticationFailed` if one of the
    /// fields cannot be read.
    pub(super) fn check_arrival(&self) -> Result<(), StorageError> {
        match self.text("spr") {
            "" | "https,http" => {}
            "https" if self.head.arrival.secure => {}
            "https" => return Err(StorageError::new(ErrorCode::AuthorizationProtocolMismatch)),
            other => return Err(failed(format!("spr cannot be read: '{other}'."))),
        }
        let Some(text) = self.some("sip") else { return Ok(()) };
        let range = addresses(text).ok_or_else(|| failed(format!("sip cannot be read: '{text}'.")))?;
        let peer = self.head.arrival.peer.map(|peer| peer.ip().to_canonical());
        match peer {
            Some(IpAddr::V4(peer)) if range.0 <= peer && peer <= range.1 => Ok(()),
            peer => {
                let source = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.to_string());
                Err(StorageError::new(ErrorCode::AuthorizationSourceIPMismatch).with("SourceIP", source))
            }
        }
    }
}

/// The moments that signatures are spelled in: a date, or one with a time in UTC.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    parse_iso8601(text).filter(|_| text.len() == 10 || text.ends_with('Z'))
}

/// One address, or the first and the last of several.
fn addresses(text: &str) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (Ipv4Addr, Ipv4Addr) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn head(query: &str, peer: &str, secure: bool) -> Head {
        let mut head = testing::head(ServiceKind::Blob, "GET", &format!("/acc/con/b?{query}"), &[]);
        head.arrival.peer = peer.parse().ok();
        head.arrival.secure = secure;
        head
    }

    fn arrival(query: &str, peer: &str, secure: bool) -> Option<ErrorCode> {
        let head = head(query, peer, secure);
        Fields::of(&head).unwrap().check_arrival().err().map(|error| error.code)
    }

    #[test]
    fn addresses_are_one_or_a_range_with_both_ends() {
        let mismatch = Some(ErrorCode::AuthorizationSourceIPMismatch);
        assert_eq!(arrival("sip=10.0.0.5", "10.0.0.5:9", false), None);
        assert_eq!(arrival("sip=10.0.0.5", "10.0.0.6:9", false), mismatch);
        for (peer, found) in [
            ("10.0.0.4:1", mismatch),
            ("10.0.0.5:1", None),
            ("10.0.1.0:1", None),
            ("10.0.1.1:1", mismatch),
            ("[::ffff:10.0.0.9]:1", None),
            ("[::1]:1", mismatch),
            ("", mismatch),
        ] {
            assert_eq!(arrival("sip=10.0.0.5-10.0.1.0", peer, false), found, "{peer}");
        }
        for bad in ["10.0.0", "10.0.0.5-", "10.0.0.5-10.0.0.4", "::1", "10.0.0.0/8"] {
            let code = arrival(&format!("sip={bad}"), "10.0.0.5:9", false);
            assert_eq!(code, Some(ErrorCode::AuthenticationFailed), "{bad}");
        }
    }

    #[test]
    fn only_https_means_no_http() {
        assert_eq!(arrival("spr=https", "", true), None);
        assert_eq!(arrival("spr=https", "", false), Some(ErrorCode::AuthorizationProtocolMismatch));
        assert_eq!(arrival("spr=https,http", "", false), None);
        assert_eq!(arrival("", "", false), None);
        for bad in ["http", "http,https", "HTTPS", "ftp"] {
            assert_eq!(
                arrival(&format!("spr={bad}"), "", true),
                Some(ErrorCode::AuthenticationFailed),
                "{bad}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let code = |query: &str| Fields::of(&head(query, "", false)).err().map(|error| error.code);
        for good in
            ["", "sv=2012-02-12", "st=2026-01-01&se=2026-01-01T10:00Z", "se=2026-01-01T10:00:00.1234567Z"]
        {
            assert_eq!(code(good), None, "{good}");
        }
        for bad in [
            "sv=2012-02-11",
            "sv=new",
            "st=now",
            "se=2026-01-01T10:00:00",
            "se=2026-01-01T10:00%2B01:00",
            "sp=R",
        ] {
            assert_eq!(code(bad), Some(ErrorCode::AuthenticationFailed), "{bad}");
        }
    }
}
