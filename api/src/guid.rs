//! GUIDs as text: 128 bits in five groups of hexadecimal digits, without losing or setting any bit.
//!
//! The bits are those of the digits in the order in which they are written. Ids that come back must come back as they
//! went out; hence no bit is overwritten, also of ids that this server makes up. Only a request's id, which nobody
//! sends us again, is given the look of version 4 ([`version_4`]).

/// Prints the bits, in lower case.
pub(crate) fn print(bits: u128) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bits.to_be_bytes().into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let digits = [byte >> 4, byte & 0xF];
        text.extend(digits.into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
    }
    text
}

/// Random bits as a GUID of version 4, which takes six of them: the id of a request, which clients' libraries parse.
pub(crate) fn version_4(bits: u128) -> u128 {
    (bits & !(0xF << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62)
}

/// Reads what [`print`] prints, in either case; none for anything else.
pub(crate) fn parse(text: &str) -> Option<u128> {
    let mut bits = 0_u128;
    let mut groups = text.split('-');
    for digits in [8, 4, 4, 4, 12] {
        let group = groups.next().filter(|group| group.len() == digits)?;
        for digit in group.chars() {
            bits = bits << 4 | u128::from(digit.to_digit(16)?);
        }
    }
    groups.next().is_none().then_some(bits)
}

/// Reads the spellings of ids that clients' libraries know: as [`parse`], without hyphens, or in brackets.
pub(crate) fn parse_any(text: &str) -> Option<u128> {
    let inside = |open, close| text.strip_prefix(open).and_then(|text: &str| text.strip_suffix(close));
    if let Some(inner) = inside('{', '}').or_else(|| inside('(', ')')) {
        return parse(inner);
    }
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return u128::from_str_radix(text, 16).ok();
    }
    parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_bit_comes_back(bits: u128) {
            prop_assert_eq!(parse(&print(bits)), Some(bits));
            prop_assert_eq!(parse(&print(bits).to_uppercase()), Some(bits));
        }
    }

    #[test]
    fn the_look_of_version_4_is_that_of_its_two_digits() {
        assert_eq!(print(version_4(0)), "00000000-0000-4000-8000-000000000000");
        assert_eq!(print(version_4(u128::MAX)), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn ids_are_read_however_libraries_spell_them() {
        let bits = parse("c9da6455-213d-42c9-9a79-3e9149a57833");
        for same in [
            "C9DA6455-213D-42C9-9A79-3E9149A57833",
            "c9da6455213d42c99a793e9149a57833",
            "{c9da6455-213d-42c9-9a79-3e9149a57833}",
            "(c9da6455-213d-42c9-9a79-3e9149a57833)",
        ] {
            assert_eq!(parse_any(same), bits, "{same}");
        }
        for bad in ["", "{c9da6455-213d-42c9-9a79-3e9149a57833)", "+9da6455213d42c99a793e9149a57833", "{}"] {
            assert_eq!(parse_any(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_not_five_groups_of_digits_is_refused() {
        for bad in [
            "",
            "c9da6455-213d-42c9-9a79-3e9149a57833x",
            "c9da6455213d42c99a793e9149a57833",
            "c9da6455-213d-42c9-9a79-3e9149a5783g",
            "c9da6455-213d-42c9-9a79",
            "{c9da6455-213d-42c9-9a79-3e9149a57833}",
            "+9da6455-213d-42c9-9a79-3e9149a57833",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert_eq!(print(1), "00000000-0000-0000-0000-000000000001");
    }
}
