//! Where clients find the services, and the connection string that says so.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The services' addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoints {
    /// Whether they speak TLS.
    pub(crate) secure: bool,
    pub(crate) blob: SocketAddr,
    pub(crate) queue: SocketAddr,
    pub(crate) table: SocketAddr,
}

/// The services' addresses for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountEndpoints {
    pub(crate) blob: String,
    pub(crate) queue: String,
    pub(crate) table: String,
}

impl Endpoints {
    /// Those of an account.
    pub(crate) fn of(&self, account: &str) -> AccountEndpoints {
        let scheme = if self.secure { "https" } else { "http" };
        let endpoint = |address: SocketAddr| format!("{scheme}://{address}/{account}");
        AccountEndpoints {
            blob: endpoint(self.blob),
            queue: endpoint(self.queue),
            table: endpoint(self.table),
        }
    }
}

impl AccountEndpoints {
    /// What SDKs take. `key` is in Base64.
    pub(crate) fn connection_string(&self, account: &str, key: &str) -> String {
        let Self { blob, queue, table } = self;
        let scheme = blob.split_once("://").map_or("http", |(scheme, _)| scheme);
        format!(
            "DefaultEndpointsProtocol={scheme};AccountName={account};AccountKey={key};\
             BlobEndpoint={blob};QueueEndpoint={queue};TableEndpoint={table};"
        )
    }
}
