//! Sources of copies that are other servers: what may be asked, and how.
//!
//! Clients give addresses and this server fetches them, from where it stands. So it must not stand in for a client
//! where that client could not go: at the metadata service of a cloud (which gives out credentials), at services of
//! this machine, at neighbours in a private network.
//! - **Addresses are judged when they are connected to**, after the name was resolved, so a name that means one thing
//!   to a check and another to the connection is no way around. An address in the URL itself is judged before.
//! - **Link-local and metadata addresses are never asked**, whatever is configured. An IPv6 address that a gateway
//!   takes to an IPv4 one is judged as that one.
//! - **Loopback and private addresses are asked only with `--copy-from-private`.** Without it a server that is
//!   reachable by more than its own machine would be a way to whatever its network trusts. Copies on this server are
//!   not affected: they open no connection at all, so code that copies between its own containers needs no setting.
//! - **A redirect is an answer like any other** and fails the copy; nothing is asked that the client did not name.

use crate::{listener, outbound};
use api::Body;
use api::source::{SourceError, Sources};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::uri::Authority;
use http::{Request, Response, Uri};
use http_body_util::Empty;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower_service::Service;

/// How long connecting may take, without TLS.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long it may take until the head of the answer is there.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a source that broke off is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// Copies that take their time, at once. More wait, pending.
const COPIES_MAX: usize = 16;

type Web = Client<HttpsConnector<HttpConnector<Guarded>>, Empty<Bytes>>;

/// An address that may not be asked.
#[derive(Debug, Clone, Copy)]
enum Barred {
    /// Never.
    Always,
    /// As long as the server is not told that it may.
    UnlessPrivate,
}

impl Barred {
    /// Why none of these addresses is asked, with a reach that has none of them.
    fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let never = addresses.into_iter().all(|address| is_barred(address, Reach::Private));
        if never { Self::Always } else { Self::UnlessPrivate }
    }
}

impl std::fmt::Display for Barred {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("The source is at an address that this server does not ask.")?;
        match self {
            Self::Always => Ok(()),
            Self::UnlessPrivate => f.write_str(
                " The server's flag --copy-from-private allows addresses of its own machine and of private networks.",
            ),
        }
    }
}

impl std::error::Error for Barred {}

/// How far this server goes to fetch what clients name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Addresses of the public Internet.
    Public,
    /// Those, and this machine and private networks.
    Private,
}

/// Other servers, over HTTP and HTTPS.
pub(crate) struct WebSources {
    blob: SocketAddr,
    reach: Reach,
    /// Made when it is first needed: a machine without trusted certificates serves blobs all the same.
    web: OnceLock<Result<Web, String>>,
    running: Arc<Semaphore>,
}

impl WebSources {
    /// For a server whose blobs are at `blob`.
    pub(crate) fn new(blob: SocketAddr, reach: Reach) -> Self {
        let running = Arc::new(Semaphore::new(COPIES_MAX));
        Self { blob, reach, web: OnceLock::new(), running }
    }

    fn web(&self) -> Result<&Web, SourceError> {
        let web = self.web.get_or_init(|| open(self.reach));
        web.as_ref().map_err(|reason| SourceError::Unreachable(reason.clone().into()))
    }
}

fn open(reach: Reach) -> Result<Web, String> {
    let mut tcp = HttpConnector::new_with_resolver(Guarded { names: GaiResolver::new(), reach });
    tcp.set_connect_timeout(Some(CONNECTING));
    Ok(Client::builder(TokioExecutor::new()).build(outbound::with_tls(tcp)?))
}

impl Sources for WebSources {
    fn ask(&self, request: Request<()>) -> BoxFuture<'_, Result<Response<Body>, SourceError>> {
        Box::pin(async move {
            let refused = |barred: Barred| SourceError::Forbidden(barred.to_string());
            if let Some(address) = literal(request.uri()).filter(|address| is_barred(*address, self.reach)) {
                return Err(refused(Barred::of([address])));
            }
            let answer = self.web()?.request(request.map(|()| Empty::new()));
            let answer = tokio::time::timeout(PATIENCE, answer).await;
            let answer = answer.map_err(|late| SourceError::Unreachable(late.into()))?;
            answer.map(listener::at_a_pace).map_err(|error| match bar(&error) {
                Some(barred) => refused(barred),
                None => SourceError::Unreachable(error.into()),
            })
        })
    }

    fn pause(&self) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(PAUSE))
    }

    fn is_own(&self, authority: &Authority) -> bool {
        if authority.port_u16() != Some(self.blob.port()) {
            return false;
        }
        let host = authority.host().to_ascii_lowercase();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        match address {
            Ok(address) => {
                address == self.blob.ip() || (address.is_loopback() && self.blob.ip().is_loopback())
            }
            Err(_) => host == "localhost" || host.ends_with(".localhost"),
        }
    }

    fn run(&self, copy: BoxFuture<'static, ()>) {
        let running = Arc::clone(&self.running);
        tokio::spawn(async move {
            // Never closed, so a permit always comes.
            let _permit = running.acquire_owned().await;
            copy.await;
        });
    }
}

/// The address, if the URL has one in place of a name.
fn literal(uri: &Uri) -> Option<IpAddr> {
    uri.host()?.trim_matches(['[', ']']).parse().ok()
}

/// The bar that caused an error, if one did.
fn bar(error: &(dyn std::error::Error + 'static)) -> Option<Barred> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(barred) = error.downcast_ref() {
            return Some(*barred);
        }
        cause = error.source();
    }
    None
}

/// Resolves names, and keeps of their addresses those that may be asked.
#[derive(Debug, Clone)]
struct Guarded {
    names: GaiResolver,
    reach: Reach,
}

impl Service<Name> for Guarded {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.names.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, reach) = (self.names.call(name), self.reach);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            let mut addresses = found.clone();
            addresses.retain(|address| !is_barred(address.ip(), reach));
            if addresses.is_empty() {
                return Err(Barred::of(found.iter().map(SocketAddr::ip)).into());
            }
            Ok(addresses.into_iter())
        })
    }
}

/// Whether this server does not ask there.
fn is_barred(address: IpAddr, reach: Reach) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_barred_v4(address, reach),
        IpAddr::V6(address) => is_barred_v6(address, reach),
    }
}

fn is_barred_v4(address: Ipv4Addr, reach: Reach) -> bool {
    let [first, second, third, _] = address.octets();
    // Where clouds answer machines about themselves, besides link-local addresses.
    let metadata = [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200)];
    let never = address.is_link_local()
        || first == 0
        || (first, second, third) == (192, 0, 0)
        // Multicast, reserved, broadcast.
        || first >= 224
        || metadata.contains(&address);
    let shared = first == 100 && (64..128).contains(&second);
    let benchmark = first == 198 && (18..20).contains(&second);
    let near = address.is_loopback() || address.is_private() || shared || benchmark;
    never || (reach == Reach::Public && near)
}

fn is_barred_v6(address: Ipv6Addr, reach: Reach) -> bool {
    if let Some(address) = carried(address) {
        return is_barred_v4(address, reach);
    }
    let metadata = [
        Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
        Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    ];
    let [first, second, third, ..] = address.segments();
    let never = address.is_unicast_link_local()
        || address.is_unspecified()
        || address.is_multicast()
        // What was link-local's neighbour once; gateways whose network says where in an address the other one is;
        // Teredo, which hides it.
        || (0xfec0..=0xfeff).contains(&first)
        || (first, second, third) == (0x64, 0xff9b, 1)
        || (first, second) == (0x2001, 0)
        || metadata.contains(&address);
    never || (reach == Reach::Public && (address.is_loopback() || address.is_unique_local()))
}

/// The IPv4 address to which a gateway takes what is sent to this one: it is at its end (RFC 6052 and the
/// IPv4-compatible addresses of RFC 4291) or behind its beginning (6to4, RFC 3056).
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => (high, low),
        // Not the two that have names of their own.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) != (0, 0) && (high, low) != (0, 1) => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::tests::{ok, server};

    fn barred(text: &str, reach: Reach) -> bool {
        is_barred(text.parse().unwrap(), reach)
    }

    #[test]
    fn what_gives_out_credentials_is_never_asked() {
        for address in [
            "169.254.169.254",
            "169.254.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "febf::1",
            "fd00:ec2::254",
            "168.63.129.16",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.0.192",
            "::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "64:ff9b:1::a9fe:a9fe",
            "2001:0:a9fe:a9fe::1",
            "fec0::1",
            "ff02::1",
            "fd20:ce::254",
        ] {
            assert!(barred(address, Reach::Private) && barred(address, Reach::Public), "{address}");
        }
    }

    #[test]
    fn this_machine_and_its_neighbours_are_asked_only_if_that_is_allowed() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.1.2.3",
            "2002:a01:203::1",
            "fd12::1",
        ] {
            assert!(barred(address, Reach::Public) && !barred(address, Reach::Private), "{address}");
        }
        let public = [
            "8.8.8.8",
            "2001:4860:4860::8888",
            "172.32.0.1",
            "198.20.0.1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
        ];
        for address in public {
            assert!(!barred(address, Reach::Public), "{address}");
        }
    }

    async fn asked(url: &str, reach: Reach) -> Result<u16, String> {
        let sources = WebSources::new(([127, 0, 0, 1], 1).into(), reach);
        let request = Request::get(url).body(()).unwrap();
        sources.ask(request).await.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_name_is_judged_by_what_it_means() {
        let told = asked("http://127.0.0.1:1/", Reach::Public).await.unwrap_err();
        assert!(told.contains("--copy-from-private"), "{told}");
        for url in ["http://localhost:1/", "http://10.0.0.1:1/", "http://[::1]:1/", "http://2130706433:1/"] {
            assert_eq!(asked(url, Reach::Public).await.as_ref(), Err(&told), "{url}");
        }
        let refused = Err(Barred::Always.to_string());
        for url in ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/"] {
            assert_eq!(asked(url, Reach::Private).await, refused, "{url}");
            assert_eq!(asked(url, Reach::Public).await, refused, "a flag would not help: {url}");
        }
        let port = server(vec![ok("hello")]).port();
        assert_eq!(asked(&format!("http://localhost:{port}/"), Reach::Private).await, Ok(200));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let target = server(vec![ok("elsewhere")]);
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(asked(&format!("http://{}/", server(vec![answer])), Reach::Private).await, Ok(302));
    }

    #[test]
    fn our_own_addresses_are_known() {
        let sources = WebSources::new(([127, 0, 0, 1], 10_000).into(), Reach::Public);
        let own = |text: &str| sources.is_own(&text.parse().unwrap());
        for text in ["127.0.0.1:10000", "localhost:10000", "dev.blob.localhost:10000", "[::1]:10000"] {
            assert!(own(text), "{text}");
        }
        for text in ["127.0.0.1:10001", "localhost", "10.0.0.1:10000", "example.org:10000"] {
            assert!(!own(text), "{text}");
        }
    }
}
