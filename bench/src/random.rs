//! A seeded stream of numbers, so that two runs with one seed send the same requests.
//!
//! `SplitMix64`: a counter passed through a mixing function. It is no secret keeper and need not be; it is a
//! few instructions, and being a bijection of its counter it also makes scattered names that never collide.

use bytes::Bytes;

/// A stream of numbers that a seed determines.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number below `bound`, or zero if `bound` is zero. The bias is below `bound` in 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// `length` bytes that do not compress.
    pub(crate) fn bytes(&mut self, length: usize) -> Bytes {
        let words = (0..length.div_ceil(8)).flat_map(|_| self.next().to_le_bytes());
        words.take(length).collect::<Vec<u8>>().into()
    }

    /// `length` letters and digits.
    pub(crate) fn text(&mut self, length: usize) -> String {
        let digit = |random: &mut Self| char::from_digit(u32::try_from(random.below(36)).unwrap_or(0), 36);
        (0..length).filter_map(|_| digit(self)).collect()
    }
}

/// Scatters `value` over all 64 bits; no two values meet.
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_stream() {
        let (mut one, mut same, mut other) = (Random::new(1), Random::new(1), Random::new(2));
        assert_eq!(one.bytes(1_001), same.bytes(1_001));
        assert_eq!(one.text(50), same.text(50));
        assert_ne!(one.next(), other.next());
    }

    #[test]
    fn lengths_and_bounds_are_kept() {
        let mut random = Random::new(3);
        assert_eq!(random.bytes(13).len(), 13);
        assert_eq!(random.text(77).len(), 77);
        assert!((0..1_000).all(|_| random.below(10) < 10));
        assert_eq!(random.below(0), 0);
    }
}
