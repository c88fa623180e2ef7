//! Index tags as requests spell them: the header `x-ms-tags`, and what every spelling must keep to. Pages "Set Blob
//! Tags" and "Put Blob".
//!
//! The limits are judged here and not by the engine, which keeps what it is given. A plus in the header is a blank,
//! as in a form; clients that mean a plus escape it.

pub(crate) mod expression;

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::{header, query};
use storage_engine::blob::Tags;

/// Most tags of a blob.
const TAGS_MAX: usize = 10;
/// Most characters of a name.
const KEY_CHARACTERS_MAX: usize = 128;
/// Most characters of a value.
const VALUE_CHARACTERS_MAX: usize = 256;

/// The tags of `x-ms-tags`; none if it is missing.
///
/// # Errors
/// `InvalidHeaderValue` if it is no list of pairs, or as [`checked`].
pub(crate) fn of_header(head: &Head) -> Result<Tags, StorageError> {
    let Some(text) = head.text(header::X_MS_TAGS)? else { return Ok(Tags::default()) };
    let invalid = || StorageError::invalid_header(header::X_MS_TAGS, text);
    let part = |part: &str| query::percent_decode(&part.replace('+', " ")).map_err(|_| invalid());
    let mut pairs = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(invalid)?;
        pairs.push((part(key)?, part(value)?));
    }
    checked(pairs)
}

/// These pairs as tags.
///
/// # Errors
/// `TagsTooLarge` for too many, or too long a name or value; `EmptyTagName`; `InvalidTag` for a character that tags
/// may not have; `DuplicateTagNames`.
pub(crate) fn checked(pairs: Vec<(String, String)>) -> Result<Tags, StorageError> {
    let refused = |code| Err(StorageError::new(code));
    if pairs.len() > TAGS_MAX {
        return refused(ErrorCode::TagsTooLarge);
    }
    for (key, value) in &pairs {
        if key.is_empty() {
            return refused(ErrorCode::EmptyTagName);
        }
        if key.chars().count() > KEY_CHARACTERS_MAX || value.chars().count() > VALUE_CHARACTERS_MAX {
            return refused(ErrorCode::TagsTooLarge);
        }
        if !key.chars().chain(value.chars()).all(is_permitted) {
            return refused(ErrorCode::InvalidTag);
        }
    }
    Tags::new(pairs).ok_or_else(|| StorageError::new(ErrorCode::DuplicateTagNames))
}

/// Whether names and values of tags may have the character.
pub(crate) fn is_permitted(character: char) -> bool {
    character.is_ascii_alphanumeric() || " +-./:=_".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn read(text: &str) -> Result<Vec<(String, String)>, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b", &[("x-ms-tags", text)]);
        let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        of_header(&head).map(|tags| tags.iter().map(owned).collect()).map_err(|error| error.code)
    }

    #[test]
    fn tags_are_pairs_of_a_form() {
        let expected =
            [("a b", "1+2"), ("c", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        assert_eq!(read("c=&a+b=1%2B2"), Ok(expected));
        assert_eq!(read(""), Ok(Vec::new()));
        assert_eq!(read("a"), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(read("a=%"), Err(ErrorCode::InvalidHeaderValue));
    }

    #[test]
    fn what_tags_must_keep_to_is_judged() {
        let many: Vec<String> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert_eq!(read(&many.join("&")), Err(ErrorCode::TagsTooLarge));
        assert_eq!(read(&many.get(..10).unwrap().join("&")).map(|tags| tags.len()), Ok(10));
        assert_eq!(read(&format!("{}=v", "k".repeat(129))), Err(ErrorCode::TagsTooLarge));
        assert_eq!(read(&format!("k={}", "v".repeat(257))), Err(ErrorCode::TagsTooLarge));
        assert_eq!(read("=v"), Err(ErrorCode::EmptyTagName));
        assert_eq!(read("k=%2A"), Err(ErrorCode::InvalidTag));
        assert_eq!(read("k=%C3%A9"), Err(ErrorCode::InvalidTag));
        assert_eq!(read("k=1&k=2"), Err(ErrorCode::DuplicateTagNames));
    }
}
