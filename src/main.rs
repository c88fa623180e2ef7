//! Linarite: Azure Storage's own APIs on local disks, in one binary.
//!
//! Arguments become a [`config::Config`], the configuration a running [`node::Node`]; a signal stops it. With a
//! [`command`] they ask a running server, or nobody, for something else.

mod accounts;
mod admin;
mod change_feed;
mod command;
mod config;
mod endpoints;
mod files;
mod identity;
mod listener;
mod node;
mod outbound;
mod sources;
mod telemetry;
mod tls;

use clap::Parser;
use config::{Config, Flags};
use node::Node;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// A request is many small allocations, often freed by another thread than the one that made them: what this allocator
/// is made for and the system's is not. Chosen from a profile of Get Blob, where `malloc` and `free` stood high; what
/// it gains was not measured by itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut flags = Flags::parse();
    if let Some(command) = flags.command.take() {
        return match command.run(&flags) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let config = match Config::from_flags(flags) {
        Ok(config) => config,
        Err(error) => return fail(&error),
    };
    raise_open_files_limit();
    keep_memory_to_ourselves();
    files::keep_files_to_ourselves();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start threads: {error}")),
    };
    match runtime.block_on(serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// As many open files as we may have: connections, segments and `RocksDB`'s files come to more than the usual soft
/// limit.
fn raise_open_files_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// No core dump of this process, and no look into its memory for other processes of the same user: keys and tokens lie
/// there. A system whose core pattern is a program ignores the limit but not the mark.
fn keep_memory_to_ourselves() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "cannot rule out core dumps");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "cannot close memory to other processes");
    }
}

async fn serve(config: Config) -> Result<(), String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let node = Node::start(config).await?;
    node.announce();
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    node.stop().await;
    Ok(())
}

fn fail(error: &str) -> ExitCode {
    eprintln!("linarite: {error}");
    ExitCode::FAILURE
}
