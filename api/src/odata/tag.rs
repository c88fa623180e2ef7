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

/// Reads the value of an `If-Match`. A tag that is not of our form is one that no entity has.
pub(crate) fn parse(text: &str) -> Expected {
    if text == "*" {
        return Expected::Existing;
    }
    version(text).map_or(Expected::Never, Expected::Version)
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
        assert_eq!(parse("\"datetime'2026-01-02T03:04:05.1234567Z'\""), Expected::Version(version));
        assert_eq!(parse("*"), Expected::Existing);
    }

    #[test]
    fn foreign_tags_are_those_of_no_version() {
        for text in ["\"0x1\"", "W/\"datetime''\"", "W/\"", "W/\"datetime'%zz'\"", "\"", "datetime'", "**"] {
            assert_eq!(parse(text), Expected::Never, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_version_comes_back(ticks in 0..=Timestamp::MAX.ticks()) {
            let version = Timestamp::from_ticks(ticks);
            prop_assert_eq!(parse(&print(version)), Expected::Version(version));
        }
    }
}
