//! The protocol's version: a date. Any date is taken and echoed, also one to come; behaviour is chosen by
//! comparing. Page "Versioning for the Azure Storage services".

use crate::error::{ErrorCode, StorageError, secret};
use crate::head::Headers;
use crate::header;
use crate::query::Query;
use crate::time::push_date;
use std::fmt;

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u16, u8, u8);

/// `x-ms-version: 2011-08-18`: the default version of the Blob service.
pub const DEFAULT_VERSION: Version = Version(2011, 8, 18);
/// `x-ms-version: 2013-08-15`: cross-origin rules, metrics by hour and by minute, settings one by one.
pub const CORS: Version = Version(2013, 8, 15);
/// `x-ms-version: 2011-08-18`: messages of 64 KiB, hidden for seven days, from the start too; Update Message.
pub const LARGE_MESSAGES: Version = Version(2011, 8, 18);
/// `x-ms-version: 2015-02-21`: an empty body is signed as an empty length, not as `0`.
pub const EMPTY_LENGTH_SIGNED_EMPTY: Version = Version(2015, 2, 21);
/// `x-ms-version: 2015-04-05`: rights to add and to create, of blobs.
pub const ADD_AND_CREATE: Version = Version(2015, 4, 5);
/// `x-ms-version: 2016-05-31`: headers with empty values are signed; Put Message answers with a body; 256 MiB blobs.
pub const EMPTY_HEADERS_SIGNED: Version = Version(2016, 5, 31);
/// `x-ms-version: 2017-07-29`: messages may live for any time, or for ever.
pub const LONG_LIVED_MESSAGES: Version = Version(2017, 7, 29);
/// `x-ms-version: 2017-11-09`: tokens.
pub const TOKENS: Version = Version(2017, 11, 9);
/// `x-ms-version: 2017-07-29`: deleted blobs can come back.
pub const SOFT_DELETE: Version = LONG_LIVED_MESSAGES;
/// `x-ms-version: 2018-03-28`: static websites.
pub const STATIC_WEBSITE: Version = Version(2018, 3, 28);
/// `x-ms-version: 2019-07-07`: accounts say whether they have a hierarchical namespace.
pub const HIERARCHICAL_NAMESPACE: Version = Version(2019, 7, 7);
/// `x-ms-version: 2019-12-12`: challenges, 5,000 MiB blobs and 4,000 MiB blocks.
pub const LARGE_BLOCKS: Version = Version(2019, 12, 12);
/// `x-ms-version: 2020-04-08`: deleted snapshots and versions may be deleted for good.
pub const PERMANENT_DELETE: Version = Version(2020, 4, 8);
/// `x-ms-version: 2021-02-12`: names that XML cannot hold are escaped in listings.
pub const ESCAPED_NAMES: Version = Version(2021, 2, 12);
/// `x-ms-version: 2021-02-12`: copies out of the archive into another account.
pub const ARCHIVE_ACROSS_ACCOUNTS: Version = ESCAPED_NAMES;
/// `x-ms-version: 2026-06-06`: listings as tables. The vendor's clients ask for them from 2026-10-06 on, rclone from
/// this.
pub const LISTINGS_AS_TABLES: Version = Version(2026, 6, 6);
/// `x-ms-version: 2020-10-02`: ranges of pages come in parts.
pub const PAGE_RANGES_IN_PARTS: Version = Version(2020, 10, 2);
/// `x-ms-version: 2022-11-02`: blocks of 100 MiB can be appended.
pub const LARGE_APPENDS: Version = Version(2022, 11, 2);
/// What a request without the header is taken for.
pub const OLDEST: Version = Version(2009, 9, 19);
/// `x-ms-version: 2026-02-06`: sources of copies under keys of the client's.
pub const SOURCE_KEYS: Version = Version(2026, 2, 6);

impl Version {
    /// The version of this date, for constants.
    pub(crate) const fn dated(year: u16, month: u8, day: u8) -> Self {
        Self(year, month, day)
    }

    /// The version that a request is to be understood in. A shared access signature brings one along for clients
    /// that set no headers: `api-version`, or else the version that it was signed in (`sv`).
    ///
    /// # Errors
    /// `InvalidHeaderValue`, `InvalidQueryParameterValue` for what is no version.
    pub(crate) fn of_request(headers: &Headers, query: &Query) -> Result<Self, StorageError> {
        let signed = query.get("sig").is_some();
        if let Some(text) = query.get("api-version").filter(|text| signed && !text.is_empty()) {
            let reason = "The value is not a version of the service.";
            return Self::parse(text).map_err(|_| StorageError::invalid_query("api-version", text, reason));
        }
        match headers.get(header::X_MS_VERSION) {
            Some(value) => Self::parse(value.to_str().unwrap_or("?")),
            // A bad `sv` is refused with the signature.
            None => Ok(query
                .get("sv")
                .filter(|_| signed)
                .and_then(|text| Self::parse(text).ok())
                .unwrap_or(OLDEST)),
        }
    }

    /// Reads `YYYY-MM-DD`.
    ///
    /// # Errors
    /// `InvalidHeaderValue` for anything else, or a date before the first version we speak.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        let invalid = || StorageError::invalid_header(header::X_MS_VERSION, text);
        let mut parts = text.splitn(3, '-');
        let mut digits = |len: usize| {
            parts.next().filter(|part| part.len() == len && part.bytes().all(|b| b.is_ascii_digit()))
        };
        let (year, month, day) = (digits(4), digits(2), digits(2));
        let version = match (year, month, day) {
            (Some(year), Some(month), Some(day)) => Self(
                year.parse().map_err(|_| invalid())?,
                month.parse().map_err(|_| invalid())?,
                day.parse().map_err(|_| invalid())?,
            ),
            _ => return Err(invalid()),
        };
        if version < OLDEST || !(1..=12).contains(&version.1) || !(1..=31).contains(&version.2) {
            return Err(invalid());
        }
        Ok(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(10);
        push_date(&mut text, self.0.into(), self.1.into(), self.2.into());
        f.write_str(&text)
    }
}

impl StorageError {
    /// A header's value is not one that the header can have.
    pub fn invalid_header(name: &'static str, value: &str) -> Self {
        let value = if secret::is_header(name) { secret::HIDDEN } else { value };
        Self::new(ErrorCode::InvalidHeaderValue).with("HeaderName", name).with("HeaderValue", value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_says_which_version_its_request_is_in_unless_the_request_does() {
        let of = |query: &str, sent: Option<&'static str>| {
            let mut headers = http::HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(header::X_MS_VERSION, http::HeaderValue::from_static(sent));
            }
            Version::of_request(&headers.into(), &Query::parse(query).unwrap())
                .map(|version| version.to_string())
        };
        assert_eq!(of("sv=2020-02-10&sig=x", None).unwrap(), "2020-02-10");
        assert_eq!(of("sv=2020-02-10&sig=x", Some("2021-12-02")).unwrap(), "2021-12-02");
        assert_eq!(
            of("sv=2020-02-10&sig=x&api-version=2022-11-02", Some("2021-12-02")).unwrap(),
            "2022-11-02"
        );
        assert_eq!(of("sv=2020-02-10", None).unwrap(), OLDEST.to_string());
        assert_eq!(of("sv=nonsense&sig=x", None).unwrap(), OLDEST.to_string());
        let refused = of("sv=2020-02-10&sig=x&api-version=new", None).unwrap_err();
        assert_eq!(refused.code, ErrorCode::InvalidQueryParameterValue);
    }

    #[test]
    fn any_date_is_a_version_and_nothing_else_is() {
        for good in ["2009-09-19", "2021-12-02", "2031-01-01"] {
            assert_eq!(Version::parse(good).unwrap().to_string(), good);
        }
        for bad in
            ["", "2009-09-18", "latest", "2021-13-01", "2021-1-01", "2021-01-01x", "+021-01-01", "2021-00-10"]
        {
            assert!(Version::parse(bad).is_err(), "{bad}");
        }
    }
}
