//! What listings and searches cost: how many records they look at, which must depend on what they show and not on what
//! they are shown from. Counted, not timed, and compared between a small container and one that is far larger.

use crate::blob::fixture::Fixture;
use crate::blob::{
    Conditions, CopyState, CopyStatus, DeleteSnapshots, FindBlobs, Include, ListBlobs, NewBlob, Protection,
    TagComparison, TagExpression, Tags, Which,
};
use futures_executor::block_on;

/// Blobs of a small container and of a large one.
const SIZES: [usize; 2] = [40, 1_500];

fn filled(names: impl Iterator<Item = String>) -> Fixture {
    let store = Fixture::new();
    for name in names {
        store.put(&name, store.inline(b"x")).unwrap();
    }
    store
}

/// How many records `work` looks at.
fn visits<T>(store: &Fixture, work: impl FnOnce() -> T) -> (u64, T) {
    let before = store.meta.visits();
    let done = work();
    (store.meta.visits() - before, done)
}

fn list(store: &Fixture, list: ListBlobs) -> crate::blob::Page<crate::blob::BlobEntry> {
    block_on(store.blobs.list(&store.account, &store.container, list)).unwrap()
}

#[test]
fn a_page_costs_what_it_shows_however_large_the_container_is() {
    let costs = SIZES.map(|size| {
        let store = filled((0..size).map(|number| format!("{number:05}")));
        let first = list(&store, ListBlobs { limit: 20, ..ListBlobs::default() });
        let next = ListBlobs { limit: 10, after: first.next, ..ListBlobs::default() };
        let (visits, page) = visits(&store, || list(&store, next));
        assert_eq!(page.entries.len(), 10);
        visits
    });
    assert_eq!(costs[0], costs[1]);
    assert!(costs[0] <= 15, "{costs:?}");
}

#[test]
fn a_page_of_past_states_costs_the_same_however_many_are_before_it() {
    let costs = SIZES.map(|size| {
        let store = filled(["name".to_owned()].into_iter());
        for _ in 0..size {
            let (at, any) = (store.at("name"), Conditions::default());
            block_on(store.blobs.snapshot(&at, None, any, Protection::default())).unwrap();
        }
        let include = Include { snapshots: true, ..Include::default() };
        let all_but_ten = ListBlobs { limit: size - 10, include, ..ListBlobs::default() };
        let after = list(&store, all_but_ten.clone()).next;
        let next = ListBlobs { limit: 10, after, ..all_but_ten };
        let (visits, page) = visits(&store, || list(&store, next));
        assert_eq!(page.entries.len(), 10);
        visits
    });
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn opening_the_store_costs_the_copies_that_were_under_way_and_not_what_was_deleted() {
    let costs = SIZES.map(|size| {
        let store = filled((0..size).map(|number| format!("{number:05}")));
        let keeping = Protection { delete_retention_days: Some(7), ..Protection::default() };
        for number in 0..size {
            let at = store.at(&format!("{number:05}"));
            let (snapshots, conditions) = (DeleteSnapshots::Refuse, Conditions::default());
            block_on(store.blobs.delete(&at, snapshots, conditions, keeping)).unwrap();
        }
        let new = NewBlob { copy: Some(CopyState::default()), ..NewBlob::default() };
        let (at, empty, any) = (store.at("copy"), store.inline(b""), Conditions::default());
        block_on(store.blobs.put_block_blob(&at, new, empty, any.clone(), keeping)).unwrap();
        let (visits, ()) = visits(&store, || block_on(store.blobs.fail_interrupted_copies()).unwrap());
        let blob = block_on(store.blobs.properties(&at, Which::Base, any)).unwrap();
        assert_eq!(blob.copy.unwrap().status, CopyStatus::Failed);
        visits
    });
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn a_prefix_costs_the_same_however_many_names_share_it() {
    let costs = SIZES.map(|size| {
        let store = filled((0..size).map(|number| format!("{}/{number}", number % 4)));
        let by_directory = ListBlobs { delimiter: Some("/".to_owned()), limit: 10, ..ListBlobs::default() };
        let (visits, page) = visits(&store, || list(&store, by_directory));
        assert_eq!(page.entries.len(), 4);
        visits
    });
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn a_search_costs_what_it_finds_however_many_blobs_have_other_tags() {
    let costs = SIZES.map(|size| {
        let store = filled((0..size).map(|number| format!("{number:05}")));
        for number in 0..size {
            // Blobs of the same tag with another value, before and behind the one that is looked for.
            let colour = if number % (size / 4) == 1 { "blue" } else { ["amber", "red"][number % 2] };
            let pairs = [("colour", colour), ("all", "yes")];
            let tags = Tags::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
            let at = store.at(&format!("{number:05}"));
            let conditions = Conditions::default();
            block_on(store.blobs.set_tags(&at, Which::Base, tags.unwrap(), conditions)).unwrap();
        }
        let compare = |key: &str, value: &str| {
            let comparison = TagComparison::Equal;
            Box::new(TagExpression::Compare { key: key.to_owned(), comparison, value: value.to_owned() })
        };
        let find = FindBlobs {
            container: Some(store.container.clone()),
            expression: TagExpression::And(compare("colour", "blue"), compare("all", "yes")),
            versions: false,
            after: None,
            limit: 100,
        };
        let (visits, page) =
            visits(&store, || block_on(store.blobs.find_by_tags(&store.account, find)).unwrap());
        assert_eq!(page.entries.len(), 4);
        visits
    });
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn a_container_that_was_emptied_costs_what_one_costs_that_never_held_anything() {
    let costs = [0, SIZES[1]].map(|size| {
        let store = filled((0..size).map(|number| format!("{number:05}")));
        for number in 0..size {
            let at = store.at(&format!("{number:05}"));
            let (snapshots, conditions) = (DeleteSnapshots::Include, Conditions::default());
            block_on(store.blobs.delete(&at, snapshots, conditions, Protection::default())).unwrap();
        }
        let (visits, page) =
            visits(&store, || list(&store, ListBlobs { limit: 100, ..ListBlobs::default() }));
        assert!(page.entries.is_empty() && page.next.is_none());
        visits
    });
    assert_eq!(costs[0], costs[1]);
}
