//! The connection string.

use crate::Failure;

#[derive(Clone, Debug)]
pub struct Settings {
    pub account: String,
    pub key: String,
    pub endpoint: String,
}

impl Settings {
    pub fn from_environment() -> Result<Self, Failure> {
        let text = std::env::var("LINARITE_CONNECTION_STRING")
            .map_err(|_| "set LINARITE_CONNECTION_STRING to the server's connection string")?;
        let field = |name: &str| {
            let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
            let found = pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
            found.ok_or_else(|| format!("no {name} in the connection string"))
        };
        let endpoint = field("BlobEndpoint")?.trim_end_matches('/').to_owned();
        Ok(Self { account: field("AccountName")?, key: field("AccountKey")?, endpoint })
    }
}
