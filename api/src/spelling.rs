//! How a client spelled the names of its metadata.
//!
//! Names of headers mean the same in any case, and so do names of metadata; but the service keeps the case in which a
//! name of metadata came, in headers and in listings, and clients hand it to their users. [`http::HeaderMap`] has lower
//! case only, which is right for every other header. So the spelling travels beside the map, in the extensions of a
//! request and of an answer: whoever frames a connection puts it there and takes it out again, and what does neither
//! loses capitals and nothing else. HTTP/2 is such: it has no capitals on the wire.
//!
//! Only names that have capitals are remembered. Most requests have none, and then this costs them nothing. A map of
//! all headers as they came was left out: nobody may look at one by a spelling.

use crate::header;

/// The names of metadata that were not spelled in lower case, as whole headers: `x-ms-meta-Category`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spelling(Vec<String>);

impl Spelling {
    /// Remembers how this header is spelled, if it is one of metadata and has capitals in its own part of the name.
    pub fn note(&mut self, name: &[u8]) {
        let Some((prefix, own)) = name.split_at_checked(header::X_MS_META.len()) else { return };
        if !own.iter().any(u8::is_ascii_uppercase)
            || !prefix.eq_ignore_ascii_case(header::X_MS_META.as_bytes())
        {
            return;
        }
        if let Ok(own) = std::str::from_utf8(own) {
            self.0.push(format!("{}{own}", header::X_MS_META));
        }
    }

    /// How the header of this name, in any case, is spelled; none if it is one of lower case.
    pub fn of(&self, name: &str) -> Option<&str> {
        self.0.iter().map(String::as_str).find(|spelled| spelled.eq_ignore_ascii_case(name))
    }

    /// Whether there is nothing but lower case.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_metadata_with_capitals_are_remembered() {
        let mut spelling = Spelling::default();
        for name in ["Content-Type", "X-MS-Meta-plain", "x-ms-meta-", "x-ms-met", ""] {
            spelling.note(name.as_bytes());
        }
        assert!(spelling.is_empty());
        spelling.note(b"X-Ms-Meta-aB_c");
        spelling.note(b"x-ms-meta-\xC4B");
        assert_eq!(spelling.of("x-ms-meta-ab_C"), Some("x-ms-meta-aB_c"));
        assert_eq!(spelling.of("x-ms-meta-plain"), None);
        assert_eq!(spelling, Spelling(vec!["x-ms-meta-aB_c".to_owned()]));
    }
}
