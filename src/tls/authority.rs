//! A certificate authority of this machine, for `--tls` without a certificate.
//!
//! # What trusting it means
//! Whoever trusts an authority believes all it signs, so this one says in its own certificate that it signs for nothing
//! but `localhost`, what lies below it, the two loopback addresses, and the names of `--tls-name`: name constraints,
//! critical, with a path length of zero. A key that is stolen from a test machine then opens nobody's bank. The
//! constraints are part of what clients have trusted and so never change silently: a name that the authority was not
//! made for is refused with what to do.
//!
//! # What is kept
//! `server/authority.json`, readable by its owner: key, certificate, names and birth, in one file, so that no crash
//! leaves a half. `server/ca.pem` is the certificate once more, for clients. The server's own certificate is not kept:
//! it is issued at every start, and again when a third of its life is left, which costs a signature and spares a file.

use super::name::CertificateName;
use super::provider;
use crate::files::ServerFolder;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use storage_engine::clock::Timestamp;

/// The authority's certificate, for clients.
pub(crate) const CERTIFICATE_FILE: &str = "ca.pem";
/// All of the authority.
const AUTHORITY_FILE: &str = "authority.json";
/// How long the authority lives.
const AUTHORITY_LIFE: Duration = Duration::from_hours(10 * 365 * 24);
/// How long a certificate that it issues lives.
const LEAF_LIFE: Duration = Duration::from_hours(90 * 24);
/// After how much of that the next is issued.
pub(super) const LEAF_RENEWAL: Duration = Duration::from_hours(60 * 24);
/// Certificates begin so much earlier, for clients whose clock is behind.
const CLOCK_SLACK: Duration = Duration::from_hours(24);
/// Labels below which accounts live in host-style addresses; `web` is for static websites.
const SERVICE_LABELS: [&str; 4] = ["blob", "queue", "table", "web"];

/// The authority.
pub(super) struct Authority {
    key: KeyPair,
    kept: Kept,
}

/// What is in the authority's file.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u32,
    key: String,
    certificate: String,
    names: Vec<CertificateName>,
    made_unix_seconds: u64,
}

/// The names that every authority of ours is for.
fn own_names() -> Vec<CertificateName> {
    vec![
        CertificateName::Dns("localhost".to_owned()),
        CertificateName::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        CertificateName::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ]
}

impl Authority {
    /// The authority of this folder, made if there is none, for its own names and `names`.
    ///
    /// # Errors
    /// A sentence for the user: the folder's device failed, or the authority is for fewer names, or it ends.
    pub(super) fn open_or_create(
        folder: &ServerFolder,
        names: &[CertificateName],
        now: Timestamp,
    ) -> Result<Self, String> {
        let path = folder.path(AUTHORITY_FILE);
        let failed = |error| format!("cannot keep the certificate authority in {}: {error}", path.display());
        let authority = if let Some(text) = folder.read(AUTHORITY_FILE).map_err(failed)? {
            Self::of_text(&text)
                .map_err(|error| format!("the certificate authority in {}: {error}", path.display()))?
        } else {
            let made = Self::create(names, now)
                .map_err(|error| format!("cannot make a certificate authority: {error}"))?;
            let text = serde_json::to_string_pretty(&made.kept).map_err(|error| error.to_string())?;
            folder.write(AUTHORITY_FILE, &text).map_err(failed)?;
            made
        };
        let remedy = format!("to have a new one made, remove {} and trust the new one", path.display());
        if let Some(name) = names.iter().find(|name| !authority.kept.names.contains(name)) {
            return Err(format!("the certificate authority was not made for {name}; {remedy}"));
        }
        let end = Timestamp::from_unix_seconds(authority.kept.made_unix_seconds).after(AUTHORITY_LIFE);
        if now.after(LEAF_LIFE) >= end {
            return Err(format!("the certificate authority is at its end; {remedy}"));
        }
        let shown = folder.read(CERTIFICATE_FILE).map_err(failed)?;
        if shown.as_ref() != Some(&authority.kept.certificate) {
            folder.write(CERTIFICATE_FILE, &authority.kept.certificate).map_err(failed)?;
        }
        Ok(authority)
    }

    fn of_text(text: &str) -> Result<Self, String> {
        let kept: Kept = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if kept.version != 1 {
            return Err(format!("its version is {}, and this build knows 1", kept.version));
        }
        let key = KeyPair::from_pem(&kept.key).map_err(|error| error.to_string())?;
        Ok(Self { key, kept })
    }

    fn create(names: &[CertificateName], now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut all = own_names();
        all.extend(names.iter().filter(|name| !own_names().contains(name)).cloned());
        let mut kept = Kept {
            version: 1,
            key: key.serialize_pem(),
            certificate: String::new(),
            names: all,
            made_unix_seconds: now.unix_seconds(),
        };
        kept.certificate = authority_parameters(&key, &kept).self_signed(&key)?.pem();
        Ok(Self { key, kept })
    }

    /// A new certificate for the authority's own names and `names`, and when the next one is due.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(super) fn issue(
        &self,
        names: &[CertificateName],
        now: Timestamp,
    ) -> Result<(CertifiedKey, Timestamp), String> {
        let failed = |error: rcgen::Error| format!("cannot issue a certificate: {error}");
        let key = KeyPair::generate().map_err(failed)?;
        let parameters = leaf_parameters(names, now).map_err(failed)?;
        let issuer = Issuer::new(authority_parameters(&self.key, &self.kept), &self.key);
        let certificate = parameters.signed_by(&key, &issuer).map_err(failed)?;
        let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let certified = CertifiedKey::from_der(vec![certificate.der().clone()], key.into(), &provider())
            .map_err(|error| format!("cannot use a certificate that was just issued: {error}"))?;
        Ok((certified, now.after(LEAF_RENEWAL)))
    }
}

/// What the authority's certificate says. The same each time, so that what it issues names it rightly.
fn authority_parameters(key: &KeyPair, kept: &Kept) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let id = parameters.key_identifier(key);
    let id = id.first_chunk().map_or(0, |id| u32::from_be_bytes(*id));
    parameters.distinguished_name.push(DnType::OrganizationName, "Linarite");
    parameters.distinguished_name.push(DnType::CommonName, format!("Linarite local authority {id:08x}"));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Not for mail and programs either.
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let permitted = kept.names.iter().map(|name| match name {
        CertificateName::Dns(name) => GeneralSubtree::DnsName(name.clone()),
        CertificateName::Address(address) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            GeneralSubtree::IpAddress(exactly(*address, bits))
        }
    });
    parameters.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted.collect(), excluded_subtrees: Vec::new() });
    let made = Timestamp::from_unix_seconds(kept.made_unix_seconds);
    set_life(&mut parameters, made, AUTHORITY_LIFE);
    parameters
}

fn exactly(address: IpAddr, bits: u8) -> CidrSubnet {
    CidrSubnet::from_addr_prefix(address, bits)
}

fn leaf_parameters(names: &[CertificateName], now: Timestamp) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "Linarite");
    parameters.use_authority_key_identifier_extension = true;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for name in own_names().iter().chain(names) {
        match name {
            CertificateName::Address(address) => {
                parameters.subject_alt_names.push(SanType::IpAddress(*address));
            }
            CertificateName::Dns(name) => {
                parameters.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
                for service in SERVICE_LABELS {
                    let accounts = format!("*.{service}.{name}");
                    parameters.subject_alt_names.push(SanType::DnsName(accounts.try_into()?));
                }
            }
        }
    }
    set_life(&mut parameters, now, LEAF_LIFE);
    Ok(parameters)
}

fn set_life(parameters: &mut CertificateParams, from: Timestamp, life: Duration) {
    let from = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(from.unix_seconds());
    parameters.not_before = from - CLOCK_SLACK;
    parameters.not_after = from + life;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<CertificateName> {
        texts.iter().map(|text| CertificateName::parse(text).unwrap()).collect()
    }

    #[test]
    fn the_authority_stays_and_refuses_names_it_was_not_made_for() {
        let data = tempfile::tempdir().unwrap();
        let folder = ServerFolder::of(data.path());
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let first = Authority::open_or_create(&folder, &names(&["azure.test"]), now).unwrap();
        let again = Authority::open_or_create(&folder, &names(&["localhost"]), now).unwrap();
        assert_eq!(first.kept.certificate, again.kept.certificate);
        assert_eq!(folder.read(CERTIFICATE_FILE).unwrap(), Some(first.kept.certificate));
        let refused = Authority::open_or_create(&folder, &names(&["other.test"]), now).err().unwrap();
        assert!(refused.contains("other.test") && refused.contains("remove"), "{refused}");
        let late = now.after(AUTHORITY_LIFE);
        assert!(Authority::open_or_create(&folder, &[], late).err().unwrap().contains("end"));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_not_a_new_authority() {
        let data = tempfile::tempdir().unwrap();
        let folder = ServerFolder::of(data.path());
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        for bad in [
            "",
            "{}",
            "{\"version\":2,\"key\":\"\",\"certificate\":\"\",\"names\":[],\"made_unix_seconds\":0}",
        ] {
            folder.write(AUTHORITY_FILE, bad).unwrap();
            assert!(Authority::open_or_create(&folder, &[], now).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_it_issues_holds_for_accounts_below_its_names() {
        let data = tempfile::tempdir().unwrap();
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let more = names(&["azure.test"]);
        let authority = Authority::open_or_create(&ServerFolder::of(data.path()), &more, now).unwrap();
        let (leaf, next) = authority.issue(&more, now).unwrap();
        assert!(next > now && next < now.after(LEAF_LIFE));
        let leaf = rustls::server::ParsedCertificate::try_from(&leaf.cert[0]).unwrap();
        let valid = |name: &str| {
            let name = rustls::pki_types::ServerName::try_from(name.to_owned()).unwrap();
            rustls::client::verify_server_name(&leaf, &name).is_ok()
        };
        for good in [
            "localhost",
            "127.0.0.1",
            "::1",
            "dev.blob.localhost",
            "dev.web.localhost",
            "dev.table.azure.test",
            "azure.test",
        ] {
            assert!(valid(good), "{good}");
        }
        for bad in ["example.org", "127.0.0.2", "dev.azure.test"] {
            assert!(!valid(bad), "{bad}");
        }
    }
}
