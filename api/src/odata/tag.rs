//! `ETag`s of entities: the timestamp, escaped as in an address, in the weak form:
//! `W/"datetime'2026-01-02T03%3A04%3A05.1234567Z'"`.

use crate::query::percent_decode;
use crate::time;
use storage_engine::clock::Timestamp;
use storage_engine::table::Expected;

/// Prints the tag of a version.
pub(crate) fn print(version: Timestamp) -> String {
    format!("W/\"datetime'{}'\"", time::iso8601(version).replace(':', "%3A"))
}

/// Reads the value of an `If-Match`; none if it is not a tag of an entity, which the service refuses rather
/// than finding it unequal.
pub(crate) fn parse(text: &str) -> Option<Expected> {
    if text == "*" { Some(Expected::Existing) } else { version(text).map(Expected::Version) }
}

fn version(text: &str) -> Option<Timestamp> {
    let quoted = text.strip_prefix("W/").unwrap_or(text);
    let plain = quoted.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(quoted);
    let escaped = plain.strip_prefix("datetime'")?.strip_suffix('\'')?;
    time::parse_iso8601(&percent_decode(escaped).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tag_is_the_escaped_timestamp() {
        let version = time::parse_iso8601("2026-01-02T03:04:05.1234567Z").unwrap();
        assert_eq!(print(version), "W/\"datetime'2026-01-02T03%3A04%3A05.1234567Z'\"");
        assert_eq!(parse("\"datetime'2026-01-02T03:04:05.1234567Z'\""), Some(Expected::Version(version)));
        assert_eq!(parse("*"), Some(Expected::Existing));
    }

    #[test]
    fn what_no_entity_can_have_is_no_tag() {
        for text in ["\"0x1\"", "W/\"datetime''\"", "W/\"", "W/\"datetime'%zz'\"", "\"", "datetime'", "**"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_version_comes_back(ticks in 0..=Timestamp::MAX.ticks()) {
            let version = Timestamp::from_ticks(ticks);
            prop_assert_eq!(parse(&print(version)), Some(Expected::Version(version)));
        }
    }
}
