//! The headers of a request, made for being asked in vain.
//!
//! An operation asks for every header that it understands, some sixty of them, and a request has a dozen. The map of
//! `http` reads and hashes a name before it can say that it is not there; that was a tenth of a small request. So the
//! lengths of the names that are there are kept as bits: a name whose length no name has is not there.

use crate::spelling::Spelling;
use http::header::GetAll;
use http::{HeaderMap, HeaderValue};
use std::ops::Deref;

/// The headers of a request. They do not change any more.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    map: HeaderMap,
    /// Bit `n` is set if a name of `n` bytes is there, the last bit for all longer ones.
    lengths: u64,
    spelling: Spelling,
}

const fn bit(name: &str) -> u64 {
    let last = u64::BITS as usize - 1;
    1 << if name.len() < last { name.len() } else { last }
}

impl Headers {
    /// The header's first value.
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        if self.lengths & bit(name) == 0 { None } else { self.map.get(name) }
    }

    /// All values of the header; none if there is not one.
    pub fn get_all(&self, name: &str) -> Option<GetAll<'_, HeaderValue>> {
        if self.lengths & bit(name) == 0 { None } else { Some(self.map.get_all(name)) }
    }

    /// With the spelling of its names of metadata.
    #[must_use]
    pub fn spelled(self, spelling: Spelling) -> Self {
        Self { spelling, ..self }
    }

    /// How the client spelled its names of metadata.
    pub fn spelling(&self) -> &Spelling {
        &self.spelling
    }

    /// Whether the header is there.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        let lengths = map.keys().fold(0, |lengths, name| lengths | bit(name.as_str()));
        Self { map, lengths, spelling: Spelling::default() }
    }
}

impl Deref for Headers {
    type Target = HeaderMap;

    fn deref(&self) -> &HeaderMap {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_name_is_found_as_the_map_finds_it(
            there in proptest::collection::vec("[a-z-]{1,80}", 0..8),
            asked in proptest::collection::vec("[a-z-]{1,80}", 0..8),
        ) {
            let mut map = HeaderMap::new();
            for name in &there {
                map.append(http::HeaderName::try_from(name).unwrap(), HeaderValue::from_static("value"));
            }
            let headers = Headers::from(map.clone());
            for name in there.iter().chain(&asked) {
                prop_assert_eq!(headers.get(name), map.get(name));
                prop_assert_eq!(headers.contains_key(name), map.contains_key(name));
                let all = headers.get_all(name).map_or(0, |all| all.iter().count());
                prop_assert_eq!(all, map.get_all(name).iter().count());
            }
        }
    }
}
