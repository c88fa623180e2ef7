//! The part of `OData` 3 that the Table service speaks: filters, addresses of entities, their JSON, their tags.
//!
//! Everything here is pure and judges bytes that anybody may send, so every parser is bounded: in depth, in
//! terms, in members. What is wrong is told in the error's message, because the codes alone (`InvalidInput`)
//! leave a user guessing.

pub(crate) mod address;
pub(crate) mod continuation;
pub(crate) mod filter;
pub(crate) mod json;
pub(crate) mod metadata_level;
pub(crate) mod tag;

pub(crate) use metadata_level::MetadataLevel;

use crate::error::{ErrorCode, StorageError};
use crate::head::Head;

/// Most names in a `$select`: the properties that an entity can have, its own three included.
const SELECTED_MAX: usize = 255;
/// Most entities or tables of one page.
const PAGE_MAX: usize = 1000;

/// `InvalidInput`, with what is wrong behind the service's own words.
pub(crate) fn invalid(what: impl std::fmt::Display) -> StorageError {
    let mut error = StorageError::new(ErrorCode::InvalidInput);
    error.message = Some(format!("{} {what}", ErrorCode::InvalidInput.message()));
    error
}

/// Refuses options of queries that this service does not have, or not here: an answer in another order, or of other
/// entries than were asked for, must not look like the one that was.
///
/// # Errors
/// `NotImplemented`.
pub(crate) fn refuse_options_but(known: &[&str], head: &Head) -> Result<(), StorageError> {
    let is_known = |name: &str| known.iter().any(|known| known.eq_ignore_ascii_case(name));
    match head
        .query
        .pairs()
        .find(|(name, value)| name.starts_with('$') && !value.is_empty() && !is_known(name))
    {
        Some((name, _)) => Err(StorageError::new(ErrorCode::NotImplemented).with("QueryParameterName", name)),
        None => Ok(()),
    }
}

/// `$top`: how many entries a page may have.
///
/// # Errors
/// `InvalidInput` unless it is a number from 1 to 1000.
pub(crate) fn top(head: &Head) -> Result<usize, StorageError> {
    let Some(text) = head.query.get("$top").filter(|text| !text.is_empty()) else { return Ok(PAGE_MAX) };
    let asked = text.parse().ok().filter(|top| (1..=PAGE_MAX).contains(top));
    asked.ok_or_else(|| invalid(format_args!("$top must be a number from 1 to {PAGE_MAX}.")))
}

/// `$select`: the properties to give; none for all.
///
/// # Errors
/// `InvalidInput` for more names than an entity can have.
pub(crate) fn select(head: &Head) -> Result<Option<Vec<String>>, StorageError> {
    let mut names: Vec<String> = Vec::new();
    for name in head.query.get("$select").unwrap_or_default().split(',').map(str::trim) {
        if name == "*" {
            return Ok(None);
        }
        if names.len() >= SELECTED_MAX {
            return Err(invalid("$select has too many names."));
        }
        if !name.is_empty() && !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    Ok((!names.is_empty()).then_some(names))
}

/// A number with digits, at most one point and an exponent; none for the words that Rust also takes for one,
/// and for what is too large to be one.
fn parse_double(text: &str) -> Option<f64> {
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse().ok().filter(|number: &f64| numeric && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    fn head(query: &str) -> Head {
        testing::head(ServiceKind::Table, "GET", &format!("/acc/tab()?{query}"), &[])
    }

    #[test]
    fn pages_have_up_to_a_thousand_entries() {
        for (query, expected) in [("", 1000), ("$top=", 1000), ("$top=7", 7), ("%24top=1000", 1000)] {
            assert_eq!(top(&head(query)).unwrap(), expected, "{query}");
        }
        for bad in ["$top=0", "$top=1001", "$top=-1", "$top=x"] {
            assert_eq!(top(&head(bad)).unwrap_err().code, ErrorCode::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn a_star_selects_everything_and_names_count_once() {
        assert_eq!(select(&head("")).unwrap(), None);
        assert_eq!(select(&head("$select=")).unwrap(), None);
        assert_eq!(select(&head("$select=A,*")).unwrap(), None);
        let names = select(&head("$select=B,%20A,B,")).unwrap().unwrap();
        assert_eq!(names, ["B", "A"]);
        let many: Vec<_> = (0..300).map(|n| format!("P{n}")).collect();
        assert!(select(&head(&format!("$select={}", many.join(",")))).is_err());
    }

    #[test]
    fn options_that_are_not_heeded_are_refused() {
        let known = ["$top", "$format"];
        for good in ["", "$top=5", "%24Format=json&timeout=5&top=1", "$orderby="] {
            assert!(refuse_options_but(&known, &head(good)).is_ok(), "{good}");
        }
        for bad in ["$orderby=A", "$skip=1&$top=5", "$filter=A"] {
            assert_eq!(
                refuse_options_but(&known, &head(bad)).unwrap_err().code,
                ErrorCode::NotImplemented,
                "{bad}"
            );
        }
    }

    #[test]
    fn words_are_not_numbers() {
        assert_eq!(parse_double("-1.5e3"), Some(-1500.0));
        for bad in ["", "inf", "NaN", "infinity", "1e999", "1.2.3", "0x10"] {
            assert_eq!(parse_double(bad), None, "{bad}");
        }
    }
}
