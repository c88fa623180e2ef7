//! One issuer's keys: fetched when they are needed, and kept.
//!
//! - [Fresh](Ages::fresh) keys that include the one a token names are used without asking anybody.
//! - Else they are fetched, by one request at a time and at most once in [`PAUSE`]: issuers change their keys, so an
//!   unknown one is worth a look, but anybody can send a token with a made-up key.
//! - While that fails, or somebody else is at it, known keys serve until they are [stale](Ages::stale): an issuer that
//!   is down for an hour locks nobody out, and one that has withdrawn a key is heard within a day.

use super::IssuerSettings;
use crate::files;
use crate::outbound::{Outbound, may_be_asked};
use api::auth::bearer::KeySet;
use api::error::with_causes;
use http::Uri;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long keys serve.
const AGES: Ages = Ages { fresh: Duration::from_hours(1), stale: Duration::from_hours(24) };
/// How long to wait between two looks.
const PAUSE: Duration = Duration::from_secs(30);
/// How long to wait after a failed look, as long as there are no keys at all.
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(2);
/// Most bytes of a key set and of a discovery document.
const DOCUMENT_BYTES_MAX: usize = 1 << 20;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    File(PathBuf),
    Address(Uri),
    /// The discovery document of this issuer says where.
    Discovery {
        document: Uri,
        issuer: String,
    },
}

/// What of a discovery document matters (`OpenID` Connect Discovery 1.0).
#[derive(Deserialize)]
struct Discovered {
    issuer: String,
    jwks_uri: String,
}

#[derive(Debug, Clone, Copy)]
struct Ages {
    /// How long keys are used without another look.
    fresh: Duration,
    /// How long keys are used at most.
    stale: Duration,
}

#[derive(Debug, Clone)]
struct Kept {
    keys: Arc<KeySet>,
    since: Instant,
}

/// An issuer and its keys.
pub(super) struct Issuer {
    pub(super) tenant: Option<String>,
    source: Source,
    outbound: Option<Outbound>,
    ages: Ages,
    kept: RwLock<Option<Kept>>,
    /// When the last look began. Whoever holds it is the one that looks.
    looked: Mutex<Option<Instant>>,
}

impl Source {
    /// Where the keys of this issuer come from.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(super) fn parse(settings: &IssuerSettings) -> Result<Self, String> {
        let url = &settings.url;
        match settings.keys.as_deref() {
            Some(keys) if keys.starts_with("https://") || keys.starts_with("http://") => {
                address(keys).map(Self::Address).ok_or_else(|| {
                    format!("issuer {url}: keys come over https, or over http from this machine: {keys}")
                })
            }
            Some(path) => Ok(Self::File(PathBuf::from(path))),
            None => {
                let document = format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'));
                let document = address(&document).ok_or_else(|| {
                    format!("issuer {url}: it is no https address, so its keys must be given (--issuer-keys)")
                })?;
                Ok(Self::Discovery { document, issuer: url.clone() })
            }
        }
    }

    pub(super) fn is_remote(&self) -> bool {
        !matches!(self, Self::File(_))
    }
}

impl Issuer {
    /// An issuer whose keys are at `source`.
    ///
    /// # Errors
    /// A sentence for the user, if they should be in a file and are not.
    pub(super) fn open(
        source: Source,
        tenant: Option<String>,
        outbound: Option<Outbound>,
    ) -> Result<Self, String> {
        let mut kept = None;
        if let Source::File(path) = &source {
            let keys = KeySet::parse(&files::read(path)?)
                .map_err(|error| format!("{}: {}", path.display(), with_causes(&error)))?;
            kept = Some(Kept { keys: Arc::new(keys), since: Instant::now() });
        }
        Ok(Self { tenant, source, outbound, ages: AGES, kept: RwLock::new(kept), looked: Mutex::new(None) })
    }

    /// Its keys, with the one that a token names if it has it.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) async fn keys(&self, key: Option<&str>) -> Result<Arc<KeySet>, AnyError> {
        let known = self.kept().filter(|kept| kept.keys.knows(key) && kept.since.elapsed() < self.ages.stale);
        if let Some(kept) = known.as_ref().filter(|kept| kept.since.elapsed() < self.ages.fresh) {
            return Ok(Arc::clone(&kept.keys));
        }
        let looked = match (known, self.looked.try_lock()) {
            (_, Ok(looked)) => Some(looked),
            // Somebody looks already, and until they are done these will do.
            (Some(kept), Err(_)) => return Ok(kept.keys),
            (None, Err(_)) => None,
        };
        let mut looked = match looked {
            Some(looked) => looked,
            None => self.looked.lock().await,
        };
        let before = self.kept();
        let pause = if before.is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        let mut failure = None;
        if looked.is_none_or(|looked| looked.elapsed() >= pause) {
            *looked = Some(Instant::now());
            match self.fetch().await {
                Ok(keys) => self.keep(keys),
                Err(error) => {
                    tracing::warn!(error = with_causes(&*error), "an issuer's keys cannot be fetched");
                    failure = Some(error);
                }
            }
        }
        let usable = self.kept().filter(|kept| kept.since.elapsed() < self.ages.stale);
        usable
            .map(|kept| kept.keys)
            .ok_or_else(|| failure.unwrap_or_else(|| "they could not be fetched".into()))
    }

    fn kept(&self) -> Option<Kept> {
        self.kept.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, keys: KeySet) {
        let kept = Kept { keys: Arc::new(keys), since: Instant::now() };
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }

    async fn fetch(&self) -> Result<KeySet, AnyError> {
        let text = match &self.source {
            Source::File(path) => files::read(path)?.into(),
            Source::Address(uri) => self.document(uri).await?,
            Source::Discovery { document, issuer } => {
                let found: Discovered = serde_json::from_slice(&self.document(document).await?)?;
                if found.issuer != *issuer {
                    return Err(format!("{document} speaks for {}, not for {issuer}", found.issuer).into());
                }
                let keys = address(&found.jwks_uri)
                    .ok_or_else(|| format!("{document} names keys that may not be asked for"))?;
                self.document(&keys).await?
            }
        };
        Ok(KeySet::parse(&text)?)
    }

    async fn document(&self, uri: &Uri) -> Result<bytes::Bytes, AnyError> {
        let outbound = self.outbound.as_ref().ok_or("no client")?;
        Ok(outbound.document(uri, DOCUMENT_BYTES_MAX).await?)
    }
}

fn address(text: &str) -> Option<Uri> {
    text.parse().ok().filter(may_be_asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::tests::{ok, server};

    /// A set of one key of this id.
    fn set(id: &str) -> String {
        let x = "A".repeat(43);
        format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}","kid":"{id}"}}]}}"#)
    }

    fn issuer(url: &str, keys: Option<String>) -> Issuer {
        let settings = IssuerSettings { url: url.to_owned(), keys, tenant: None };
        let source = Source::parse(&settings).unwrap();
        Issuer::open(source, None, Some(Outbound::new().unwrap())).unwrap()
    }

    #[tokio::test]
    async fn keys_are_fetched_once_and_an_unknown_one_is_looked_for_but_not_again_and_again() {
        let address = server(vec![ok(&set("a")), ok(&set("b"))]);
        let issuer = issuer("https://id.example", Some(format!("http://{address}/keys")));
        assert!(issuer.keys(Some("a")).await.unwrap().knows(Some("a")));
        assert!(issuer.keys(Some("a")).await.unwrap().knows(Some("a")));
        // Too soon for another look: what is known is all there is.
        assert!(!issuer.keys(Some("b")).await.unwrap().knows(Some("b")));
        *issuer.looked.lock().await = None;
        assert!(issuer.keys(Some("b")).await.unwrap().knows(Some("b")));
    }

    #[tokio::test]
    async fn known_keys_serve_while_their_issuer_is_down_but_not_for_ever() {
        let address = server(vec![ok(&set("a"))]);
        let mut issuer = issuer("https://id.example", Some(format!("http://{address}/keys")));
        issuer.keys(Some("a")).await.unwrap();
        issuer.ages.fresh = Duration::ZERO;
        for (stale, usable) in [(AGES.stale, true), (Duration::ZERO, false)] {
            *issuer.looked.lock().await = None;
            issuer.ages.stale = stale;
            assert_eq!(issuer.keys(Some("a")).await.is_ok(), usable, "{stale:?}");
            assert!(issuer.looked.lock().await.is_some(), "it looked again");
        }
    }

    #[tokio::test]
    async fn a_discovery_document_says_where_the_keys_are_and_for_whom_it_speaks() {
        let keys = server(vec![ok(&set("a"))]);
        let discovery =
            |issuer: &str| ok(&format!(r#"{{"issuer":"{issuer}","jwks_uri":"http://{keys}/k","x":1}}"#));
        // The document names its own address, which is known only once the server runs.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = [discovery("https://evil.example"), discovery(&url)];
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for answer in answers {
                let mut stream = listener.accept().unwrap().0;
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let issuer = issuer(&url, None);
        assert!(issuer.keys(Some("a")).await.unwrap_err().to_string().contains("evil"));
        *issuer.looked.lock().await = None;
        assert!(issuer.keys(Some("a")).await.unwrap().knows(Some("a")));
    }

    #[tokio::test]
    async fn a_file_is_read_again_when_a_token_names_another_key() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), set("a")).unwrap();
        let issuer = issuer("https://id.example", file.path().to_str().map(str::to_owned));
        assert!(issuer.keys(Some("a")).await.unwrap().knows(Some("a")));
        std::fs::write(file.path(), set("b")).unwrap();
        assert!(issuer.keys(Some("b")).await.unwrap().knows(Some("b")));
    }
}
