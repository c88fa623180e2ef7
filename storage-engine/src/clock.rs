//! Time and randomness, as parameters.
//!
//! Nothing else in the engine asks the machine for either, so a test that holds a [`ManualClock`] and a
//! [`SeededEntropy`] replays byte for byte.

use crate::error::Result;
use crate::secret::Secret;
use std::cell::RefCell;
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// A moment, in ticks of 100 ns since 0001-01-01 UTC: the resolution and the epoch of the vendor's own
/// timestamps, so that snapshot ids, `ETag`s and `Timestamp`s print without loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Ticks in one second.
    pub const TICKS_PER_SECOND: u64 = 10_000_000;
    /// Ticks from 0001-01-01 to 1970-01-01.
    const UNIX_EPOCH_TICKS: u64 = 621_355_968_000_000_000;
    /// 9999-12-31T23:59:59.9999999Z, the vendor's "never".
    pub const MAX: Self = Self(3_155_378_975_999_999_999);

    /// The moment `ticks` after 0001-01-01.
    pub const fn from_ticks(ticks: u64) -> Self {
        Self(ticks)
    }

    /// Ticks since 0001-01-01.
    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// The moment `seconds` after 1970-01-01.
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(Self::UNIX_EPOCH_TICKS + seconds * Self::TICKS_PER_SECOND)
    }

    /// Whole seconds since 1970-01-01; 0 for anything earlier.
    pub const fn unix_seconds(self) -> u64 {
        self.0.saturating_sub(Self::UNIX_EPOCH_TICKS) / Self::TICKS_PER_SECOND
    }

    /// This moment without its part of a second: what HTTP dates can carry.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0 % Self::TICKS_PER_SECOND)
    }

    /// This moment and `span`, at most [`Self::MAX`].
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let ticks = u64::try_from(span.as_nanos() / 100).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(ticks).min(Self::MAX.0))
    }
}

/// The version of a resource: unique and rising across the whole engine, so two writes never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Etag(pub u64);

impl From<Timestamp> for Etag {
    fn from(stamp: Timestamp) -> Self {
        Self(stamp.ticks())
    }
}

/// Where the engine reads the time.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time now. May stand still or step back; the engine makes its own stamps strictly rising.
    fn now(&self) -> Timestamp;
}

/// Where the engine reads randomness: ids that must not repeat.
pub trait Entropy: fmt::Debug + Send + Sync + 'static {
    /// 128 random bits.
    fn bits(&self) -> u128;

    /// 256 bits that nobody can guess.
    ///
    /// # Errors
    /// [`crate::EngineError::Disk`] if the source cannot give any: then there is no secret.
    fn secret(&self) -> Result<Secret>;
}

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_seconds(0).after(since)
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

/// Ids that are asked of the kernel at once: it takes as long for one as for all of them.
const IDS_AT_ONCE: usize = 32;

thread_local! {
    /// Bits that this thread has asked for and not used. Ids only: no secret ever lies here.
    static UNUSED: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
}

fn fresh_bits() -> Vec<u128> {
    let mut bytes = [0; IDS_AT_ONCE * size_of::<u128>()];
    // The kernel's source fails only where the system call itself is missing or forbidden; an id made
    // of the clock is then still unique within this process, and no secret is ever made of it.
    if getrandom::fill(&mut bytes).is_err() {
        return vec![u128::from(SystemClock.now().ticks())];
    }
    bytes.as_chunks().0.iter().copied().map(u128::from_le_bytes).collect()
}

impl Entropy for SystemEntropy {
    fn bits(&self) -> u128 {
        UNUSED.with_borrow_mut(|unused| {
            if unused.is_empty() {
                *unused = fresh_bits();
            }
            unused.pop().unwrap_or_default()
        })
    }

    fn secret(&self) -> Result<Secret> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Secret::new(bytes))
    }
}

#[cfg(any(test, feature = "testing"))]
pub use testing::{ManualClock, SeededEntropy};

#[cfg(any(test, feature = "testing"))]
mod testing {
    use super::{Clock, Duration, Entropy, Result, Secret, Timestamp};
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A clock that moves only when told to.
    #[derive(Debug)]
    pub struct ManualClock(AtomicU64);

    impl ManualClock {
        /// A clock that stands at `start`.
        pub fn at(start: Timestamp) -> Self {
            Self(AtomicU64::new(start.ticks()))
        }

        /// Sets the clock, forward or back.
        pub fn set(&self, to: Timestamp) {
            self.0.store(to.ticks(), Ordering::SeqCst);
        }

        /// Moves the clock on by `span`.
        pub fn advance(&self, span: Duration) {
            self.set(self.now().after(span));
        }
    }

    impl Default for ManualClock {
        fn default() -> Self {
            Self::at(Timestamp::from_unix_seconds(1_700_000_000))
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_ticks(self.0.load(Ordering::SeqCst))
        }
    }

    /// Pseudo-random bits from a seed (`SplitMix64`), the same on every run.
    #[derive(Debug)]
    pub struct SeededEntropy(Mutex<u64>);

    impl SeededEntropy {
        /// The sequence that belongs to `seed`.
        pub fn new(seed: u64) -> Self {
            Self(Mutex::new(seed))
        }

        fn next(state: &mut u64) -> u64 {
            *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        }
    }

    impl Entropy for SeededEntropy {
        fn bits(&self) -> u128 {
            let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            (u128::from(Self::next(&mut state)) << 64) | u128::from(Self::next(&mut state))
        }

        fn secret(&self) -> Result<Secret> {
            let mut bytes = [0; 32];
            for half in bytes.chunks_mut(16) {
                half.copy_from_slice(&self.bits().to_le_bytes());
            }
            Ok(Secret::new(bytes))
        }
    }
}
