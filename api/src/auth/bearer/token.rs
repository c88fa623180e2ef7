//! A token taken apart: a signed JSON Web Token (RFC 7515, RFC 7519). Nothing in it is believed here.

use super::key::decode;
use serde::Deserialize;

/// Most bytes of a token. Those of Entra ID have two to four thousand.
const TOKEN_BYTES_MAX: usize = 32 << 10;

/// What the token says about its signature.
#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) kid: Option<String>,
    /// Names of extensions that whoever judges the token must understand. We understand none.
    crit: Option<serde_json::Value>,
}

/// What the token says about its holder and itself. A name that occurs twice is an error.
#[derive(Debug, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: String,
    pub(super) aud: Audiences,
    /// In seconds since 1970.
    pub(super) exp: u64,
    /// In seconds since 1970.
    pub(super) nbf: Option<u64>,
    pub(super) oid: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) tid: Option<String>,
}

/// One audience or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Audiences {
    One(String),
    Many(Vec<String>),
}

impl Audiences {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let all = match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many.as_slice(),
        };
        all.iter().map(String::as_str)
    }
}

/// A token's parts.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) header: Header,
    pub(super) claims: Claims,
    /// What is signed.
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// Takes a token apart; none if it is not one.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (message, signature) = text.rsplit_once('.')?;
        let (header, claims) = message.split_once('.').filter(|(_, claims)| !claims.contains('.'))?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        let claims = serde_json::from_slice(&decode(claims)?).ok()?;
        if header.crit.is_some() {
            return None;
        }
        Some(Self { header, claims, message: message.as_bytes(), signature: decode(signature)? })
    }
}
