//! How much an answer tells besides the data: `Accept` or `$format`, and the content type that says so back.

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::header;

/// How much an answer tells besides the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MetadataLevel {
    /// Nothing.
    None,
    /// Where the data is from, its tags, and the types that cannot be guessed.
    Minimal,
    /// Also addresses, and the types of everything that JSON has no own type for.
    Full,
}

impl MetadataLevel {
    /// The level that the request asks for. `$format` wins over `Accept`; of several types that are accepted,
    /// the first that is ours counts. A client that says nothing gets the minimal level.
    ///
    /// # Errors
    /// `AtomFormatNotSupported` if only XML is accepted.
    pub(crate) fn negotiate(head: &Head) -> Result<Self, StorageError> {
        let format = head.query.get("$format").filter(|text| !text.is_empty());
        let accepted = match format {
            Some(format) => Some(format),
            None => head.text(header::ACCEPT)?,
        };
        let Some(accepted) = accepted else { return Ok(Self::Minimal) };
        if let Some(level) = accepted.split(',').find_map(Self::of_json) {
            return Ok(level);
        }
        if accepted.contains("xml") || format == Some("atom") {
            return Err(StorageError::new(ErrorCode::AtomFormatNotSupported));
        }
        Ok(Self::Minimal)
    }

    /// The level that one accepted type asks for; none if it is not JSON.
    fn of_json(media_type: &str) -> Option<Self> {
        let mut parts = media_type.split(';').map(str::trim);
        let kind = parts.next()?.to_ascii_lowercase();
        if !matches!(kind.as_str(), "application/json" | "application/*" | "*/*" | "json") {
            return None;
        }
        let level = parts.find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            let ours = matches!(name.trim().to_ascii_lowercase().as_str(), "odata" | "odata.metadata");
            ours.then(|| value.trim().trim_matches('"').to_ascii_lowercase())
        });
        Some(match level.as_deref() {
            Some("nometadata" | "none") => Self::None,
            Some("fullmetadata" | "full") => Self::Full,
            _ => Self::Minimal,
        })
    }

    /// The content type of an answer at this level.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::None => "application/json;odata=nometadata;streaming=true;charset=utf-8",
            Self::Minimal => "application/json;odata=minimalmetadata;streaming=true;charset=utf-8",
            Self::Full => "application/json;odata=fullmetadata;streaming=true;charset=utf-8",
        }
    }
}

/// Whether the client takes XML and no JSON: its errors are then XML as well.
pub(crate) fn takes_only_xml(headers: &http::HeaderMap) -> bool {
    let accepted =
        headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.contains("xml") && !accepted.split(',').any(|one| MetadataLevel::of_json(one).is_some())
}

/// Refuses a body that is Atom, which the service has not taken since 2015-12-11.
///
/// # Errors
/// `AtomFormatNotSupported`.
pub(crate) fn check_content_type(head: &Head) -> Result<(), StorageError> {
    let given = head.text(header::CONTENT_TYPE)?.unwrap_or_default();
    let atom = given.contains("atom+xml");
    if atom { Err(StorageError::new(ErrorCode::AtomFormatNotSupported)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing::head;

    fn negotiate(query: &str, accept: &str) -> Result<MetadataLevel, StorageError> {
        let headers = [("accept", accept)];
        let headers = if accept.is_empty() { &[][..] } else { &headers[..] };
        MetadataLevel::negotiate(&head(ServiceKind::Table, "GET", &format!("/acc/tab{query}"), headers))
    }

    #[test]
    fn the_level_is_that_of_the_format_or_of_the_first_json_type() {
        for (query, accept, level) in [
            ("", "", MetadataLevel::Minimal),
            ("", "application/json", MetadataLevel::Minimal),
            ("", "*/*", MetadataLevel::Minimal),
            ("", "text/plain", MetadataLevel::Minimal),
            ("", "application/json;odata=nometadata", MetadataLevel::None),
            ("", "Application/JSON; charset=utf-8; odata=\"FullMetadata\"", MetadataLevel::Full),
            ("", "application/atom+xml,application/json;odata=nometadata", MetadataLevel::None),
            ("?$format=application/json;odata=fullmetadata", "application/atom+xml", MetadataLevel::Full),
            ("?$format=json", "", MetadataLevel::Minimal),
        ] {
            assert_eq!(negotiate(query, accept).unwrap(), level, "{query} {accept}");
        }
    }

    #[test]
    fn atom_alone_is_refused() {
        for (query, accept) in
            [("", "application/atom+xml,application/xml"), ("?$format=atom", ""), ("", "text/xml")]
        {
            let error = negotiate(query, accept).unwrap_err();
            assert_eq!(error.code, ErrorCode::AtomFormatNotSupported, "{query} {accept}");
        }
        let atom = [("content-type", "application/atom+xml;type=entry")];
        assert!(check_content_type(&head(ServiceKind::Table, "POST", "/acc/tab", &atom)).is_err());
        assert!(check_content_type(&head(ServiceKind::Table, "POST", "/acc/tab", &[])).is_ok());
    }

    #[test]
    fn errors_are_xml_for_those_who_take_nothing_else() {
        for (accept, expected) in [
            ("application/atom+xml,application/xml", true),
            ("text/xml", true),
            ("application/atom+xml,application/json;odata=nometadata", false),
            ("application/xml, */*", false),
            ("text/plain", false),
        ] {
            let sent = head(ServiceKind::Table, "GET", "/acc/tab", &[("accept", accept)]);
            assert_eq!(takes_only_xml(&sent.headers), expected, "{accept}");
        }
        assert!(!takes_only_xml(&http::HeaderMap::new()));
    }

    #[test]
    fn the_answer_says_its_level_in_words_that_can_be_asked_for() {
        for level in [MetadataLevel::None, MetadataLevel::Minimal, MetadataLevel::Full] {
            assert_eq!(MetadataLevel::of_json(level.content_type()), Some(level));
        }
    }
}
