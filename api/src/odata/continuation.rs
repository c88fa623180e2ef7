//! Continuation tokens: `1!8!U21pdGg-` is version, length and Base64 of `Smith`, with `-` where padding is.
//!
//! They are opaque to clients, which send each header back as the query parameter of the same name. The form is
//! the service's own, because some clients decode it all the same.

use super::invalid;
use crate::error::StorageError;
use crate::query::Query;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use storage_engine::table::EntityKey;

/// Prints a token.
pub(crate) fn print(text: &str) -> String {
    let encoded = STANDARD.encode(text).replace('=', "-");
    format!("1!{}!{encoded}", encoded.len())
}

/// Reads what [`print`] prints; none for anything else.
pub(crate) fn parse(token: &str) -> Option<String> {
    let (length, encoded) = token.strip_prefix("1!")?.split_once('!')?;
    if length.parse() != Ok(encoded.len()) {
        return None;
    }
    String::from_utf8(STANDARD.decode(encoded.replace('-', "=")).ok()?).ok()
}

/// The query parameter's text; none if it is missing or empty.
///
/// # Errors
/// `InvalidInput` if it is no token of ours.
pub(crate) fn text(query: &Query, name: &str) -> Result<Option<String>, StorageError> {
    let Some(token) = query.get(name).filter(|token| !token.is_empty()) else { return Ok(None) };
    parse(token).map(Some).ok_or_else(|| invalid(format_args!("{name} is not a continuation token.")))
}

/// The keys at which a query of entities goes on. Without a row key it goes on at the partition's beginning.
///
/// # Errors
/// As [`text`].
pub(crate) fn entity_key(query: &Query) -> Result<Option<EntityKey>, StorageError> {
    let row = text(query, "NextRowKey")?.unwrap_or_default();
    Ok(text(query, "NextPartitionKey")?.map(|partition| EntityKey { partition, row }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tokens_have_the_services_form() {
        assert_eq!(print("Smith"), "1!8!U21pdGg-");
        assert_eq!(print(""), "1!0!");
        for bad in ["", "1!", "1!8", "1!7!U21pdGg-", "2!8!U21pdGg-", "1!8!U21pd!g-", "1!-0!", "1!4!_w--"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_query_may_go_on_at_a_partitions_beginning() {
        let query = |text| entity_key(&Query::parse(text).unwrap());
        let key = EntityKey { partition: "Smith".into(), row: String::new() };
        assert_eq!(query("NextPartitionKey=1!8!U21pdGg-").unwrap(), Some(key.clone()));
        assert_eq!(query("nextpartitionkey=1!8!U21pdGg-&NextRowKey=1!0!").unwrap(), Some(key));
        assert_eq!(query("NextRowKey=1!0!").unwrap(), None);
        assert!(query("NextPartitionKey=Smith").is_err());
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text: String) {
            prop_assert_eq!(parse(&print(&text)), Some(text));
        }

        #[test]
        fn nothing_is_too_odd_to_be_refused(token in "(1!)?[0-9]{0,3}!?.{0,20}") {
            let _ = parse(&token);
        }
    }
}
