//! Whose tokens are believed: the configured issuers, and their keys.
//!
//! The rules of tokens are `api`'s; here is what needs files and sockets. An issuer is known by the `iss` of its
//! tokens. Its keys come from a file, from an address, or, if neither is given, from where its discovery document says.

mod issuer;

use crate::outbound::Outbound;
use api::auth::bearer::{Distrust, Issuers, Trusted};
use futures_util::future::BoxFuture;
use issuer::{Issuer, Source};
use serde::Deserialize;
use std::collections::HashMap;

/// An issuer, as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct IssuerSettings {
    /// The `iss` of its tokens, to the letter.
    pub(crate) url: String,
    /// Its keys: a file, or an address.
    pub(crate) keys: Option<String>,
    /// The only tenant whose tokens count.
    pub(crate) tenant: Option<String>,
}

/// All that the configuration says about tokens.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenSettings {
    /// Believes every token: `--oauth basic`.
    pub(crate) unsigned: bool,
    /// Takes tokens without TLS from this machine.
    pub(crate) over_http: bool,
    /// Whose tokens are believed.
    pub(crate) issuers: Vec<IssuerSettings>,
}

/// The configured issuers.
pub(crate) struct KnownIssuers {
    issuers: HashMap<String, Issuer>,
    authorization_uri: Option<String>,
}

impl KnownIssuers {
    /// Reads key files, so that a mistake in them is found at the start. Addresses are asked when the first token
    /// comes: an issuer may start after us.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn open(settings: &[IssuerSettings]) -> Result<Self, String> {
        let mut issuers = HashMap::new();
        let mut outbound = None;
        for entry in settings {
            let source = Source::parse(entry)?;
            if source.is_remote() && outbound.is_none() {
                outbound = Some(Outbound::new()?);
            }
            let issuer = Issuer::open(source, entry.tenant.clone(), outbound.clone())?;
            if issuers.insert(entry.url.clone(), issuer).is_some() {
                return Err(format!("issuer {}: it is named twice", entry.url));
            }
        }
        Ok(Self { issuers, authorization_uri: settings.first().map(authorization_uri) })
    }
}

impl Issuers for KnownIssuers {
    fn find<'a>(&'a self, issuer: &'a str, key: Option<&'a str>) -> BoxFuture<'a, Result<Trusted, Distrust>> {
        Box::pin(async move {
            let issuer = self.issuers.get(issuer).ok_or(Distrust::UnknownIssuer)?;
            let keys = issuer.keys(key).await.map_err(Distrust::KeysUnavailable)?;
            Ok(Trusted { keys, tenant: issuer.tenant.clone() })
        })
    }

    fn authorization_uri(&self) -> Option<String> {
        self.authorization_uri.clone()
    }
}

/// Where the issuer's users sign in. Clients take the tenant out of it, so its shape is that of the vendor's, who
/// issues under one host and signs in under another.
fn authorization_uri(issuer: &IssuerSettings) -> String {
    let base = issuer.url.trim_end_matches('/');
    let base = base.strip_suffix("/v2.0").unwrap_or(base);
    let base = base.replacen("https://sts.windows.net/", "https://login.microsoftonline.com/", 1);
    format!("{base}/oauth2/authorize")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issuer(url: &str, keys: Option<&str>) -> IssuerSettings {
        IssuerSettings { url: url.into(), keys: keys.map(str::to_owned), tenant: None }
    }

    #[test]
    fn clients_are_sent_to_where_the_issuer_signs_in() {
        for (url, uri) in [
            ("https://sts.windows.net/t/", "https://login.microsoftonline.com/t/oauth2/authorize"),
            (
                "https://login.microsoftonline.com/t/v2.0",
                "https://login.microsoftonline.com/t/oauth2/authorize",
            ),
            ("https://id.example/realm", "https://id.example/realm/oauth2/authorize"),
        ] {
            assert_eq!(authorization_uri(&issuer(url, None)), uri);
        }
    }

    #[tokio::test]
    async fn only_a_configured_issuer_is_known_to_the_letter() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), r#"{"keys":[]}"#).unwrap();
        let known = [issuer("https://id.example/", file.path().to_str())];
        let known = KnownIssuers::open(&known).unwrap();
        assert!(known.find("https://id.example/", None).await.is_ok());
        for other in ["https://id.example", "https://ID.example/", ""] {
            assert!(matches!(known.find(other, None).await, Err(Distrust::UnknownIssuer)), "{other}");
        }
        assert!(KnownIssuers::open(&[]).unwrap().authorization_uri().is_none());
    }

    #[test]
    fn mistakes_are_found_at_the_start() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "not JSON").unwrap();
        let path = file.path().to_str();
        for (url, keys) in [
            ("https://id.example", path),
            ("https://id.example", Some("/no/such/file")),
            ("https://id.example", Some("http://example.org/keys")),
            ("http://id.example", None),
            ("not an address", None),
        ] {
            assert!(KnownIssuers::open(&[issuer(url, keys)]).is_err(), "{url} {keys:?}");
        }
        std::fs::write(file.path(), r#"{"keys":[]}"#).unwrap();
        let twice = [issuer("https://id.example", path), issuer("https://id.example", path)];
        assert!(KnownIssuers::open(&twice).err().unwrap().contains("twice"));
    }
}
