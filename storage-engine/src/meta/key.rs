//! Pieces of keys, encoded so that comparing bytes compares what they mean.
//!
//! A key is pieces put behind one another: numbers big-endian at their full width, texts and byte strings
//! with an end mark. No piece's bytes are the beginning of another piece's of the same kind, so keys sort by
//! their first piece, then by the second, and all keys of one scope are neighbours.
//!
//! # How a text is encoded
//! The services order names as .NET does, by UTF-16 code unit. UTF-8 gives that order except at one point:
//! a code point above U+FFFF is a surrogate pair (0xD800..) in UTF-16 and so sorts *below* U+E000..U+FFFF,
//! while its UTF-8 lead byte (0xF0..0xF4) is above theirs (0xEE, 0xEF). Moving those two lead bytes to 0xFE and
//! 0xFF, which UTF-8 never uses, mends it; nothing else changes, so keys stay readable in a dump.
//!
//! The end mark is one zero byte, which sorts a text before all that it begins. A zero inside would end the
//! text early, so 0 becomes 1 1, and 1 becomes 1 2: that keeps the order, and costs nothing for names without
//! control characters. UTF-16 itself as the encoding was rejected: it doubles every key and its own zero bytes
//! would need escapes in nearly all of them.

use crate::error::{EngineError, Result};

const END: u8 = 0x00;
const ESCAPE: u8 = 0x01;
const ESCAPED_ZERO: u8 = 0x01;
const ESCAPED_ONE: u8 = 0x02;

/// Makes a key of pieces.
///
/// ```
/// use storage_engine::meta::key::KeyBuilder;
/// let key = KeyBuilder::new().u64(7).text("name").finish();
/// assert_eq!(key, b"\0\0\0\0\0\0\0\x07name\0");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyBuilder(Vec<u8>);

impl KeyBuilder {
    /// An empty key.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// A key that goes on behind `prefix`, which is whole pieces already encoded.
    #[must_use]
    pub fn behind(prefix: &[u8]) -> Self {
        Self(prefix.to_vec())
    }

    /// Adds one byte, mostly a tag that tells kinds of records apart.
    #[must_use]
    pub fn u8(mut self, piece: u8) -> Self {
        self.0.push(piece);
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn u32(mut self, piece: u32) -> Self {
        self.0.extend_from_slice(&piece.to_be_bytes());
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn u64(mut self, piece: u64) -> Self {
        self.0.extend_from_slice(&piece.to_be_bytes());
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn u128(mut self, piece: u128) -> Self {
        self.0.extend_from_slice(&piece.to_be_bytes());
        self
    }

    /// Adds a text and its end mark. Texts sort by UTF-16 code unit.
    #[must_use]
    pub fn text(self, piece: &str) -> Self {
        self.text_start(piece).u8(END)
    }

    /// Adds a text without its end mark: what all keys whose text begins so have in common. Followed by other pieces
    /// only by mistake.
    #[must_use]
    pub fn text_start(mut self, piece: &str) -> Self {
        self.0.reserve(piece.len() + 1);
        for byte in piece.bytes() {
            push_escaped(&mut self.0, raised(byte));
        }
        self
    }

    /// Adds a byte string and its end mark. Byte strings sort byte by byte.
    #[must_use]
    pub fn bytes(mut self, piece: &[u8]) -> Self {
        self.0.reserve(piece.len() + 1);
        for byte in piece {
            push_escaped(&mut self.0, *byte);
        }
        self.u8(END)
    }

    /// Adds bytes as they are: whole pieces already encoded, or a last piece that needs no end.
    #[must_use]
    pub fn raw(mut self, piece: &[u8]) -> Self {
        self.0.extend_from_slice(piece);
        self
    }

    /// The key.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// The first key behind all keys that begin with `prefix`; `None` if there is none, which no prefix that
/// holds a number below its maximum or a text has.
pub fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut next: Vec<u8> = prefix.iter().take(kept + 1).copied().collect();
    if let Some(last) = next.last_mut() {
        *last += 1;
    }
    Some(next)
}

/// Takes a key's pieces off again, in the order in which they were put.
///
/// Every error is [`EngineError::Corrupt`]: a key is read only from a store that holds what a [`KeyBuilder`]
/// made.
#[derive(Debug, Clone)]
pub struct KeyReader<'a>(&'a [u8]);

impl<'a> KeyReader<'a> {
    /// A reader at the beginning of `key`.
    pub const fn new(key: &'a [u8]) -> Self {
        Self(key)
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// Takes a number.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a number.
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes a number.
    pub fn u128(&mut self) -> Result<u128> {
        self.array().map(u128::from_be_bytes)
    }

    /// Takes a text.
    pub fn text(&mut self) -> Result<String> {
        let mut bytes = self.bytes()?;
        for byte in &mut bytes {
            *byte = lowered(*byte);
        }
        String::from_utf8(bytes).map_err(|_| damaged())
    }

    /// Takes a byte string.
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        let end = self.0.iter().position(|byte| *byte == END).ok_or_else(damaged)?;
        let (piece, behind) = self.0.split_at_checked(end).ok_or_else(damaged)?;
        self.0 = behind.get(1..).unwrap_or_default();
        unescaped(piece)
    }

    /// Passes over `prefix`.
    pub fn skip(&mut self, prefix: &[u8]) -> Result<()> {
        self.0 = self.0.strip_prefix(prefix).ok_or_else(damaged)?;
        Ok(())
    }

    /// What has not been taken yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// Says that nothing should be left.
    pub fn finish(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(damaged()) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (piece, behind) = self.0.split_first_chunk::<N>().ok_or_else(damaged)?;
        self.0 = behind;
        Ok(*piece)
    }
}

fn damaged() -> EngineError {
    EngineError::corrupt("the key of a record")
}

fn push_escaped(key: &mut Vec<u8>, byte: u8) {
    match byte {
        0 => key.extend_from_slice(&[ESCAPE, ESCAPED_ZERO]),
        ESCAPE => key.extend_from_slice(&[ESCAPE, ESCAPED_ONE]),
        other => key.push(other),
    }
}

fn unescaped(piece: &[u8]) -> Result<Vec<u8>> {
    let mut plain = Vec::with_capacity(piece.len());
    let mut bytes = piece.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match (*byte, *byte == ESCAPE) {
            (_, true) => match bytes.next() {
                Some(&ESCAPED_ZERO) => 0,
                Some(&ESCAPED_ONE) => 1,
                _ => return Err(damaged()),
            },
            (other, false) => other,
        });
    }
    Ok(plain)
}

pub(crate) const fn raised(byte: u8) -> u8 {
    match byte {
        0xEE => 0xFE,
        0xEF => 0xFF,
        other => other,
    }
}

const fn lowered(byte: u8) -> u8 {
    match byte {
        0xFE => 0xEE,
        0xFF => 0xEF,
        // Never made by `raised`, so this is damage; kept out of the text, for UTF-8 would accept them.
        0xEE | 0xEF => 0xFF,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Texts whose characters are mostly those at which the orders differ or the encoding has a special case.
    fn texts() -> impl Strategy<Value = String> {
        let special = proptest::sample::select(vec![
            '\0',
            '\u{1}',
            '\u{2}',
            'a',
            'b',
            '/',
            '\u{7f}',
            '\u{80}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{efff}',
            '\u{f000}',
            '\u{ffff}',
            '\u{10000}',
            '\u{10ffff}',
        ]);
        let characters = prop_oneof![3 => special, 1 => any::<char>()];
        proptest::collection::vec(characters, 0..6).prop_map(|characters| characters.into_iter().collect())
    }

    fn text_key(text: &str) -> Vec<u8> {
        KeyBuilder::new().text(text).finish()
    }

    proptest! {
        #[test]
        fn texts_sort_by_utf16_code_unit(left in texts(), right in texts()) {
            let expected = left.encode_utf16().cmp(right.encode_utf16());
            prop_assert_eq!(text_key(&left).cmp(&text_key(&right)), expected);
        }

        #[test]
        fn what_follows_a_text_never_decides_before_it(left in texts(), right in texts(), a: u64, b: u64) {
            let key = |text: &str, number| KeyBuilder::new().text(text).u64(number).finish();
            let expected = left.encode_utf16().cmp(right.encode_utf16()).then(a.cmp(&b));
            prop_assert_eq!(key(&left, a).cmp(&key(&right, b)), expected);
        }

        #[test]
        fn pieces_come_back_as_they_were(
            byte: u8, small: u32, number: u64, large: u128, text in texts(), bytes: Vec<u8>, tail: Vec<u8>,
        ) {
            let key = KeyBuilder::new()
                .u8(byte).u32(small).u64(number).u128(large).text(&text).bytes(&bytes).raw(&tail).finish();
            let mut reader = KeyReader::new(&key);
            prop_assert_eq!(reader.u8().unwrap(), byte);
            prop_assert_eq!(reader.u32().unwrap(), small);
            prop_assert_eq!(reader.u64().unwrap(), number);
            prop_assert_eq!(reader.u128().unwrap(), large);
            prop_assert_eq!(reader.text().unwrap(), text);
            prop_assert_eq!(reader.bytes().unwrap(), bytes);
            prop_assert_eq!(reader.rest(), tail.as_slice());
        }

        #[test]
        fn byte_strings_and_numbers_sort_as_they_are(left: Vec<u8>, right: Vec<u8>, a: u128, b: u128) {
            let key = |bytes: &[u8]| KeyBuilder::new().bytes(bytes).finish();
            prop_assert_eq!(key(&left).cmp(&key(&right)), left.cmp(&right));
            let key = |number| KeyBuilder::new().u128(number).finish();
            prop_assert_eq!(key(a).cmp(&key(b)), a.cmp(&b));
        }

        #[test]
        fn a_text_prefix_is_shared_by_exactly_the_texts_that_begin_so(start in texts(), text in texts()) {
            let prefix = KeyBuilder::new().text_start(&start).finish();
            prop_assert_eq!(text_key(&text).starts_with(&prefix), text.starts_with(&start));
        }

        #[test]
        fn a_successor_is_behind_the_prefix_and_before_the_rest(prefix: Vec<u8>, key: Vec<u8>) {
            match successor(&prefix) {
                Some(next) => prop_assert_eq!(
                    key.starts_with(&prefix) || key < prefix,
                    key < next,
                ),
                None => prop_assert!(prefix.iter().all(|byte| *byte == u8::MAX)),
            }
        }

        #[test]
        fn damaged_keys_are_errors_and_never_panics(key: Vec<u8>) {
            let mut reader = KeyReader::new(&key);
            while !reader.rest().is_empty() && reader.text().is_ok() {}
            let _ = KeyReader::new(&key).u128();
            let _ = KeyReader::new(&key).bytes();
        }
    }

    #[test]
    fn lead_bytes_that_no_builder_makes_are_damage() {
        assert!(KeyReader::new("\u{e000}\0".as_bytes()).text().is_err());
        assert!(KeyReader::new(b"no end").text().is_err());
        assert!(KeyReader::new(&[ESCAPE, 3, END]).text().is_err());
    }

    #[test]
    fn skipping_takes_only_what_is_there() {
        let mut reader = KeyReader::new(b"abc");
        reader.skip(b"ab").unwrap();
        assert!(reader.skip(b"d").is_err());
        assert!(reader.clone().finish().is_err());
        reader.skip(b"c").unwrap();
        assert!(reader.finish().is_ok());
    }

    #[test]
    fn a_key_goes_on_behind_a_prefix() {
        let scope = KeyBuilder::new().u64(3).finish();
        assert!(KeyBuilder::behind(&scope).text("a").finish().starts_with(&scope));
    }
}
