//! What is driven: an account and where its three services answer.
//!
//! A subject is known from outside only, by URLs and a key; whether it is Linarite, an emulator or the cloud
//! makes no difference to the generator. There is no TLS: the machines and the code that would do it would
//! be measured along.

use crate::sign::{Form, Signer};
use http::HeaderValue;

const DEVELOPMENT_ACCOUNT: &str = "devstoreaccount1";
/// The key that every emulator of the service shares; it is printed in the vendor's documentation.
const DEVELOPMENT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// One of the three services of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Blobs.
    Blob,
    /// Queues.
    Queue,
    /// Tables.
    Table,
}

impl Service {
    /// How requests to this service are signed.
    pub(crate) fn form(self) -> Form {
        match self {
            Self::Blob | Self::Queue => Form::Full,
            Self::Table => Form::Table,
        }
    }

    /// The API version that requests name.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::Blob | Self::Queue => "2021-12-02",
            Self::Table => "2019-02-02",
        }
    }
}

/// Where one service answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Host name or address, without brackets.
    pub(crate) host: String,
    /// Port.
    pub(crate) port: u16,
    /// The `Host` header.
    pub(crate) authority: HeaderValue,
    /// What every path starts with: empty, or `/account`.
    pub(crate) prefix: String,
}

impl Endpoint {
    fn parse(url: &str, account: &str) -> Result<Self, String> {
        let uri: http::Uri = url.parse().map_err(|error| format!("endpoint {url}: {error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err(format!("endpoint {url}: only http:// can be driven"));
        }
        let authority = uri.authority().ok_or_else(|| format!("endpoint {url} names no host"))?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        let mut prefix = uri.path().trim_end_matches('/').to_owned();
        let path_style = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok();
        if prefix.is_empty() && path_style {
            prefix = format!("/{account}");
        }
        let header = HeaderValue::from_str(authority.as_str()).map_err(|error| format!("{url}: {error}"))?;
        Ok(Self { host, port: authority.port_u16().unwrap_or(80), authority: header, prefix })
    }

    /// The URL of `path` at this endpoint, as parts of a batch must spell it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{}{path}", self.authority.to_str().unwrap_or_default(), self.prefix)
    }
}

/// The parts of a connection string, or of the options that replace them; what is missing has a default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Address {
    /// The account's name.
    pub(crate) account: Option<String>,
    /// The account's key in Base64.
    pub(crate) key: Option<String>,
    /// URL of the blob service.
    pub(crate) blob: Option<String>,
    /// URL of the queue service.
    pub(crate) queue: Option<String>,
    /// URL of the table service.
    pub(crate) table: Option<String>,
}

impl Address {
    /// Reads a connection string: `Name=value` pairs between semicolons.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut address = Self::default();
        let mut suffix = None;
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or_else(|| format!("connection string: {pair}"))?;
            let value = Some(value.to_owned());
            match name.to_ascii_lowercase().as_str() {
                "accountname" => address.account = value,
                "accountkey" => address.key = value,
                "blobendpoint" => address.blob = value,
                "queueendpoint" => address.queue = value,
                "tableendpoint" => address.table = value,
                "endpointsuffix" => suffix = value,
                "defaultendpointsprotocol" | "usedevelopmentstorage" => {}
                _ => return Err(format!("connection string: {name} is not known")),
            }
        }
        if let (Some(suffix), Some(account)) = (suffix, address.account.clone()) {
            let derive = |service: &str| Some(format!("http://{account}.{service}.{suffix}"));
            address.blob = address.blob.or_else(|| derive("blob"));
            address.queue = address.queue.or_else(|| derive("queue"));
            address.table = address.table.or_else(|| derive("table"));
        }
        Ok(address)
    }

    /// Resolves defaults (the development account on its usual ports) and checks every part.
    pub(crate) fn resolve(self) -> Result<Subject, String> {
        let account = self.account.unwrap_or_else(|| DEVELOPMENT_ACCOUNT.to_owned());
        let key = self.key.unwrap_or_else(|| DEVELOPMENT_KEY.to_owned());
        let endpoint =
            |url: Option<String>, usual: &str| Endpoint::parse(url.as_deref().unwrap_or(usual), &account);
        Ok(Subject {
            blob: endpoint(self.blob, "http://127.0.0.1:10000")?,
            queue: endpoint(self.queue, "http://127.0.0.1:10001")?,
            table: endpoint(self.table, "http://127.0.0.1:10002")?,
            signer: Signer::new(&account, &key)?,
        })
    }
}

/// An account to drive.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// Signs for the account.
    pub(crate) signer: Signer,
    blob: Endpoint,
    queue: Endpoint,
    table: Endpoint,
}

impl Subject {
    /// Where `service` answers.
    pub(crate) fn endpoint(&self, service: Service) -> &Endpoint {
        match service {
            Service::Blob => &self.blob,
            Service::Queue => &self.queue,
            Service::Table => &self.table,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_the_development_account() {
        for text in ["", "UseDevelopmentStorage=true;"] {
            let subject = Address::parse(text).unwrap().resolve().unwrap();
            assert_eq!(subject.signer.account(), "devstoreaccount1");
            assert_eq!(
                subject.endpoint(Service::Queue).url("/q"),
                "http://127.0.0.1:10001/devstoreaccount1/q"
            );
        }
    }

    #[test]
    fn a_connection_string_keeps_the_padding_of_its_key() {
        let text =
            "DefaultEndpointsProtocol=http;AccountName=me;AccountKey=AAAA==;TableEndpoint=http://x:1/me/;";
        let address = Address::parse(text).unwrap();
        assert_eq!(address.key.as_deref(), Some("AAAA=="));
        assert_eq!(address.table.as_deref(), Some("http://x:1/me/"));
    }

    #[test]
    fn a_suffix_makes_host_style_endpoints() {
        let text = "AccountName=me;AccountKey=AAAA;EndpointSuffix=localhost:81";
        let subject = Address::parse(text).unwrap().resolve().unwrap();
        let endpoint = subject.endpoint(Service::Blob);
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("me.blob.localhost", 81));
        assert_eq!(endpoint.prefix, "");
    }

    #[test]
    fn an_address_without_a_path_is_path_style() {
        assert_eq!(Endpoint::parse("http://127.0.0.1:9", "me").unwrap().prefix, "/me");
        assert_eq!(Endpoint::parse("http://[::1]:9/", "me").unwrap().host, "::1");
        assert_eq!(Endpoint::parse("http://box:9/other/", "me").unwrap().prefix, "/other");
    }

    #[test]
    fn tls_and_unknown_parts_are_refused() {
        assert!(Endpoint::parse("https://127.0.0.1", "me").is_err());
        assert!(Address::parse("Nonsense=1").is_err());
        assert!(Address::parse("Nonsense").is_err());
    }
}
