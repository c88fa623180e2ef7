//! Encrypted blobs of all kinds through the verbs: one key each, scopes, and containers that have one.

use super::*;
use crate::blob::fixture::{Fixture, block_id, read_all};
use crate::blob::{
    AppendConditions, BlockChoice, ByteRange, CopyEnd, CopyState, NewBlob, NewContainer, Protection,
    SequenceConditions, Which,
};
use crate::chunk::Staged;
use crate::clock::SeededEntropy;
use crate::encryption_scope::EncryptionScopeStore;
use crate::meta::Family;
use crate::seal::{CustomerKey, ScopeAddress};
use bytes::Bytes;
use futures_executor::block_on;

const NONE: Protection = Protection {
    versioning: false,
    delete_retention_days: None,
    permanent_delete_allowed: false,
    tracks_access: false,
};

fn customer(byte: u8) -> EncryptionWish {
    EncryptionWish { customer: Some(CustomerKey::new([byte; 32].into())), scope: None }
}

fn of_scope(name: &str) -> EncryptionWish {
    EncryptionWish { customer: None, scope: Some(name.to_owned()) }
}

fn with(wish: &EncryptionWish) -> Conditions {
    Conditions { customer_key: wish.customer.clone(), ..Conditions::default() }
}

fn staged(store: &Fixture, name: &str, wish: &EncryptionWish, bytes: &[u8]) -> Result<Staged> {
    let sealing = block_on(store.blobs.sealing(&store.at(name), wish.clone()))?;
    let mut upload = store.blobs.upload_sealed(&sealing);
    block_on(upload.write(Bytes::copy_from_slice(bytes)))?;
    block_on(upload.finish_in_chunks())
}

fn put(store: &Fixture, name: &str, wish: &EncryptionWish, bytes: &[u8]) -> Result<()> {
    let content = staged(store, name, wish, bytes)?;
    let at = store.at(name);
    block_on(store.blobs.put_block_blob(&at, NewBlob::default(), content, with(wish), NONE)).map(drop)
}

fn read(store: &Fixture, name: &str, wish: &EncryptionWish, range: Option<ByteRange>) -> Result<Vec<u8>> {
    read_all(block_on(store.blobs.read(&store.at(name), Which::Base, range, with(wish)))?)
}

fn scopes(store: &Fixture) -> EncryptionScopeStore {
    EncryptionScopeStore::new(Arc::clone(&store.meta) as _, Arc::new(SeededEntropy::new(3)))
}

fn address(store: &Fixture, name: &str) -> ScopeAddress {
    ScopeAddress { account: store.account.clone(), name: name.to_owned() }
}

fn refused<T>(result: &Result<T>) -> bool {
    matches!(result, Err(EngineError::CustomerKeyMismatch { .. }))
}

#[test]
fn a_blob_is_read_with_its_key_and_no_other() {
    let store = Fixture::new();
    let bytes = vec![42; 300_000];
    put(&store, "blob", &customer(1), &bytes).unwrap();
    assert_eq!(read(&store, "blob", &customer(1), None).unwrap(), bytes);
    let range = ByteRange { first: 65_487, last: Some(131_100) };
    assert_eq!(read(&store, "blob", &customer(1), Some(range)).unwrap(), &bytes[65_487..=131_100]);
    assert!(refused(&read(&store, "blob", &customer(2), None)));
    assert!(refused(&read(&store, "blob", &EncryptionWish::default(), None)));
    put(&store, "blob", &EncryptionWish::default(), b"plain").unwrap();
    assert!(refused(&read(&store, "blob", &customer(1), None)));
    store.check_chunks();
}

#[test]
fn all_blocks_of_a_blob_have_one_key() {
    let store = Fixture::new();
    let at = store.at("blob");
    let stage = |id: &str, wish: &EncryptionWish, bytes: &[u8]| {
        let content = staged(&store, "blob", wish, bytes).unwrap();
        block_on(store.blobs.stage_block(&at, block_id(id), content, None)).unwrap();
    };
    let commit = |ids: &[&str], wish: &EncryptionWish| {
        let encryption = block_on(store.blobs.sealing(&at, wish.clone())).unwrap().encryption();
        let blocks = ids.iter().map(|id| BlockChoice::Latest(block_id(id))).collect();
        let new = NewBlob { encryption, ..NewBlob::default() };
        block_on(store.blobs.commit_block_list(&at, blocks, new, with(wish), NONE))
    };
    stage("1", &customer(1), &vec![1; 100_000]);
    stage("2", &customer(2), b"two");
    assert!(refused(&commit(&["1", "2"], &customer(1))));
    assert!(refused(&commit(&["1"], &EncryptionWish::default())));
    commit(&["1"], &customer(1)).unwrap();
    stage("3", &customer(1), b"three");
    commit(&["3", "1", "1"], &customer(1)).unwrap();
    let whole = read(&store, "blob", &customer(1), None).unwrap();
    assert_eq!(whole, [b"three".to_vec(), vec![1; 200_000]].concat());
    let range = ByteRange { first: 4, last: Some(5) };
    assert_eq!(read(&store, "blob", &customer(1), Some(range)).unwrap(), b"e\x01");
    stage("4", &EncryptionWish::default(), b"plain");
    assert!(refused(&commit(&["4", "1"], &EncryptionWish::default())), "what was committed has a key");
    commit(&["4"], &EncryptionWish::default()).unwrap();
    assert_eq!(store.read("blob").unwrap(), b"plain");
    store.check_chunks();
}

#[test]
fn appends_and_pages_are_encrypted_as_their_blob_is() {
    let store = Fixture::new();
    let (at, pages) = (store.at("append"), store.at("pages"));
    let encryption = block_on(store.blobs.sealing(&at, customer(1))).unwrap().encryption();
    let new = || NewBlob { encryption: encryption.clone(), ..NewBlob::default() };
    block_on(store.blobs.create_append_blob(&at, new(), with(&customer(1)), NONE)).unwrap();
    assert!(block_on(store.blobs.sealing_of(&at, customer(2))).is_err());
    for round in 0..3_u8 {
        let sealing = block_on(store.blobs.sealing_of(&at, customer(1))).unwrap();
        let mut upload = store.blobs.upload_sealed(&sealing);
        block_on(upload.write(Bytes::from(vec![round; 70_000]))).unwrap();
        let content = block_on(upload.finish_in_chunks()).unwrap();
        let any = AppendConditions::default();
        block_on(store.blobs.append_block(&at, content, any, with(&customer(1)))).unwrap();
    }
    let plain = store.chunked(b"plain", 5);
    let any = AppendConditions::default();
    assert!(refused(&block_on(store.blobs.append_block(&at, plain, any, with(&customer(1))))));
    let range = ByteRange { first: 69_999, last: Some(140_000) };
    let expected = [vec![0], vec![1; 70_000], vec![2]].concat();
    assert_eq!(read(&store, "append", &customer(1), Some(range)).unwrap(), expected);

    let making = store.blobs.create_page_blob(&pages, new(), (4096, 0), with(&customer(1)), NONE);
    block_on(making).unwrap();
    let write = |offset, byte, wish: &EncryptionWish| {
        let parts = vec![Bytes::from(vec![byte; 1024])];
        let any = SequenceConditions::default();
        block_on(store.blobs.write_pages(&pages, offset, parts, any, with(wish)))
    };
    write(512, 5, &customer(1)).unwrap();
    write(1024, 6, &customer(1)).unwrap();
    assert!(refused(&write(0, 7, &customer(2))));
    let expected = [vec![0; 512], vec![5; 512], vec![6; 1024], vec![0; 2048]].concat();
    assert_eq!(read(&store, "pages", &customer(1), None).unwrap(), expected);
    assert!(refused(&read(&store, "pages", &customer(2), None)));
}

#[test]
fn pages_that_a_copy_writes_are_encrypted_as_their_blob_is() {
    let store = Fixture::new();
    block_on(scopes(&store).create(&address(&store, "one"))).unwrap();
    let at = store.at("pages");
    let encryption = block_on(store.blobs.sealing(&at, of_scope("one"))).unwrap().encryption();
    let copy = CopyState { id: 7, total: 1024, ..CopyState::default() };
    let new = NewBlob { encryption, copy: Some(copy), ..NewBlob::default() };
    block_on(store.blobs.create_page_blob(&at, new, (1024, 0), Conditions::default(), NONE)).unwrap();
    let parts = vec![Bytes::from(vec![5; 512])];
    block_on(store.blobs.write_copied_pages(&at, 7, 512, parts)).unwrap();
    block_on(store.blobs.finish_copy(&at, 7, None, CopyEnd::Success)).unwrap();
    assert_eq!(store.read("pages").unwrap(), [[0; 512], [5; 512]].concat());
}

#[test]
fn a_scope_encrypts_until_it_is_disabled() {
    let store = Fixture::new();
    let missing = put(&store, "blob", &of_scope("one"), b"x");
    assert!(matches!(missing, Err(EngineError::EncryptionScopeNotFound)));
    assert!(block_on(scopes(&store).create(&address(&store, "one"))).unwrap());
    assert!(!block_on(scopes(&store).create(&address(&store, "one"))).unwrap());
    put(&store, "blob", &of_scope("one"), b"in the scope").unwrap();
    assert_eq!(store.read("blob").unwrap(), b"in the scope");
    assert!(refused(&read(&store, "blob", &customer(1), None)));
    block_on(scopes(&store).disable(&address(&store, "one"))).unwrap();
    assert!(matches!(store.read("blob"), Err(EngineError::EncryptionScopeDisabled)));
    assert!(put(&store, "other", &of_scope("one"), b"x").is_err());
    let listed = block_on(scopes(&store).list(&store.account)).unwrap();
    assert!(matches!(listed.as_slice(), [scope] if scope.name == "one" && scope.disabled));
    block_on(scopes(&store).create(&address(&store, "one"))).unwrap();
    assert_eq!(store.read("blob").unwrap(), b"in the scope", "enabled, with the same key");
    block_on(scopes(&store).remove_all(&store.account)).unwrap();
    assert!(block_on(scopes(&store).list(&store.account)).unwrap().is_empty());
}

#[test]
fn a_key_that_is_moved_to_another_scope_does_not_open() {
    let store = Fixture::new();
    block_on(scopes(&store).create(&address(&store, "one"))).unwrap();
    block_on(scopes(&store).create(&address(&store, "two"))).unwrap();
    put(&store, "blob", &of_scope("one"), b"in the scope").unwrap();
    let key = |name: &str| {
        let key = crate::meta::key::KeyBuilder::new().text("encryption scope");
        key.text(store.account.as_str()).text(name).finish()
    };
    let (one, two) = (key("one"), key("two"));
    let account = crate::meta::key::KeyBuilder::new().text("encryption scope").text(store.account.as_str());
    let scope = crate::meta::Scope(account.finish().into());
    block_on(meta::commit(store.meta.as_ref(), scope, None, move |transaction| {
        let other = transaction.get(Family::Access, &two)?.unwrap();
        transaction.put(Family::Access, &one, &other);
        Ok(())
    }))
    .unwrap();
    assert!(matches!(store.read("blob"), Err(EngineError::Corrupt { .. })));
}

#[test]
fn a_container_s_scope_is_the_default_and_may_be_the_only_one() {
    let store = Fixture::new();
    for name in ["one", "two"] {
        block_on(scopes(&store).create(&address(&store, name))).unwrap();
    }
    for (container, deny) in [("open", false), ("closed", true)] {
        let name = crate::name::ContainerName::parse(container).unwrap();
        let new = NewContainer {
            encryption_scope: "one".to_owned(),
            deny_scope_override: deny,
            ..NewContainer::default()
        };
        block_on(store.blobs.create_container(&store.account, &name, new)).unwrap();
        let at = BlobAddress { container: name, ..store.at("blob") };
        let scope = |wish| {
            let sealing = block_on(store.blobs.sealing(&at, wish))?;
            Ok(sealing.encryption().map(|encryption| encryption.key))
        };
        let one = Some(EncryptionKey::Scope("one".to_owned()));
        assert_eq!(scope(EncryptionWish::default()).unwrap(), one);
        assert_eq!(scope(of_scope("one")).unwrap(), one);
        for other in [of_scope("two"), of_scope(ACCOUNT_SCOPE), customer(1)] {
            let refused: Result<_> = scope(other);
            assert_eq!(matches!(refused, Err(EngineError::EncryptionScopeFixed)), deny);
        }
    }
}
