//! GUIDs as text: 128 bits in five groups of hexadecimal digits, without losing or setting any bit.
//!
//! The bits are those of the digits in the order in which they are written. Ids that this server makes up need
//! not look like version 4 to anybody, but they must come back as they went out; hence no bit is overwritten.

/// Prints the bits, in lower case.
pub(crate) fn print(bits: u128) -> String {
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xffff,
        bits >> 48 & 0xffff,
        bits & 0xffff_ffff_ffff
    )
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
