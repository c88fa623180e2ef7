//! Randomness that replays: `SplitMix64` from a printed seed.
//!
//! No crate: a test that fails at seed 4711 must fail at seed 4711 in five years too.

use std::time::{SystemTime, UNIX_EPOCH};

/// A stream of pseudo-random numbers which is a pure function of its seed.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to and without `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// As [`Random::below`], for positions in a slice.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index below a usize is a usize")
    }

    /// `length` bytes, eight at a time.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// The seed of a test: the number in the environment variable, so that a failure can be replayed, else the time.
pub(crate) fn seed_from(variable: &str) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")),
        Err(_) => now().as_secs().wrapping_mul(1_000_003) ^ u64::from(now().subsec_nanos()),
    }
}

/// The time since 1970; tests are allowed to look at the real clock.
pub(crate) fn now() -> std::time::Duration {
    #[expect(clippy::disallowed_methods, reason = "a test client lives in real time")]
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970")
}
