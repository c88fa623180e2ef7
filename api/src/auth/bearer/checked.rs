//! Tokens whose signatures were checked, so that one that comes with every request is not checked with every request: a
//! public key costs tens of microseconds, a look-up one or two.
//!
//! Tokens are known by their hash, so that no token lies in memory. What is kept is what the token says; whether that
//! is enough (audience, times) is judged with every request. A signature counts for five minutes at most, or less if
//! the token expires: a key that its issuer has withdrawn should not open anything for much longer than the issuer's
//! keys are kept.

use super::token::Claims;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use storage_engine::clock::Timestamp;

/// How long a signature counts, in seconds.
const SECONDS_MAX: u64 = 300;

/// Most tokens that are known at once, of about half a kilobyte each.
const TOKENS_MAX: usize = 4096;

/// What a token says whose signature holds.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    pub(super) claims: Arc<Claims>,
    /// The tenant that its issuer is bound to.
    pub(super) tenant: Option<String>,
}

/// A token's hash.
pub(super) type Digested = [u8; 32];

#[derive(Debug)]
struct Entry {
    verified: Verified,
    at: Timestamp,
}

impl Entry {
    fn counts(&self, now: Timestamp) -> bool {
        let until = self.at.ticks().saturating_add(SECONDS_MAX * Timestamp::TICKS_PER_SECOND);
        self.at <= now && now.ticks() < until
    }
}

/// Tokens whose signatures were checked not long ago.
#[derive(Debug, Default)]
pub(super) struct Checked(Mutex<HashMap<Digested, Entry>>);

impl Checked {
    /// The name under which a token is kept.
    pub(super) fn digest(token: &str) -> Digested {
        Sha256::digest(token.as_bytes()).into()
    }

    /// What the token of this hash says, if its signature still counts at `now`.
    pub(super) fn find(&self, token: &Digested, now: Timestamp) -> Option<Verified> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(token).filter(|entry| entry.counts(now)).map(|entry| entry.verified.clone())
    }

    /// Keeps what a token says whose signature was found to hold at `now`.
    pub(super) fn keep(&self, token: Digested, verified: Verified, now: Timestamp) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() >= TOKENS_MAX {
            entries.retain(|_, entry| entry.counts(now));
        }
        if entries.len() >= TOKENS_MAX {
            entries.clear();
        }
        entries.insert(token, Entry { verified, at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified() -> Verified {
        let claims = r#"{"iss":"i","aud":"a","exp":1}"#;
        Verified { claims: Arc::new(serde_json::from_str(claims).unwrap()), tenant: None }
    }

    #[test]
    fn a_signature_counts_for_a_while_and_the_number_of_tokens_is_bounded() {
        let checked = Checked::default();
        let at = |seconds: u64| Timestamp::from_unix_seconds(1_000 + seconds);
        let found = |token: &str, seconds| checked.find(&Checked::digest(token), at(seconds)).is_some();
        checked.keep(Checked::digest("a"), verified(), at(0));
        assert!(found("a", 0) && found("a", 299) && !found("a", 300) && !found("b", 0));
        assert!(checked.find(&Checked::digest("a"), Timestamp::from_unix_seconds(999)).is_none());
        for number in 0..2 * TOKENS_MAX {
            checked.keep(Checked::digest(&number.to_string()), verified(), at(0));
        }
        assert!(checked.0.lock().unwrap().len() <= TOKENS_MAX);
        assert!(found(&(2 * TOKENS_MAX - 1).to_string(), 0));
    }
}
