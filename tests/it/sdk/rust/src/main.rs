//! What one client writes another reads: the Rust side. And what `object_store` says of a store.
//!
//! `write CONTAINER` stores the blobs of two writers, `objectstore` and `azurerust`; `check CONTAINER WRITER` reads
//! those of any writer with both clients. The rule for names and contents is in `../python/handover.py`. `write`
//! also tries what object stores are used for: creation that must not overwrite, ranges, listing by folder.
//! `conformance PREFIX` runs the crate's own tests, in containers whose names begin so.

mod azure;
mod conformance;
mod settings;
mod store;

use settings::Settings;
use sha2::{Digest as _, Sha256};

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

pub const SIZES: [usize; 8] = [0, 1, 63, 64, 65, 4096, 100_000, 5_000_000];

/// The content that follows from a name.
pub fn content(name: &str, size: usize) -> Vec<u8> {
    let digest = Sha256::digest(name.as_bytes());
    let pattern: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    pattern.bytes().cycle().take(size).collect()
}

/// The size that stands in a name, `<writer>/<size>/<number>`.
pub fn size_in(name: &str) -> Result<usize, Failure> {
    let size = name.split('/').nth(1).ok_or_else(|| format!("no size in {name}"))?;
    Ok(size.parse()?)
}

/// Fails with a text unless the condition holds.
pub fn ensure(condition: bool, what: impl Into<String>) -> Result<(), Failure> {
    if condition { Ok(()) } else { Err(what.into().into()) }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let settings = Settings::from_environment()?;
    // Nothing here speaks TLS, but the HTTP clients are built with it and ask for a provider.
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a provider is installed once")?;
    match arguments.as_slice() {
        ["write", container] => {
            azure::create_container(&settings, container).await?;
            store::write(&settings, container).await?;
            azure::write(&settings, container).await?;
        }
        ["check", container, writer] => {
            store::check(&settings, container, writer).await?;
            azure::check(&settings, container, writer).await?;
        }
        ["conformance", prefix] => {
            let (passed, failed) = conformance::run(&settings, prefix).await?;
            println!("{passed} passed, {failed} failed");
            return ensure(failed == 0, "the store is not what the crate takes it for");
        }
        _ => return Err("usage: write CONTAINER | check CONTAINER WRITER | conformance PREFIX".into()),
    }
    println!("2 passed, 0 failed");
    Ok(())
}
