//! Tests of renaming containers: what goes along, what is refused, crashes, and any order of names against a model.

use super::*;
use crate::blob::fixture::Fixture;
use crate::blob::{
    Conditions, FindBlobs, LeaseError, LeaseRequest, ListContainers, NewContainer, PublicAccess,
    TagComparison, TagExpression, Tags, Which,
};
use crate::meta::Family;
use crate::policy::StoredPolicy;
use futures_executor::block_on;
use proptest::prelude::*;
use std::collections::BTreeMap;

const A: LeaseId = LeaseId(1);
const B: LeaseId = LeaseId(2);

fn name(text: &str) -> ContainerName {
    ContainerName::parse(text).unwrap()
}

fn rename(store: &Fixture, from: &str, to: &str, lease: Option<LeaseId>) -> Result<Stamp> {
    block_on(store.blobs.rename_container(&store.account, &name(from), &name(to), lease))
}

fn create(store: &Fixture, text: &str) -> Result<Stamp> {
    block_on(store.blobs.create_container(&store.account, &name(text), NewContainer::default()))
}

fn delete(store: &Fixture, text: &str, days: Option<u32>) -> Result<()> {
    block_on(store.blobs.delete_container(&store.account, &name(text), Conditions::default(), days))
}

fn lease(store: &Fixture, text: &str, request: LeaseRequest) {
    let conditions = Conditions::default();
    block_on(store.blobs.lease_container(&store.account, &name(text), request, conditions)).unwrap();
}

/// The store, seen as its container were of this name.
fn under(store: Fixture, text: &str) -> Fixture {
    Fixture { container: name(text), ..store }
}

fn containers(store: &Fixture) -> Vec<String> {
    let list = ListContainers { limit: 100, ..ListContainers::default() };
    let page = block_on(store.blobs.list_containers(&store.account, list)).unwrap();
    page.entries.into_iter().map(|container| container.name.to_string()).collect()
}

fn tag(store: &Fixture, blob: &str) {
    let tags = Tags::new(vec![("k".to_owned(), "v".to_owned())]).unwrap();
    block_on(store.blobs.set_tags(&store.at(blob), Which::Base, tags, Conditions::default())).unwrap();
}

/// Container and name of each blob that is found by its tag.
fn found(store: &Fixture, container: Option<&str>) -> Vec<(String, String)> {
    let expression = TagExpression::Compare {
        key: "k".to_owned(),
        comparison: TagComparison::Equal,
        value: "v".to_owned(),
    };
    let container = container.map(name);
    let find = FindBlobs { container, expression, versions: false, after: None, limit: 100 };
    let page = block_on(store.blobs.find_by_tags(&store.account, find)).unwrap();
    page.entries.into_iter().map(|found| (found.container.to_string(), found.blob.to_string())).collect()
}

fn pair(container: &str, blob: &str) -> (String, String) {
    (container.to_owned(), blob.to_owned())
}

#[test]
fn all_that_a_container_has_and_holds_goes_along() {
    let store = Fixture::new();
    store.put("blob", store.chunked(b"content", 3)).unwrap();
    store.stage("other", "block", b"staged").unwrap();
    let metadata = vec![("k".to_owned(), "v".to_owned())];
    let policies = vec![StoredPolicy { id: "policy".to_owned(), ..StoredPolicy::default() }];
    let (account, own, any) = (&store.account, &store.container, Conditions::default());
    block_on(store.blobs.set_container_metadata(account, own, metadata.clone(), any.clone())).unwrap();
    let set =
        store.blobs.set_container_access(account, own, PublicAccess::Blob, policies.clone(), any.clone());
    let before = block_on(set).unwrap();

    let stamp = rename(&store, "container", "renamed", None).unwrap();
    assert!(stamp.etag > before.etag);
    assert!(matches!(store.read("blob"), Err(EngineError::ContainerNotFound)));
    assert_eq!(containers(&store), ["renamed"]);
    let store = under(store, "renamed");
    assert_eq!(store.read("blob").unwrap(), b"content");
    let container = block_on(store.blobs.container(&store.account, &store.container, None)).unwrap();
    assert_eq!((container.etag, container.modified), (stamp.etag, stamp.modified));
    assert_eq!((container.metadata, container.public_access), (metadata, PublicAccess::Blob));
    let access = store.blobs.container_access(&store.account, &store.container, None);
    assert_eq!(block_on(access).unwrap().policies, policies);
    store.put("other", store.inline(b"x")).unwrap();
    assert_eq!(store.records(Family::Staged), 0, "what was staged under the old name was there");
    store.check_chunks();
}

#[test]
fn a_name_that_is_taken_or_missing_is_said_and_nothing_changes() {
    let store = Fixture::new();
    create(&store, "taken").unwrap();
    store.put("blob", store.inline(b"x")).unwrap();
    for other in ["taken", "container"] {
        assert!(matches!(rename(&store, "container", other, None), Err(EngineError::ContainerExists)));
    }
    for to in ["free", "taken", "missing"] {
        assert!(matches!(rename(&store, "missing", to, None), Err(EngineError::ContainerNotFound)));
    }
    assert_eq!(containers(&store), ["container", "taken"]);
    assert_eq!(store.read("blob").unwrap(), b"x");
    assert_eq!(store.records(Family::Tag), 0);
}

#[test]
fn who_holds_the_lease_alone_renames_and_holds_it_no_more() {
    let store = Fixture::new();
    let refused = |store: &Fixture, lease, expected: LeaseError| {
        let told = rename(store, "container", "renamed", lease);
        assert!(matches!(told, Err(EngineError::Lease(error)) if error == expected), "{told:?}");
    };
    refused(&store, Some(A), LeaseError::NotPresent(Leased::Container));
    lease(&store, "container", LeaseRequest::Acquire { id: A, seconds: None });
    refused(&store, None, LeaseError::IdMissing);
    refused(&store, Some(B), LeaseError::IdMismatch(Leased::Container));
    lease(&store, "container", LeaseRequest::Break(Some(60)));
    refused(&store, None, LeaseError::IdMissing);
    lease(&store, "container", LeaseRequest::Break(Some(0)));
    refused(&store, Some(A), LeaseError::Lost);
    lease(&store, "container", LeaseRequest::Acquire { id: A, seconds: Some(60) });
    rename(&store, "container", "renamed", Some(A)).unwrap();
    let container = block_on(store.blobs.container(&store.account, &name("renamed"), None)).unwrap();
    assert_eq!(container.lease, Lease::None);
    delete(&store, "renamed", None).unwrap();
}

#[test]
fn blobs_are_found_by_their_tags_under_the_name_that_their_container_has() {
    let store = Fixture::new();
    store.put("early", store.inline(b"x")).unwrap();
    tag(&store, "early");
    rename(&store, "container", "second", None).unwrap();
    assert_eq!(found(&store, None), [pair("second", "early")]);
    rename(&store, "second", "third", None).unwrap();
    // A namesake of the first does not hold what the first held.
    create(&store, "container").unwrap();
    store.put("stranger", store.inline(b"x")).unwrap();
    tag(&store, "stranger");
    let store = under(store, "third");
    store.put("late", store.inline(b"x")).unwrap();
    tag(&store, "late");
    let third = [pair("third", "early"), pair("third", "late")];
    assert_eq!(found(&store, Some("third")), third);
    assert_eq!(found(&store, Some("container")), [pair("container", "stranger")]);
    assert_eq!(found(&store, None), [&third[..], &[pair("container", "stranger")]].concat());

    delete(&store, "third", Some(1)).unwrap();
    assert_eq!(found(&store, None), [pair("container", "stranger")]);
    delete(&store, "container", None).unwrap();
    store.clock.advance(std::time::Duration::from_hours(25));
    while block_on(store.blobs.tidy_once(100)).unwrap() > 0 {}
    store.sweep();
    assert_eq!(store.records(Family::Tag), 0, "with a container go the notes of its names");
    assert_eq!((store.records(Family::Catalog), store.records(Family::Remains)), (0, 0));
    store.check_chunks();
}

#[test]
fn a_deleted_namesake_keeps_the_name_under_which_it_can_be_restored() {
    let store = Fixture::new();
    store.put("old", store.inline(b"old")).unwrap();
    let list = ListContainers { limit: 100, deleted: true, ..ListContainers::default() };
    let version = |store: &Fixture| {
        let page = block_on(store.blobs.list_containers(&store.account, list.clone())).unwrap();
        page.entries.into_iter().find_map(|container| container.deleted_version)
    };
    delete(&store, "container", Some(7)).unwrap();
    let deleted = version(&store).unwrap();
    create(&store, "new").unwrap();
    rename(&store, "new", "container", None).unwrap();
    let restore = || store.blobs.restore_container(&store.account, &store.container, deleted);
    assert!(matches!(block_on(restore()), Err(EngineError::ContainerExists)));
    rename(&store, "container", "elsewhere", None).unwrap();
    block_on(restore()).unwrap();
    assert_eq!(store.read("old").unwrap(), b"old");
    assert_eq!((containers(&store), version(&store)), (vec!["container".into(), "elsewhere".into()], None));
}

#[test]
fn a_crash_leaves_the_container_under_one_name() {
    for survives in [false, true] {
        let store = Fixture::new();
        store.put("blob", store.inline(b"x")).unwrap();
        tag(&store, "blob");
        store.meta.crash_at(store.meta.commits() + 1, survives);
        assert!(rename(&store, "container", "renamed", None).is_err());
        let meta = store.meta.reopen(Box::new(|_| ())).unwrap();
        let blobs = BlobStore::new(
            std::sync::Arc::clone(&meta) as _,
            std::sync::Arc::new(store.chunks.clone()),
            std::sync::Arc::clone(&store.clock) as _,
        );
        let expected = if survives { "renamed" } else { "container" };
        let store = under(Fixture { meta, blobs, ..store }, expected);
        assert_eq!(containers(&store), [expected]);
        assert_eq!(store.read("blob").unwrap(), b"x");
        assert_eq!(found(&store, None), [pair(expected, "blob")]);
    }
}

/// What is done with names of three containers.
#[derive(Debug, Clone, Copy)]
enum Step {
    Create(usize),
    Delete(usize),
    Rename(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_usize).prop_map(Step::Create),
        (0..3_usize).prop_map(Step::Delete),
        (0..3_usize, 0..3_usize).prop_map(|(from, to)| Step::Rename(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_order_of_renames_is_what_a_map_of_names_says(steps in prop::collection::vec(step(), 1..40)) {
        const NAMES: [&str; 3] = ["aaa", "bbb", "ccc"];
        let mut store = Fixture::new();
        delete(&store, "container", None).unwrap();
        // Which blob, each of a name of its own, is in the container of this name.
        let mut model = BTreeMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Create(at) => {
                    let created = create(&store, NAMES[at]).is_ok();
                    prop_assert_eq!(created, !model.contains_key(NAMES[at]));
                    if created {
                        let blob = format!("blob {number}");
                        store = under(store, NAMES[at]);
                        store.put(&blob, store.inline(b"x")).unwrap();
                        tag(&store, &blob);
                        model.insert(NAMES[at], blob);
                    }
                }
                Step::Delete(at) => {
                    prop_assert_eq!(delete(&store, NAMES[at], None).is_ok(), model.remove(NAMES[at]).is_some());
                }
                Step::Rename(from, to) => {
                    let fits = model.contains_key(NAMES[from]) && !model.contains_key(NAMES[to]);
                    prop_assert_eq!(rename(&store, NAMES[from], NAMES[to], None).is_ok(), fits);
                    if fits {
                        let blob = model.remove(NAMES[from]).unwrap();
                        model.insert(NAMES[to], blob);
                    }
                }
            }
            let mut all = found(&store, None);
            all.sort();
            let expected: Vec<_> = model.iter().map(|(container, blob)| pair(container, blob)).collect();
            prop_assert_eq!(all, expected);
        }
        store.sweep();
        let names = store.records(Family::Catalog);
        prop_assert_eq!(names, model.len());
        // Of each, its blob's entry, and a note of its name if it was renamed.
        prop_assert!((names..=2 * names).contains(&store.records(Family::Tag)));
        store.check_chunks();
    }
}
