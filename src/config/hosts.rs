//! The addresses to listen on: one for all services, or one for each, as Azurite's command lines have it.
//!
//! A name is looked up once, when the configuration is read, and stands for one address from then on: listening on all
//! that a name has would open ports that nobody has asked for. `localhost` is the IPv4 loopback where there is one,
//! because the connection strings of the development account say `127.0.0.1`.
//!
//! The admin port is not among the services: it speaks no TLS and `--host 0.0.0.0` does not open it, only its own
//! setting does.

use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs as _};
use std::str::FromStr;

/// An address, given as one or by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Host(IpAddr);

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        let unknown = |why: String| format!("'{text}' is neither an address nor a name of one{why}");
        let found = (text, 0).to_socket_addrs().map_err(|error| unknown(format!(": {error}")))?;
        let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
        let local = found.iter().find(|address| address.is_ipv4() && address.is_loopback());
        local.or(found.first()).copied().map(Self).ok_or_else(|| unknown(String::new()))
    }
}

impl TryFrom<String> for Host {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where each port listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hosts {
    pub(crate) blob: IpAddr,
    pub(crate) queue: IpAddr,
    pub(crate) table: IpAddr,
    pub(crate) admin: IpAddr,
}

impl Hosts {
    /// `all` is for the services without a setting of their own; what is not set is the loopback.
    pub(super) fn new(all: Option<Host>, services: [Option<Host>; 3], admin: Option<Host>) -> Self {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let given = |host: Option<Host>, otherwise| host.map_or(otherwise, |Host(address)| address);
        let all = given(all, local);
        let [blob, queue, table] = services.map(|host| given(host, all));
        Self { blob, queue, table, admin: given(admin, local) }
    }

    /// Those of the services.
    pub(crate) fn services(&self) -> [IpAddr; 3] {
        [self.blob, self.queue, self.table]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_address_and_localhost_the_one_of_connection_strings() {
        assert_eq!("localhost".parse(), Ok(Host(IpAddr::V4(Ipv4Addr::LOCALHOST))));
        assert_eq!("::1".parse(), Ok(Host("::1".parse().unwrap())));
        for bad in ["", "a b", "nowhere.invalid"] {
            assert!(bad.parse::<Host>().unwrap_err().contains("neither"), "{bad:?}");
        }
    }

    #[test]
    fn one_service_is_opened_without_the_others_and_the_admin_port_only_by_itself() {
        let any = Some(Host("0.0.0.0".parse().unwrap()));
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let queue = Hosts::new(None, [None, any, None], None);
        assert_eq!((queue.blob, queue.table, queue.admin), (local, local, local));
        assert!(queue.queue.is_unspecified());
        let all = Hosts::new(any, [None; 3], None);
        assert!(all.services().iter().all(IpAddr::is_unspecified));
        assert_eq!(all.admin, local);
        assert!(Hosts::new(None, [None; 3], any).admin.is_unspecified());
    }
}
