//! What listings of containers and of blobs have in common: what is asked, and how a page is spelled.
//!
//! A marker is the engine's place in Base64, and means nothing to a client.

use crate::error::StorageError;
use crate::head::Head;
use crate::xml::{self, XmlWriter};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::Write as _;
use storage_engine::name::Metadata;

/// Most entries of a page.
const ENTRIES_MAX: usize = 5_000;

/// What every listing is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The service's address, as the client spells it.
    pub(super) endpoint: String,
    /// Only names that begin with this.
    pub(super) prefix: Option<String>,
    /// The marker, as it was sent.
    pub(super) marker: Option<String>,
    /// `maxresults`, as it was sent.
    pub(super) max_results: Option<String>,
    /// Most entries of the page.
    pub(super) limit: usize,
    /// Where to go on.
    pub(super) after: Option<Vec<u8>>,
}

impl Asked {
    /// Reads what is asked.
    ///
    /// # Errors
    /// `OutOfRangeQueryParameterValue`, `InvalidQueryParameterValue`.
    pub(super) fn read(head: &Head) -> Result<Self, StorageError> {
        let text = |name| head.query.get(name).map(str::to_owned);
        let marker = text("marker");
        let after = marker.as_deref().filter(|marker| !marker.is_empty()).map(decode_marker).transpose()?;
        Ok(Self {
            endpoint: head.endpoint(),
            prefix: text("prefix"),
            marker,
            max_results: text("maxresults"),
            limit: head.max_results(ENTRIES_MAX)?,
            after,
        })
    }

    /// Writes what was asked, as far as it was.
    pub(super) fn echo(&self, xml: &mut XmlWriter) {
        for (name, value) in
            [("Prefix", &self.prefix), ("Marker", &self.marker), ("MaxResults", &self.max_results)]
        {
            if let Some(value) = value {
                text(xml, name, value);
            }
        }
    }
}

/// Reads `include`: each word must be one of `known`. The answer says of each word of `known` whether it is there.
///
/// # Errors
/// `InvalidQueryParameterValue`.
pub(super) fn include<const N: usize>(head: &Head, known: [&str; N]) -> Result<[bool; N], StorageError> {
    let mut found = [false; N];
    let given = head.query.get("include").unwrap_or_default();
    for word in given.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let place = known.iter().zip(&mut found).find(|(known, _)| known.eq_ignore_ascii_case(word));
        let Some((_, found)) = place else {
            return Err(StorageError::invalid_query("include", given, "The list has an unknown word."));
        };
        *found = true;
    }
    Ok(found)
}

/// `NextMarker`, which is always there.
pub(super) fn next_marker(xml: &mut XmlWriter, next: Option<&[u8]>) {
    xml.text("NextMarker", &marker_text(next));
}

/// A marker as clients get it; empty at the end.
pub(super) fn marker_text(next: Option<&[u8]>) -> String {
    next.map(|next| URL_SAFE_NO_PAD.encode(next)).unwrap_or_default()
}

fn decode_marker(marker: &str) -> Result<Vec<u8>, StorageError> {
    URL_SAFE_NO_PAD
        .decode(marker)
        .map_err(|_| StorageError::invalid_query("marker", marker, "The marker is not one of ours."))
}

/// Writes a name. One that XML cannot hold is escaped as in addresses and marked.
pub(super) fn text(xml: &mut XmlWriter, element: &str, value: &str) {
    if xml::representable(value) {
        xml.text(element, value);
    } else {
        xml.text_with(element, &[("Encoded", "true")], &percent_encoded(value));
    }
}

/// Writes user metadata.
pub(super) fn metadata(xml: &mut XmlWriter, metadata: &Metadata) {
    if metadata.is_empty() {
        return xml.empty("Metadata");
    }
    xml.open("Metadata");
    for (name, value) in metadata {
        xml.text(name, value);
    }
    xml.close("Metadata");
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    fn head(query: &str) -> Head {
        testing::head(ServiceKind::Blob, "GET", &format!("/dev/con?{query}"), &[("host", "localhost:1")])
    }

    #[test]
    fn what_is_asked_is_read_and_echoed_only_if_it_was() {
        let asked = Asked::read(&head("prefix=a%26&maxResults=7&marker=AQ")).unwrap();
        assert_eq!((asked.limit, asked.after.as_deref()), (7, Some(&[1][..])));
        assert_eq!(asked.endpoint, "http://localhost:1/dev/");
        let mut xml = XmlWriter::new();
        asked.echo(&mut xml);
        let echoed = "<Prefix>a&amp;</Prefix><Marker>AQ</Marker><MaxResults>7</MaxResults>";
        assert!(xml.finish().ends_with(echoed));
        let nothing = Asked::read(&head("")).unwrap();
        assert_eq!((nothing.limit, nothing.after.as_deref()), (ENTRIES_MAX, None));
        assert_eq!(Asked::read(&head("maxresults=9999")).unwrap().limit, ENTRIES_MAX);
    }

    #[test]
    fn a_bad_question_is_refused() {
        for (query, code) in [
            ("maxresults=0", ErrorCode::OutOfRangeQueryParameterValue),
            ("maxresults=x", ErrorCode::InvalidQueryParameterValue),
            ("marker=!", ErrorCode::InvalidQueryParameterValue),
        ] {
            assert_eq!(Asked::read(&head(query)).unwrap_err().code, code, "{query}");
        }
    }

    #[test]
    fn include_is_a_list_of_known_words() {
        let known = ["metadata", "deleted"];
        assert_eq!(include(&head("include=deleted,"), known).unwrap(), [false, true]);
        assert_eq!(include(&head("include=Metadata,deleted"), known).unwrap(), [true, true]);
        assert!(include(&head("include=metadata,other"), known).is_err());
    }

    #[test]
    fn markers_read_back() {
        let mut xml = XmlWriter::new();
        next_marker(&mut xml, Some(&[0xFF, 0xFE, 0]));
        assert!(xml.finish().ends_with("<NextMarker>__4A</NextMarker>"));
        assert_eq!(decode_marker("__4A").unwrap(), [0xFF, 0xFE, 0]);
    }

    #[test]
    fn only_names_that_xml_cannot_hold_are_encoded() {
        let mut xml = XmlWriter::new();
        text(&mut xml, "Name", "a b/é");
        text(&mut xml, "Name", "a b/\u{FFFE}");
        let written = "<Name>a b/é</Name><Name Encoded=\"true\">a%20b/%EF%BF%BE</Name>";
        assert!(xml.finish().ends_with(written));
    }
}
