//! `ETag`s of blobs, containers and queues: the version as a hexadecimal number.

use storage_engine::blob::EtagMatch;
use storage_engine::clock::Etag;

/// As listings of blobs spell it.
pub(crate) fn plain(etag: Etag) -> String {
    format!("0x{:X}", etag.0)
}

/// As headers and listings of containers spell it.
pub(crate) fn quoted(etag: Etag) -> String {
    format!("\"0x{:X}\"", etag.0)
}

/// Reads the value of `If-Match` or `If-None-Match`: `*`, or tags with or without quotes. A tag that is not
/// of our form is one that no version has.
pub(crate) fn parse_list(text: &str) -> Vec<EtagMatch> {
    text.split(',').map(|tag| parse(tag.trim())).collect()
}

fn parse(tag: &str) -> EtagMatch {
    if tag == "*" {
        return EtagMatch::Any;
    }
    let plain = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    let digits = plain.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    digits
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .map_or(EtagMatch::Never, |version| EtagMatch::Exactly(Etag(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_read_back_with_and_without_quotes() {
        let etag = Etag(0x8D_C0FF_EE12_3456);
        for text in [plain(etag), quoted(etag)] {
            assert_eq!(parse(&text), EtagMatch::Exactly(etag));
        }
        assert_eq!(parse_list("\"0x1\", 0x2 ,*").len(), 3);
        assert_eq!(parse("W/\"0x1\""), EtagMatch::Never);
        assert_eq!(parse("\"0x+1\""), EtagMatch::Never);
    }
}
