//! Values of records: fields behind one another, the first of them a version.
//!
//! # Versions
//! A record kind has a number of layouts, 1 to its newest. It is always written in the newest. To read it,
//! [`Decoder::versioned`] gives the version and the fields; a kind decodes each version into that version's
//! own struct and turns it into the next one's (`V1 -> V2 -> newest`), so that a step is written once, when
//! its layout is replaced, and never touched again. A version above the newest is refused: an older build must
//! not guess at a newer one's records.
//!
//! # Why by hand
//! The layouts are part of the on-disk format. A derive ties them to the order of a struct's fields and to a
//! crate's version; here they are readable where they are written. Lists and byte strings say their length
//! first, and a length that the rest cannot hold is refused before anything is allocated.

use crate::clock::Timestamp;
use crate::error::{EngineError, Result};

/// Most bytes of a varint: ten times seven bits hold 64.
const VARINT_BYTES_MAX: u32 = 10;

/// Writes a record's fields.
///
/// ```
/// use storage_engine::meta::record::{Decoder, Encoder};
/// let mut fields = Encoder::new(1);
/// fields.varint(300).str("name");
/// let record = fields.finish();
///
/// let (version, mut fields) = Decoder::versioned("example", 1, &record)?;
/// assert_eq!((version, fields.varint()?, fields.str()?), (1, 300, "name"));
/// fields.finish()?;
/// # Ok::<(), storage_engine::EngineError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// A record of this version, which is at least 1.
    pub fn new(version: u8) -> Self {
        debug_assert!(version > 0, "versions begin at 1");
        Self(vec![version])
    }

    /// Writes one byte.
    pub fn u8(&mut self, field: u8) -> &mut Self {
        self.0.push(field);
        self
    }

    /// Writes a truth value, in one byte.
    pub fn flag(&mut self, field: bool) -> &mut Self {
        self.u8(u8::from(field))
    }

    /// Writes a number in four bytes, big-endian.
    pub fn u32(&mut self, field: u32) -> &mut Self {
        self.raw(&field.to_be_bytes())
    }

    /// Writes a number in eight bytes, big-endian.
    pub fn u64(&mut self, field: u64) -> &mut Self {
        self.raw(&field.to_be_bytes())
    }

    /// Writes a number in sixteen bytes, big-endian.
    pub fn u128(&mut self, field: u128) -> &mut Self {
        self.raw(&field.to_be_bytes())
    }

    /// Writes a number that is mostly small: seven bits a byte, lowest first, the top bit saying "more".
    pub fn varint(&mut self, field: u64) -> &mut Self {
        let mut left = field;
        while left >= 0x80 {
            self.0.push(0x80 | (left & 0x7F).to_le_bytes()[0]);
            left >>= 7;
        }
        self.0.push(left.to_le_bytes()[0]);
        self
    }

    /// Writes how many elements follow. See [`Decoder::count`].
    pub fn count(&mut self, elements: usize) -> &mut Self {
        self.varint(u64::try_from(elements).unwrap_or(u64::MAX))
    }

    /// Writes a byte string behind its length.
    pub fn bytes(&mut self, field: &[u8]) -> &mut Self {
        self.count(field.len()).raw(field)
    }

    /// Writes a text behind its length in bytes.
    pub fn str(&mut self, field: &str) -> &mut Self {
        self.bytes(field.as_bytes())
    }

    /// Writes a moment.
    pub fn timestamp(&mut self, field: Timestamp) -> &mut Self {
        self.u64(field.ticks())
    }

    /// Writes whether there is a field, and then with `write` the field.
    pub fn option<T>(&mut self, field: Option<T>, write: impl FnOnce(&mut Self, T)) -> &mut Self {
        self.flag(field.is_some());
        if let Some(field) = field {
            write(self, field);
        }
        self
    }

    /// Writes bytes as they are: of a fixed length, or as the last field.
    pub fn raw(&mut self, field: &[u8]) -> &mut Self {
        self.0.extend_from_slice(field);
        self
    }

    /// The record.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a record's fields, in the order in which they were written.
///
/// Every error is [`EngineError::Corrupt`] with the record's kind.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    kind: &'static str,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// The version of a record of this kind, and its fields. `newest` is the version that is written now.
    pub fn versioned(kind: &'static str, newest: u8, record: &'a [u8]) -> Result<(u8, Self)> {
        let mut fields = Self { kind, rest: record };
        let version = fields.u8()?;
        if version == 0 || version > newest {
            return Err(EngineError::corrupt(format!(
                "the version of a {kind} record is {version}, and this build knows 1 to {newest}"
            )));
        }
        Ok((version, fields))
    }

    /// The fields from somewhere inside a record on: where an earlier reading of it has been.
    pub const fn amid(kind: &'static str, rest: &'a [u8]) -> Self {
        Self { kind, rest }
    }

    /// The error that says that this record is damaged, for what its kind finds out by itself.
    #[cold]
    #[inline(never)]
    pub fn damaged(&self) -> EngineError {
        EngineError::corrupt(format!("a {} record", self.kind))
    }

    /// Reads one byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    /// Reads a truth value.
    #[inline]
    pub fn flag(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.damaged()),
        }
    }

    /// Reads a number of four bytes.
    pub fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// Reads a number of eight bytes.
    #[inline]
    pub fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// Reads a number of sixteen bytes.
    #[inline]
    pub fn u128(&mut self) -> Result<u128> {
        self.array().map(u128::from_be_bytes)
    }

    /// Reads a number written by [`Encoder::varint`].
    #[inline]
    pub fn varint(&mut self) -> Result<u64> {
        // Lengths are mostly small, and scans read one for every property of every row.
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [low, high, rest @ ..] if (1..0x80).contains(high) => {
                self.rest = rest;
                Ok(u64::from(low & 0x7F) | u64::from(*high) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for index in 0..VARINT_BYTES_MAX {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7F);
            let shifted = bits << (7 * index);
            if shifted >> (7 * index) != bits {
                return Err(self.damaged());
            }
            value |= shifted;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.damaged())
    }

    /// Reads how many elements follow. At most as many as bytes are left, so it may be used to reserve memory:
    /// every element takes a byte or more.
    #[inline]
    pub fn count(&mut self) -> Result<usize> {
        let elements = usize::try_from(self.varint()?).map_err(|_| self.damaged())?;
        if elements > self.rest.len() { Err(self.damaged()) } else { Ok(elements) }
    }

    /// Reads a byte string.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.count()?;
        let (field, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(field)
    }

    /// Reads a text.
    #[inline]
    pub fn str(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| self.damaged())
    }

    /// Reads a moment.
    #[inline]
    pub fn timestamp(&mut self) -> Result<Timestamp> {
        self.u64().map(Timestamp::from_ticks)
    }

    /// Reads a field that may be absent.
    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.flag()? { read(self).map(Some) } else { Ok(None) }
    }

    /// Reads bytes of a fixed number.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.damaged())?;
        self.rest = rest;
        Ok(*field)
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Says that nothing should be left.
    pub fn finish(self) -> Result<()> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.damaged()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_come_back_as_they_were(
            small: u8, flag: bool, word: u32, number: u64, large: u128, bytes: Vec<u8>, text: String,
            option: Option<u64>,
        ) {
            let mut fields = Encoder::new(2);
            fields.u8(small).flag(flag).u32(word).u64(number).u128(large).varint(number).bytes(&bytes).str(&text);
            fields.option(option, |fields, number| { fields.varint(number); });
            fields.timestamp(Timestamp::from_ticks(number));
            let record = fields.finish();

            let (version, mut fields) = Decoder::versioned("test", 3, &record).unwrap();
            prop_assert_eq!(version, 2);
            prop_assert_eq!(fields.u8().unwrap(), small);
            prop_assert_eq!(fields.flag().unwrap(), flag);
            prop_assert_eq!(fields.u32().unwrap(), word);
            prop_assert_eq!(fields.u64().unwrap(), number);
            prop_assert_eq!(fields.u128().unwrap(), large);
            prop_assert_eq!(fields.varint().unwrap(), number);
            prop_assert_eq!(fields.bytes().unwrap(), bytes.as_slice());
            prop_assert_eq!(fields.str().unwrap(), text);
            prop_assert_eq!(fields.option(Decoder::varint).unwrap(), option);
            prop_assert_eq!(fields.timestamp().unwrap().ticks(), number);
            prop_assert!(fields.finish().is_ok());
        }

        #[test]
        fn damaged_records_are_errors_and_never_panics(record: Vec<u8>) {
            let Ok((_, fields)) = Decoder::versioned("test", u8::MAX, &record) else { return Ok(()) };
            let _ = fields.clone().varint();
            let _ = fields.clone().str();
            let _ = fields.clone().u128();
            let _ = fields.clone().option(Decoder::bytes);
            if let Ok(count) = fields.clone().count() {
                prop_assert!(count <= record.len());
            }
        }

        #[test]
        fn a_record_cut_short_is_an_error(text in ".{1,20}", cut in 1_usize..20) {
            let mut fields = Encoder::new(1);
            fields.str(&text);
            let mut record = fields.finish();
            record.truncate(record.len().saturating_sub(cut));
            let read = Decoder::versioned("test", 1, &record).and_then(|(_, mut fields)| fields.str().map(str::len));
            let damaged = matches!(read, Err(EngineError::Corrupt { .. }));
            prop_assert!(damaged);
        }
    }

    #[test]
    fn versions_that_nobody_wrote_are_refused() {
        assert!(Decoder::versioned("test", 2, &[0]).is_err());
        assert!(Decoder::versioned("test", 2, &[]).is_err());
        assert!(Decoder::versioned("test", 2, &[2]).is_ok());
        let refused = Decoder::versioned("test", 2, &[3]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "stored data is damaged: the version of a test record is 3, and this build knows 1 to 2"
        );
    }

    #[test]
    fn varints_that_hold_more_than_64_bits_are_refused() {
        let mut record = vec![1];
        record.extend([0xFF; 9]);
        record.push(2);
        let (_, mut fields) = Decoder::versioned("test", 1, &record).unwrap();
        assert!(fields.varint().is_err());
    }

    #[test]
    fn bytes_left_over_are_damage() {
        let (_, fields) = Decoder::versioned("test", 1, &[1, 0]).unwrap();
        assert!(fields.finish().is_err());
    }
}
