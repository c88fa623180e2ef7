//! The query of an address: decoded once, kept in order.
//!
//! Names are compared without case, as the service does. `+` is a plus, for block ids and signatures are sent with raw
//! ones; only where a text of a person's stands, a name, a condition or a header, is it a blank, for clients that write
//! queries as forms (`object_store`, Go's signatures) write blanks so and escape their plus. A name that occurs twice
//! keeps both values, which signing needs; [`Query::get`] gives the first.

use crate::error::{ErrorCode, StorageError};
use std::fmt;

/// Whose values have blanks written as `+`: names and conditions, and the headers that a signature asks for.
const TEXTS: [&str; 11] = [
    "prefix",
    "startfrom",
    "endbefore",
    "where",
    "$filter",
    "$select",
    "rscc",
    "rscd",
    "rsce",
    "rscl",
    "rsct",
];

/// A decoded query. Printed without the value of `sig`, which opens doors.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self
            .pairs()
            .map(|(name, value)| (name, if name.eq_ignore_ascii_case("sig") { "..." } else { value }));
        f.debug_map().entries(pairs).finish()
    }
}

impl Query {
    /// Decodes what stands behind the `?`.
    ///
    /// # Errors
    /// `InvalidUri` if an escape is broken or its bytes are not UTF-8.
    pub fn parse(text: &str) -> Result<Self, StorageError> {
        let mut pairs = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = percent_decode(name)?;
            let is_text = TEXTS.iter().any(|text| text.eq_ignore_ascii_case(&name));
            let value =
                if is_text { percent_decode(&value.replace('+', " ")) } else { percent_decode(value) }?;
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// The first value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A name that occurs more than once. No operation takes one, and which value counts would be a guess.
    pub fn repeated(&self) -> Option<&str> {
        if self.0.len() < 2 {
            return None;
        }
        // Sorted, because each against each is too slow for a query of thousands, and a set of names costs a text for
        // each.
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_by(|one, other| lower_case(one).cmp(lower_case(other)));
        names.windows(2).find_map(|pair| match pair {
            [one, other] if one.eq_ignore_ascii_case(other) => Some(*other),
            _ => None,
        })
    }

    /// All pairs, in the order they were sent.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn lower_case(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|byte| byte.to_ascii_lowercase())
}

/// Decodes percent escapes; everything else stays as it is.
///
/// # Errors
/// `InvalidUri` if an escape is broken or the bytes are not UTF-8.
pub fn percent_decode(text: &str) -> Result<String, StorageError> {
    if !text.contains('%') {
        return Ok(text.to_owned());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = rest.split_at_checked(2).ok_or_else(|| StorageError::new(ErrorCode::InvalidUri))?;
        let high = hex(digits.0.first().copied())?;
        let low = hex(digits.0.last().copied())?;
        decoded.push(high << 4 | low);
        rest = digits.1;
    }
    String::from_utf8(decoded).map_err(|_| StorageError::new(ErrorCode::InvalidUri))
}

fn hex(digit: Option<u8>) -> Result<u8, StorageError> {
    match digit {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(StorageError::new(ErrorCode::InvalidUri)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_without_case_and_plus_stays_plus_but_in_texts() {
        let query = Query::parse("comp=list&maxResults=5&blockid=a%2Fb+c&Prefix=a+b%2Bc&restype").unwrap();
        assert_eq!(query.get("maxresults"), Some("5"));
        assert_eq!(query.get("blockid"), Some("a/b+c"));
        assert_eq!(query.get("prefix"), Some("a b+c"));
        assert_eq!(query.get("restype"), Some(""));
        let query = Query::parse("%24filter=A+eq+1&rscd=a;+b&rsct=a/b%2Bc&sig=a+b").unwrap();
        assert_eq!((query.get("$filter"), query.get("rscd")), (Some("A eq 1"), Some("a; b")));
        assert_eq!((query.get("rsct"), query.get("sig")), (Some("a/b+c"), Some("a+b")));
        assert_eq!(query.get("nothing"), None);
    }

    #[test]
    fn a_repeated_name_is_seen_whatever_its_case() {
        assert_eq!(Query::parse("a=1&b=2&A=3").unwrap().repeated(), Some("A"));
        assert_eq!(Query::parse("a=1&b=2").unwrap().repeated(), None);
    }

    #[test]
    fn a_signature_is_not_printed() {
        let printed = format!("{:?}", Query::parse("sp=r&Sig=c2VjcmV0").unwrap());
        assert!(
            printed.contains("sp") && printed.contains("Sig") && !printed.contains("c2VjcmV0"),
            "{printed}"
        );
    }

    #[test]
    fn broken_escapes_are_refused() {
        for bad in ["a=%", "a=%1", "a=%zz", "a=%ff", "%C3=1"] {
            assert!(Query::parse(bad).is_err(), "{bad}");
        }
    }
}
