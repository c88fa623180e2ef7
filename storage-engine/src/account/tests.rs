//! Accounts on records in memory, crashes included.

use super::*;
use crate::blob::fixture::Fixture;
use crate::blob::{BlobStore, Conditions, NewContainer, Which};
use crate::clock::{Clock, ManualClock};
use crate::lifecycle::{Actions, LifecycleRule};
use crate::meta::memory::MemoryMeta;
use crate::name::{ContainerName, QueueName, TableName};
use crate::settings::{Service, ServiceSettings};
use crate::sweep::sweep_once;
use catalog::Kind;
use futures_executor::block_on;

fn name(text: &str) -> AccountName {
    AccountName::parse(text).unwrap()
}

fn keys(byte: u8) -> [AccountKey; 2] {
    [AccountKey::new(vec![byte; 64]), AccountKey::new(vec![byte + 1; 64])]
}

fn store() -> (Arc<MemoryMeta>, AccountStore) {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
    let meta = MemoryMeta::new(clock);
    let accounts = over(&meta);
    (meta, accounts)
}

fn over(meta: &Arc<MemoryMeta>) -> AccountStore {
    let settings = SettingsStore::new(Arc::<MemoryMeta>::clone(meta));
    let lifecycle = LifecycleStore::new(Arc::<MemoryMeta>::clone(meta));
    AccountStore::new(Arc::<MemoryMeta>::clone(meta), settings, lifecycle)
}

/// Makes a container, a queue and a table in the account, and more containers.
fn fill(meta: &Arc<MemoryMeta>, account: &AccountName, containers: usize) {
    let mut keys = vec![
        catalog::key(account, Kind::Queue, QueueName::parse("queue").unwrap().as_str()),
        catalog::key(account, Kind::Table, &TableName::parse("Table").unwrap().folded()),
    ];
    for number in 0..containers {
        let container = ContainerName::parse(&format!("container{number}")).unwrap();
        keys.push(catalog::key(account, Kind::Container, container.as_str()));
    }
    for key in keys {
        let scope = key.scope();
        let verb = move |transaction: &mut dyn Transaction| {
            let id = transaction.now().ticks();
            catalog::write(transaction, &key, id, b"");
            Ok(())
        };
        block_on(meta::commit(&**meta, scope, None, verb)).unwrap();
    }
}

fn names_of(meta: &MemoryMeta, account: &AccountName) -> usize {
    meta.read_now(|view| catalog::names_of(view, account, usize::MAX)).unwrap().len()
}

#[test]
fn an_account_is_made_once_and_listed_by_name() {
    let (_, accounts) = store();
    let second = block_on(accounts.create(&name("second"), keys(3), true)).unwrap();
    let first = block_on(accounts.create(&name("first"), keys(1), false)).unwrap();
    assert!(first.created > second.created);
    let again = block_on(accounts.create(&name("first"), keys(5), false));
    assert!(matches!(again, Err(EngineError::AccountExists)));
    assert_eq!(block_on(accounts.list()).unwrap(), [first, second]);
}

#[test]
fn each_key_is_replaced_alone() {
    let (_, accounts) = store();
    let made = block_on(accounts.create(&name("account"), keys(1), false)).unwrap();
    let new = AccountKey::new(vec![9; 64]);
    let rotated = block_on(accounts.rotate(&made.name, KeyNumber::First, new.clone())).unwrap();
    assert_eq!(rotated.keys, [new.clone(), made.keys[1].clone()]);
    let rotated = block_on(accounts.rotate(&made.name, KeyNumber::Second, new.clone())).unwrap();
    assert_eq!(rotated.keys, [new.clone(), new.clone()]);
    let opened = block_on(accounts.set_anonymous(&made.name, true)).unwrap();
    assert_eq!((opened.anonymous, opened.created), (true, made.created));
    assert_eq!(block_on(accounts.list()).unwrap(), [opened]);
    let missing = block_on(accounts.rotate(&name("missing"), KeyNumber::First, new));
    assert!(matches!(missing, Err(EngineError::AccountNotFound)));
}

#[test]
fn keys_never_show() {
    let shown = format!("{:?}", keys(65));
    assert_eq!(shown, "[AccountKey, AccountKey]");
}

#[test]
fn an_account_that_holds_something_goes_only_with_it() {
    let (meta, accounts) = store();
    let (full, beside) = (name("full"), name("full1"));
    for account in [&full, &beside] {
        block_on(accounts.create(account, keys(1), false)).unwrap();
        fill(&meta, account, NAMES_AT_A_TIME + 3);
    }
    let refused = block_on(accounts.delete(&full, Content::MustBeNone));
    assert!(matches!(refused, Err(EngineError::AccountNotEmpty)));
    block_on(accounts.delete(&full, Content::IsDeleted)).unwrap();
    assert_eq!((names_of(&meta, &full), names_of(&meta, &beside)), (0, NAMES_AT_A_TIME + 5));
    let again = block_on(accounts.delete(&full, Content::IsDeleted));
    assert!(matches!(again, Err(EngineError::AccountNotFound)));
    assert_eq!(block_on(accounts.list()).unwrap().len(), 1);
    assert!(sweep_once(&*meta, 1000).unwrap() > 0, "what the names held is left to the sweep");
    while sweep_once(&*meta, 1000).unwrap() > 0 {}
    block_on(accounts.create(&full, keys(7), false)).unwrap();
    block_on(accounts.delete(&full, Content::MustBeNone)).unwrap();
}

#[test]
fn what_could_be_restored_and_what_was_set_do_not_reappear() {
    let (meta, accounts) = store();
    let account = name("account");
    block_on(accounts.create(&account, keys(1), false)).unwrap();
    fill(&meta, &account, 2);
    let key = catalog::key(&account, Kind::Container, "container0");
    let buried = key.clone();
    let bury = move |transaction: &mut dyn Transaction| {
        let entry = catalog::find(transaction, &buried)?.unwrap();
        catalog::bury(transaction, &buried, entry.id, b"");
        Ok(entry.id)
    };
    let id = block_on(meta::commit(&*meta, key.scope(), None, bury)).unwrap();
    let versioning = |settings: &mut ServiceSettings| settings.blob.management.versioning = true;
    block_on(accounts.settings.change(&account, Service::Blob, versioning)).unwrap();
    assert!(block_on(accounts.settings.get(&account, Service::Blob)).unwrap().blob.management.versioning);
    block_on(accounts.delete(&account, Content::IsDeleted)).unwrap();
    assert_eq!(names_of(&meta, &account), 0);
    let remains = meta.read_now(|view| catalog::remains(view, 100)).unwrap();
    assert_eq!(remains.len(), 4);
    assert!(remains.iter().any(|remains| (&remains.name, remains.id) == (&key, id)));
    while sweep_once(&*meta, 1000).unwrap() > 0 {}
    block_on(accounts.create(&account, keys(1), false)).unwrap();
    let settings = block_on(accounts.settings.get(&account, Service::Blob)).unwrap();
    assert_eq!(*settings, ServiceSettings::default());
}

#[test]
fn rules_for_the_blobs_of_an_account_are_not_those_of_the_next_one_of_its_name() {
    let (_, accounts) = store();
    let account = name("account");
    block_on(accounts.create(&account, keys(1), false)).unwrap();
    let rule = LifecycleRule {
        name: "all".to_owned(),
        enabled: true,
        block_blobs: true,
        append_blobs: true,
        prefixes: Vec::new(),
        tags: Vec::new(),
        base: Actions::default(),
        snapshots: Actions::default(),
        versions: Actions::default(),
    };
    block_on(accounts.lifecycle.set(&account, vec![rule])).unwrap();
    let told = accounts.lifecycle.changes();
    block_on(accounts.delete(&account, Content::IsDeleted)).unwrap();
    assert_eq!(block_on(accounts.lifecycle.get(&account)).unwrap(), None);
    assert!(accounts.lifecycle.changes() > told, "a walk that is under way does not go on by them");
}

#[test]
fn what_the_change_feed_of_an_account_was_still_to_tell_is_not_told_to_the_next_one_of_its_name() {
    let (meta, accounts) = store();
    let (account, longer) = (name("account"), name("accounts"));
    block_on(accounts.create(&account, keys(1), false)).unwrap();
    // More than go in one commit, and of another account whose name begins so.
    let entries = [(&account, 0..2_500), (&longer, 0..1)];
    let keys = entries.map(|(account, numbers)| {
        numbers
            .map(|number: u64| [account.as_str().as_bytes(), &[0], &number.to_be_bytes()].concat())
            .collect()
    });
    let keys: [Vec<Vec<u8>>; 2] = keys;
    let fill = move |transaction: &mut dyn Transaction| {
        keys.iter().flatten().for_each(|key| transaction.put(Family::Change, key, b""));
        Ok(())
    };
    block_on(meta::commit(&*meta, Scope(bytes::Bytes::new()), None, fill)).unwrap();
    block_on(accounts.delete(&account, Content::IsDeleted)).unwrap();
    let left = meta.read_now(|view| {
        let mut left = Vec::new();
        view.scan(Family::Change, &[], None, &mut |key, _| {
            left.push(key.to_vec());
            Ok(Step::Next)
        })?;
        Ok(left)
    });
    let left = left.unwrap();
    assert!(left.len() == 1 && left[0].starts_with(b"accounts"), "{}", left.len());
}

#[test]
fn a_deletion_that_a_crash_stops_is_finished_and_its_name_is_not_given_away_before() {
    let account = name("account");
    for step in 1.. {
        for survives in [false, true] {
            let (meta, accounts) = store();
            block_on(accounts.create(&account, keys(1), false)).unwrap();
            fill(&meta, &account, 2);
            meta.crash_at(meta.commits() + step, survives);
            let ended = block_on(accounts.delete(&account, Content::IsDeleted)).is_ok();
            let meta = meta.reopen(Box::new(|_| ())).unwrap();
            let accounts = over(&meta);
            let listed = block_on(accounts.list()).unwrap().len();
            if listed == 1 {
                assert_eq!((step, survives, names_of(&meta, &account)), (1, false, 4), "nothing was begun");
                continue;
            }
            if !ended && names_of(&meta, &account) > 0 {
                let early = block_on(accounts.create(&account, keys(3), false));
                assert!(matches!(early, Err(EngineError::AccountExists)), "at step {step}");
            }
            block_on(accounts.finish_deletions()).unwrap();
            assert_eq!(names_of(&meta, &account), 0, "at step {step}");
            block_on(accounts.create(&account, keys(5), false)).unwrap();
            if ended {
                return;
            }
        }
    }
}

/// A store in which the account has a container with a blob on hold, and is an account here.
fn held() -> (Fixture, AccountStore) {
    let store = Fixture::new();
    store.put("blob", store.inline(b"x")).unwrap();
    hold(&store.blobs, &store, true).unwrap();
    let accounts = over(&store.meta);
    block_on(accounts.create(&store.account, keys(1), false)).unwrap();
    (store, accounts)
}

fn hold(blobs: &BlobStore, store: &Fixture, hold: bool) -> Result<()> {
    block_on(blobs.set_legal_hold(&store.at("blob"), Which::Base, hold, Conditions::default()))
}

#[test]
fn an_account_in_which_something_is_held_stays_whole() {
    let (store, accounts) = held();
    fill(&store.meta, &store.account, 3);
    let names = names_of(&store.meta, &store.account);
    let refused = block_on(accounts.delete(&store.account, Content::IsDeleted));
    assert!(matches!(refused, Err(EngineError::AccountProtected)));
    assert_eq!((block_on(accounts.list()).unwrap().len(), names_of(&store.meta, &store.account)), (1, names));
    hold(&store.blobs, &store, false).unwrap();
    block_on(accounts.delete(&store.account, Content::IsDeleted)).unwrap();
    assert_eq!(names_of(&store.meta, &store.account), 0);
}

#[test]
fn a_hold_that_is_set_after_the_look_still_keeps_its_container() {
    let (store, accounts) = held();
    let late = block_on(accounts.take_all_away(&store.account));
    assert!(matches!(late, Err(EngineError::AccountProtected)));
    assert_eq!(store.read("blob").unwrap(), b"x");
}

#[test]
fn a_crash_on_the_way_to_the_refusal_leaves_an_account_that_comes_back() {
    for step in 1.. {
        for survives in [false, true] {
            let (store, accounts) = held();
            store.meta.crash_at(store.meta.commits() + step, survives);
            let refused = block_on(accounts.delete(&store.account, Content::IsDeleted));
            let meta = store.meta.reopen(Box::new(|_| ())).unwrap();
            let accounts = over(&meta);
            block_on(accounts.finish_deletions()).unwrap();
            assert_eq!(block_on(accounts.list()).unwrap().len(), 1, "at step {step}");
            assert_eq!(names_of(&meta, &store.account), 1, "at step {step}");
            if matches!(refused, Err(EngineError::AccountProtected)) {
                return;
            }
        }
    }
}

#[test]
fn a_refusal_takes_nothing_away_before() {
    let (store, accounts) = held();
    let first = ContainerName::parse("a-first-one").unwrap();
    block_on(store.blobs.create_container(&store.account, &first, NewContainer::default())).unwrap();
    let refused = block_on(accounts.delete(&store.account, Content::IsDeleted));
    assert!(matches!(refused, Err(EngineError::AccountProtected)));
    block_on(store.blobs.container(&store.account, &first, None)).unwrap();
}
