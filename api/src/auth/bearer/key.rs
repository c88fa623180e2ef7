//! The keys that an issuer signs with, as it publishes them: a JSON Web Key Set (RFC 7517, RFC 7518).
//!
//! # Which algorithm
//! The key decides, never the token. A token's `alg` is only a claim of its sender; it is looked up among the
//! algorithms that a key of this kind can have, and `none` and the HMACs are of no kind that we know. So the old
//! tricks (no signature; a public key taken for a shared secret) have nothing to hold on to.
//!
//! # Why `ring` and not a library of tokens
//! What is left of such a library once claims are judged here is splitting at two dots. `ring` is in the binary anyway,
//! for TLS; the libraries of tokens bring a second one or a build of C.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde::Deserialize;

/// Most keys of a set that are kept: issuers have two to ten.
const KEYS_MAX: usize = 64;

/// An algorithm of signatures with a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
}

impl Algorithm {
    /// The algorithm that `alg` names. Case counts, as in RFC 7515.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            _ => return None,
        })
    }
}

/// What a public key consists of.
#[derive(Debug, Clone)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point.
    P256(Vec<u8>),
    /// An uncompressed point.
    P384(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Key {
    id: Option<String>,
    /// The one algorithm that it is for, if its issuer says so.
    only: Option<Algorithm>,
    material: Material,
}

/// An issuer's public keys.
#[derive(Debug, Clone, Default)]
pub struct KeySet(Vec<Key>);

/// The text is no key set.
#[derive(Debug)]
pub struct KeySetError(serde_json::Error);

impl std::fmt::Display for KeySetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a JSON Web Key Set")
    }
}

impl std::error::Error for KeySetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// A key as it is published. What is not named here (certificates, operations) is not looked at.
#[derive(Deserialize)]
struct Published {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct PublishedSet {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// Reads a key set. Keys that are not for signatures, or of a kind that we do not know, are passed over: an
    /// issuer may publish them for others.
    ///
    /// # Errors
    /// If the text is no key set at all.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        let set: PublishedSet = serde_json::from_slice(text).map_err(KeySetError)?;
        let keys = set.keys.into_iter().filter_map(|key| usable(serde_json::from_value(key).ok()?));
        Ok(Self(keys.take(KEYS_MAX).collect()))
    }

    /// How many keys it has that can be used.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a token that names this key, or none, can be judged. A token that names none is judged only by a set
    /// of one key.
    pub fn knows(&self, id: Option<&str>) -> bool {
        self.find(id).is_some()
    }

    /// Whether `signature` is that of `message`, by the key that the token names.
    pub(super) fn verify(&self, algorithm: &str, id: Option<&str>, message: &[u8], signature: &[u8]) -> bool {
        let (Some(key), Some(algorithm)) = (self.find(id), Algorithm::named(algorithm)) else { return false };
        key.only.is_none_or(|only| only == algorithm) && key.material.verify(algorithm, message, signature)
    }

    fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.0.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [key]) => Some(key),
            (None, _) => None,
        }
    }
}

impl Material {
    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let of_point = |how: &'static dyn VerificationAlgorithm, point: &[u8]| {
            UnparsedPublicKey::new(how, point).verify(message, signature).is_ok()
        };
        match (self, algorithm) {
            (Self::Rsa { modulus, exponent }, Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512) => {
                let how = match algorithm {
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(how, message, signature).is_ok()
            }
            (Self::P256(point), Algorithm::Es256) => of_point(&ECDSA_P256_SHA256_FIXED, point),
            (Self::P384(point), Algorithm::Es384) => of_point(&ECDSA_P384_SHA384_FIXED, point),
            _ => false,
        }
    }
}

fn usable(key: Published) -> Option<Key> {
    if key.purpose.is_some_and(|purpose| purpose != "sig") {
        return None;
    }
    let material = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => {
            // `ring` refuses leading zeros, which some publish.
            let number = |text: Option<String>| {
                let bytes = decode(&text?)?;
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                bytes.get(zeros..).filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
            };
            Material::Rsa { modulus: number(key.n)?, exponent: number(key.e)? }
        }
        ("EC", Some("P-256")) => Material::P256(point(key.x, key.y, 32)?),
        ("EC", Some("P-384")) => Material::P384(point(key.x, key.y, 48)?),
        _ => return None,
    };
    let only = match key.alg {
        Some(name) => Some(Algorithm::named(&name)?),
        None => None,
    };
    Some(Key { id: key.kid, only, material })
}

fn point(x: Option<String>, y: Option<String>, bytes: usize) -> Option<Vec<u8>> {
    let (x, y) = (decode(&x?)?, decode(&y?)?);
    (x.len() == bytes && y.len() == bytes).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
}

/// Base64 of RFC 7515: URL-safe, without padding.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_kinds_and_uses_are_passed_over() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let set = format!(
            r#"{{"keys":[{{"kty":"oct","k":"AAAA"}},{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}","use":"enc"}},
            {{"kty":"EC","crv":"P-256","x":"{x}","y":"AAAA"}},{{"kty":"EC","crv":"secp256k1","x":"{x}","y":"{x}"}},
            {{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}","alg":"HS256"}},{{"kty":"RSA","n":"","e":"AQAB"}},17,
            {{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}","kid":"good","alg":"ES256","x5t":"?"}}]}}"#
        );
        let set = KeySet::parse(set.as_bytes()).unwrap();
        assert_eq!(set.len(), 1);
        assert!(set.knows(Some("good")) && set.knows(None) && !set.knows(Some("other")));
        assert!(KeySet::parse(b"{}").is_err() && KeySet::parse(b"<html>").is_err());
        assert!(KeySet::parse(br#"{"keys":[]}"#).unwrap().is_empty());
    }
}
