//! TLS: which certificate is shown, and its change without a restart.
//!
//! Two sources. *Files* that somebody else cares for (`--cert`, `--key`): they are read again when they change and
//! on SIGHUP; what cannot be used is logged, and the certificate before it stays, because a server that goes dark
//! over a half-copied file is worse than an old certificate. *A local authority* ([`authority`], `--tls` alone):
//! made at the first start, so that a test machine has TLS that clients can verify, without anybody's help.
//!
//! # Why rustls with ring
//! No system library in a single binary, and no parser of certificates in C. Of rustls's two providers ring builds
//! in seconds with the compiler that is there; the other one wants cmake and minutes.
//!
//! Sessions resume by rustls's own cache; a certificate that is replaced is shown in the next full handshake.

mod authority;
mod name;

pub(crate) use authority::CERTIFICATE_FILE;
pub(crate) use name::CertificateName;

use crate::files::{self, ServerFolder, Trace};
use authority::Authority;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use storage_engine::clock::{Clock, Timestamp};
use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::TlsAcceptor;

/// How often files are looked at, and the age of a certificate of our own.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What a client may choose from, in our order of preference.
const PROTOCOLS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
/// HTTP/2's name in a handshake.
pub(crate) const HTTP2: &[u8] = b"h2";

/// What was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsSettings {
    /// A chain and its key, both PEM.
    Files {
        /// The chain, the server's own certificate first.
        cert: PathBuf,
        /// The key, without a passphrase.
        key: PathBuf,
    },
    /// The local authority, for these names besides its own.
    Local(Vec<CertificateName>),
}

/// The server's side of TLS.
pub(crate) struct Tls {
    shown: Arc<ShownCertificate>,
    acceptor: TlsAcceptor,
    source: Source,
    clock: Arc<dyn Clock>,
}

/// Where certificates come from, and what was last taken from there.
enum Source {
    Files { cert: PathBuf, key: PathBuf, taken: Mutex<[Trace; 2]> },
    Local { authority: Box<Authority>, names: Vec<CertificateName>, renew: Mutex<Timestamp> },
}

/// The certificate of the next handshake.
#[derive(Debug)]
struct ShownCertificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for ShownCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// Reads the certificate, or makes one.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn open(
        settings: TlsSettings,
        folder: &ServerFolder,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let (source, first) = match settings {
            TlsSettings::Files { cert, key } => {
                let taken = [files::trace(&cert), files::trace(&key)];
                let first = read_certificate(&cert, &key)?;
                (Source::Files { cert, key, taken: Mutex::new(taken) }, first)
            }
            TlsSettings::Local(names) => {
                let authority = Box::new(Authority::open_or_create(folder, &names, clock.now())?);
                let (first, renew) = authority.issue(&names, clock.now())?;
                (Source::Local { authority, names, renew: Mutex::new(renew) }, first)
            }
        };
        let shown = Arc::new(ShownCertificate(RwLock::new(Arc::new(first))));
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("cannot set up TLS: {error}"))?;
        let mut config =
            config.with_no_client_auth().with_cert_resolver(Arc::<ShownCertificate>::clone(&shown));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Self { shown, acceptor: TlsAcceptor::from(Arc::new(config)), source, clock })
    }

    /// What makes a TLS connection of a TCP connection.
    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// Looks after the certificate from now on, until the process ends: SIGHUP, changed files, age.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn watch(self: &Arc<Self>) -> Result<(), String> {
        let mut hangup =
            signal(SignalKind::hangup()).map_err(|error| format!("cannot wait for SIGHUP: {error}"))?;
        let tls = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let asked = tokio::select! {
                    _ = hangup.recv() => true,
                    () = tokio::time::sleep(LOOK_EVERY) => false,
                };
                let tls = Arc::clone(&tls);
                // Files may be on a slow device.
                let _ = tokio::task::spawn_blocking(move || tls.refresh(asked)).await;
            }
        });
        Ok(())
    }

    /// Takes a new certificate if there is one, or if it is `asked`. A failure leaves the old one.
    fn refresh(&self, asked: bool) {
        let renewed = match &self.source {
            Source::Files { cert, key, taken } => {
                let now = [files::trace(cert), files::trace(key)];
                let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
                if !asked && *taken == now {
                    return;
                }
                // Also when it fails below: the same broken file is complained about once.
                *taken = now;
                read_certificate(cert, key)
            }
            Source::Local { authority, names, renew } => {
                let mut renew = renew.lock().unwrap_or_else(PoisonError::into_inner);
                let now = self.clock.now();
                if !asked && now < *renew {
                    return;
                }
                authority.issue(names, now).map(|(certificate, next)| {
                    *renew = next;
                    certificate
                })
            }
        };
        match renewed {
            Ok(certificate) => {
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
                tracing::info!("a new TLS certificate is shown from now on");
            }
            Err(error) => tracing::warn!(error, "the new TLS certificate cannot be used; the old one stays"),
        }
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// Reads a chain and its key and checks that they belong together.
fn read_certificate(cert: &Path, key: &Path) -> Result<CertifiedKey, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&files::read(cert)?).collect();
    let chain = chain.map_err(|error| format!("{} is no PEM file: {error}", cert.display()))?;
    if chain.is_empty() {
        return Err(format!(
            "{} has no certificate in PEM form; a PKCS#12 file (.pfx) becomes one with \
             `openssl pkcs12 -in FILE -nodes -out FILE.pem`",
            cert.display()
        ));
    }
    let text = files::read(key)?;
    if text.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
        return Err(format!(
            "the key in {} has a passphrase; take it off with `openssl pkey -in FILE -out FILE.key`",
            key.display()
        ));
    }
    let key_der = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|error| format!("{} has no private key in PEM form: {error}", key.display()))?;
    CertifiedKey::from_der(chain, key_der, &provider()).map_err(|error| {
        format!("certificate {} and key {} cannot be used: {error}", cert.display(), key.display())
    })
}

/// What a PEM file says of a key with a passphrase.
const ENCRYPTED: &[u8] = b"ENCRYPTED";

#[cfg(test)]
mod tests {
    use super::*;
    /// A clock that moves only when told to.
    #[derive(Debug)]
    struct ManualClock(Mutex<Timestamp>);

    impl Default for ManualClock {
        fn default() -> Self {
            Self(Mutex::new(Timestamp::from_unix_seconds(1_800_000_000)))
        }
    }

    impl ManualClock {
        fn advance(&self, span: Duration) {
            let mut now = self.0.lock().unwrap();
            *now = now.after(span);
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    fn write_pair(folder: &Path, name: &str) -> CertificateDer<'static> {
        let pair = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        std::fs::write(folder.join("cert.pem"), pair.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        pair.cert.der().clone()
    }

    fn shown(tls: &Tls) -> CertificateDer<'static> {
        tls.shown.0.read().unwrap().cert[0].clone()
    }

    fn of_files(folder: &Path) -> Result<Tls, String> {
        let settings = TlsSettings::Files { cert: folder.join("cert.pem"), key: folder.join("key.pem") };
        Tls::open(settings, &ServerFolder::of(folder), Arc::new(ManualClock::default()))
    }

    #[test]
    fn changed_files_are_taken_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let first = write_pair(folder.path(), "first.example");
        let tls = of_files(folder.path()).unwrap();
        assert_eq!(shown(&tls), first);
        let second = write_pair(folder.path(), "second-and-longer.example");
        tls.refresh(false);
        assert_eq!(shown(&tls), second);
        std::fs::write(folder.path().join("key.pem"), "nothing of a key").unwrap();
        tls.refresh(false);
        tls.refresh(true);
        assert_eq!(shown(&tls), second);
        let third = write_pair(folder.path(), "third.example");
        tls.refresh(true);
        assert_eq!(shown(&tls), third);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(of_files(folder.path()).err().unwrap().contains("cert.pem"));
        write_pair(folder.path(), "one.example");
        let key = std::fs::read(folder.path().join("key.pem")).unwrap();
        write_pair(folder.path(), "two.example");
        std::fs::write(folder.path().join("key.pem"), key).unwrap();
        assert!(of_files(folder.path()).err().unwrap().contains("cannot be used"));
        std::fs::write(folder.path().join("key.pem"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n").unwrap();
        assert!(of_files(folder.path()).err().unwrap().contains("passphrase"));
        std::fs::write(folder.path().join("cert.pem"), [0x30, 0x82]).unwrap();
        assert!(of_files(folder.path()).err().unwrap().contains("pkcs12"));
    }

    #[test]
    fn a_certificate_of_our_own_is_renewed_before_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let open = || {
            let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
            Tls::open(TlsSettings::Local(Vec::new()), &ServerFolder::of(folder.path()), clock)
        };
        let tls = open().unwrap();
        let first = shown(&tls);
        tls.refresh(false);
        assert_eq!(shown(&tls), first);
        clock.advance(authority::LEAF_RENEWAL);
        tls.refresh(false);
        assert_ne!(shown(&tls), first);
        let authority = std::fs::read(ServerFolder::of(folder.path()).path(CERTIFICATE_FILE)).unwrap();
        open().unwrap();
        assert_eq!(
            std::fs::read(ServerFolder::of(folder.path()).path(CERTIFICATE_FILE)).unwrap(),
            authority,
            "the authority stays the one that clients trust"
        );
    }
}
