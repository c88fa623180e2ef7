//! A store whose log of records was damaged by the device while it was closed: it says so, and does not open as if what
//! was acknowledged had never been.
#![expect(clippy::unwrap_used, reason = "tests, with functions beside them")]

use futures_executor::block_on;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use storage_engine::blob::{ListContainers, NewContainer};
use storage_engine::clock::{SystemClock, SystemEntropy};
use storage_engine::config::EngineConfig;
use storage_engine::name::{AccountName, ContainerName};
use storage_engine::{Engine, EngineError};

const CONTAINERS: usize = 50;

fn open(folder: &Path) -> Result<Engine, EngineError> {
    let config = EngineConfig { disks: vec![folder.to_path_buf()], ..EngineConfig::default() };
    Engine::open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy))
}

fn account() -> AccountName {
    AccountName::parse("account").unwrap()
}

fn containers(engine: &Engine) -> usize {
    let list = ListContainers { limit: 1000, ..ListContainers::default() };
    block_on(engine.blobs().list_containers(&account(), list)).unwrap().entries.len()
}

/// Makes a hole in the longest log, in the middle of what it says.
fn damage(folder: &Path) {
    let logs = fs::read_dir(folder.join("meta")).unwrap().map(|entry| entry.unwrap().path());
    let logs = logs.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    let said = |path: &Path| fs::read(path).unwrap().iter().rposition(|byte| *byte != 0).unwrap_or(0);
    let log = logs.max_by_key(|path| said(path)).unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let middle = said(&log) / 2;
    bytes.iter_mut().skip(middle).take(64).for_each(|byte| *byte = !*byte);
    fs::write(&log, bytes).unwrap();
}

#[test]
fn a_log_that_is_damaged_in_the_middle_does_not_pass_for_one_that_ends_there() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path()).unwrap();
    for number in 0..CONTAINERS {
        let name = ContainerName::parse(&format!("container{number}")).unwrap();
        block_on(engine.blobs().create_container(&account(), &name, NewContainer::default())).unwrap();
    }
    engine.close().unwrap();
    drop(engine);

    damage(folder.path());
    let refused = open(folder.path());
    let Err(EngineError::Corrupt { what }) = refused else { panic!("{refused:?}") };
    let newest = folder.path().join("newest");
    assert!(what.contains(newest.to_str().unwrap()), "{what}");
    // And says so again.
    assert!(open(folder.path()).is_err());

    fs::remove_file(newest).unwrap();
    let left = containers(&open(folder.path()).unwrap());
    assert!(left < CONTAINERS, "{left} are left");
}
