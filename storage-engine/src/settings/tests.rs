//! Settings through the store: defaults, changes, and a cache that never lies.

use super::*;
use crate::clock::ManualClock;
use crate::meta::memory::MemoryMeta;
use futures_executor::block_on;

fn store() -> SettingsStore {
    SettingsStore::new(meta())
}

fn meta() -> Arc<dyn MetaStore> {
    MemoryMeta::new(Arc::new(ManualClock::default()))
}

fn account(name: &str) -> AccountName {
    AccountName::parse(name).unwrap()
}

fn origin(text: &str) -> CorsRule {
    CorsRule { origins: vec![text.to_owned()], ..CorsRule::default() }
}

#[test]
fn what_was_never_set_is_off() {
    let settings = block_on(store().get(&account("acc"), Service::Blob)).unwrap();
    assert_eq!(*settings, ServiceSettings::default());
    assert_eq!(settings.blob.delete_retention.days, None);
    assert!(!settings.blob.management.versioning && settings.hour_metrics.enabled.is_none());
}

#[test]
fn a_change_is_seen_at_once_and_leaves_everything_else_alone() {
    let (store, acc) = (store(), account("acc"));
    let get = |name: &str, service| block_on(store.get(&account(name), service)).unwrap();
    assert!(get("acc", Service::Blob).cors.is_empty());
    block_on(store.change(&acc, Service::Blob, |settings| settings.cors.push(origin("http://a")))).unwrap();
    assert_eq!(get("acc", Service::Blob).cors, [origin("http://a")]);
    let management = BlobManagement { versioning: true, ..BlobManagement::default() };
    let manage = move |settings: &mut ServiceSettings| settings.blob.management = management;
    block_on(store.change(&acc, Service::Blob, manage)).unwrap();
    let settings = get("acc", Service::Blob);
    assert_eq!((settings.cors.len(), settings.blob.management), (1, management));
    for (name, service) in [("acc", Service::Queue), ("acc", Service::Table), ("acc1", Service::Blob)] {
        assert_eq!(*get(name, service), ServiceSettings::default(), "{name} {service:?}");
    }
}

#[test]
fn a_value_read_before_a_change_is_not_kept_after_it() {
    let (store, acc) = (store(), account("acc"));
    // What a slow reader does: it begins, a change comes between, and it ends.
    let begun = store.cache().changes;
    let old = Arc::new(ServiceSettings::default());
    block_on(store.change(&acc, Service::Blob, |settings| settings.logging.read = true)).unwrap();
    store.cache().keep(&acc, Service::Blob, begun, old);
    assert!(block_on(store.get(&acc, Service::Blob)).unwrap().logging.read);
}

#[test]
fn the_cache_is_bounded_whatever_accounts_are_asked_for() {
    let store = store();
    for number in 0..CACHED_MAX + 10 {
        block_on(store.get(&account(&format!("acc{number}")), Service::Table)).unwrap();
    }
    assert!(store.cache().table.len() <= CACHED_MAX);
}

#[test]
fn accounts_with_a_change_feed_are_found_among_others() {
    let store = store();
    let feed = BlobManagement { change_feed: true, ..BlobManagement::default() };
    for (name, management) in [("aaa", feed), ("bbb", BlobManagement::default()), ("ccc", feed)] {
        let change = move |settings: &mut ServiceSettings| settings.blob.management = management;
        block_on(store.change(&account(name), Service::Blob, change)).unwrap();
        block_on(store.change(&account(name), Service::Queue, |_| ())).unwrap();
    }
    assert_eq!(block_on(store.accounts_with_change_feed()).unwrap(), [account("aaa"), account("ccc")]);
    block_on(store.reset(&account("aaa"))).unwrap();
    assert_eq!(block_on(store.accounts_with_change_feed()).unwrap(), [account("ccc")]);
    let damaged = scope(&account("bbb"), Service::Blob);
    let key = damaged.clone();
    let damage = move |transaction: &mut dyn Transaction| {
        transaction.put(Family::Settings, &key.0, b"damaged");
        Ok(())
    };
    block_on(meta::commit(&*store.meta, damaged, None, damage)).unwrap();
    assert!(block_on(store.get(&account("bbb"), Service::Blob)).is_err());
    assert_eq!(block_on(store.accounts_with_change_feed()).unwrap(), [account("ccc")], "others have theirs");
}
