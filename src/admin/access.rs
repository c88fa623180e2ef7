//! Who may administer: whoever is on this machine and can read a file of the data folder.
//!
//! At each start the server makes a random token and writes it, with the admin port's address, into
//! `server/admin.json`, which only the server's own user can read. That file is all that a command needs to find the
//! server and to be let in; nobody has to choose, remember or distribute a secret, and none outlives the process. Every
//! path but `/healthz` and `/metrics` asks for it, and for a caller on this machine: the port speaks no TLS, so a token
//! must not travel.

use super::reply::Refusal;
use crate::files::ServerFolder;
use api::{Arrival, Body};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Request, StatusCode, header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;

/// The file with the address and the token.
const FILE: &str = "admin.json";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// What a command needs to administer a running server.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// The admin port.
    pub(crate) address: SocketAddr,
    /// To be sent as a bearer token.
    pub(crate) token: String,
}

/// Lets callers in, or not.
pub(crate) struct Access {
    pass: Pass,
    folder: ServerFolder,
}

impl Pass {
    /// The pass of the server that has this folder open, or had it last.
    ///
    /// # Errors
    /// A sentence for the user: no server runs there, or its pass is for somebody else's eyes.
    pub(crate) fn read(folder: &ServerFolder) -> Result<Self, String> {
        let path = folder.path(FILE);
        match folder.read(FILE) {
            Ok(Some(text)) => {
                serde_json::from_str(&text).map_err(|error| format!("{} is damaged: {error}", path.display()))
            }
            Ok(None) => Err(format!(
                "no server runs on this data folder ({} is missing): start one, or name its folder with --disk",
                path.display()
            )),
            Err(error) => Err(format!("cannot read {}: {error}", path.display())),
        }
    }
}

impl Access {
    /// Makes a token for the admin port at `address` and leaves it in the folder.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn open(address: SocketAddr, folder: ServerFolder) -> Result<Self, String> {
        let mut bytes = [0; TOKEN_BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| format!("there is no randomness for a token: {error}"))?;
        let pass = Pass { address, token: URL_SAFE_NO_PAD.encode(bytes) };
        let text = serde_json::to_string_pretty(&pass).map_err(|error| error.to_string())?;
        folder
            .write(FILE, &text)
            .map_err(|error| format!("cannot write {}: {error}", folder.path(FILE).display()))?;
        Ok(Self { pass, folder })
    }

    /// Lets the caller in if it is on this machine and has the token.
    ///
    /// # Errors
    /// 403 from elsewhere, 401 without the token.
    pub(crate) fn check(&self, arrival: Arrival, request: &Request<Body>) -> Result<(), Refusal> {
        let here = |peer: SocketAddr| {
            let peer = peer.ip().to_canonical();
            peer.is_loopback() || peer == self.pass.address.ip()
        };
        if !arrival.peer.is_some_and(here) {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "only callers on this machine administer it"));
        }
        let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        // Sums of both, so that how long comparing takes says nothing about the token.
        if Sha256::digest(given) != Sha256::digest(&self.pass.token) {
            let text = "the token in server/admin.json of the data folder is missing";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, text));
        }
        Ok(())
    }

    /// Takes the pass away when the server stops, so that commands say that none runs.
    pub(crate) fn close(&self) {
        if let Err(error) = self.folder.remove(FILE) {
            tracing::warn!(%error, "the admin token's file could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: Option<&str>) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        if let Some(token) = token {
            let value = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        request
    }

    fn from(peer: &str) -> Arrival {
        Arrival { peer: Some(peer.parse().unwrap()), secure: false }
    }

    #[test]
    fn only_holders_of_the_token_on_this_machine_are_let_in() {
        let data = tempfile::tempdir().unwrap();
        let folder = ServerFolder::of(data.path());
        assert!(Pass::read(&folder).err().unwrap().contains("no server runs"));
        let access = Access::open("10.0.0.5:1".parse().unwrap(), folder.clone()).unwrap();
        let token = Pass::read(&folder).unwrap().token;
        assert_eq!(URL_SAFE_NO_PAD.decode(&token).unwrap().len(), TOKEN_BYTES);
        let status =
            |arrival, token| access.check(arrival, &request(token)).err().map(|refusal| refusal.status());
        for here in ["127.0.0.1:9", "[::1]:9", "10.0.0.5:9", "[::ffff:127.0.0.1]:9"] {
            assert_eq!(status(from(here), Some(&token)), None, "{here}");
            assert_eq!(status(from(here), None), Some(StatusCode::UNAUTHORIZED));
            assert_eq!(status(from(here), Some("wrong")), Some(StatusCode::UNAUTHORIZED));
            assert_eq!(status(from(here), Some("")), Some(StatusCode::UNAUTHORIZED));
        }
        assert_eq!(status(from("10.0.0.6:9"), Some(&token)), Some(StatusCode::FORBIDDEN));
        assert_eq!(status(Arrival::default(), Some(&token)), Some(StatusCode::FORBIDDEN));
        access.close();
        assert!(Pass::read(&folder).is_err());
    }
}
