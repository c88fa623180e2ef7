//! Keys made here, and tokens signed with them: rightly, or as a forger would.

use super::super::KeySet;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    KeyPair as _,
};
use rsa::pkcs1v15::SigningKey;
use rsa::rand_core::OsRng;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;
use rsa::{RsaPrivateKey, sha2};
use serde_json::{Value, json};
use std::sync::LazyLock;

static RSA: LazyLock<RsaPrivateKey> = LazyLock::new(|| RsaPrivateKey::new(&mut OsRng, 2048).unwrap());
static P256: LazyLock<EcdsaKeyPair> = LazyLock::new(|| ec(&ECDSA_P256_SHA256_FIXED_SIGNING));
static P384: LazyLock<EcdsaKeyPair> = LazyLock::new(|| ec(&ECDSA_P384_SHA384_FIXED_SIGNING));

fn ec(how: &'static EcdsaSigningAlgorithm) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(how, document.as_ref(), &random).unwrap()
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn published_ec(id: &str, curve: &str, pair: &EcdsaKeyPair) -> Value {
    let point = &pair.public_key().as_ref()[1..];
    let (x, y) = point.split_at(point.len() / 2);
    json!({"kty": "EC", "kid": id, "crv": curve, "x": encode(x), "y": encode(y)})
}

pub(super) fn key_set() -> KeySet {
    let (n, e) = (encode(RSA.n().to_bytes_be()), encode(RSA.e().to_bytes_be()));
    let set = json!({"keys": [
        {"kty": "RSA", "use": "sig", "kid": "rsa", "n": n, "e": e},
        {"kty": "RSA", "use": "sig", "kid": "only512", "alg": "RS512", "n": n, "e": e},
        published_ec("p256", "P-256", &P256),
        published_ec("p384", "P-384", &P384),
    ]});
    KeySet::parse(set.to_string().as_bytes()).unwrap()
}

pub(super) fn sign(algorithm: &str, message: &[u8]) -> Vec<u8> {
    let of_ec = |pair: &EcdsaKeyPair| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
    let rsa = RSA.clone();
    match algorithm {
        "RS256" => SigningKey::<sha2::Sha256>::new(rsa).sign(message).to_vec(),
        "RS384" => SigningKey::<sha2::Sha384>::new(rsa).sign(message).to_vec(),
        "RS512" => SigningKey::<sha2::Sha512>::new(rsa).sign(message).to_vec(),
        "ES256" => of_ec(&P256),
        "ES384" => of_ec(&P384),
        _ => Vec::new(),
    }
}

/// A token that says it is signed with `named`, and is signed with `used`.
pub(super) fn forged(key: &str, named: &str, used: &str, claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": named, "kid": key});
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = sign(used, message.as_bytes());
    format!("{message}.{}", encode(signature))
}
