//! What every page store must do, as one suite that is run on each.
//!
//! A case gets a fixture with an empty store, and may cut its power. What it leaves open is what the contract
//! leaves open: after a cut a page shows any state since the last durable one, and a store may keep all or none of
//! them. What an operation leaves that was *cut short* is tested beside each store, because only there can it be.

use super::{
    AREA_BYTES, Durable, EngineError, Epoch, Inspection, Moment, PAGE_BYTES, PageRange, PageStore, Result,
    Run, VOLUME_BYTES_MAX, VolumeId,
};
use bytes::Bytes;
use futures_executor::block_on;
use std::num::NonZeroUsize;
use std::sync::Arc;

mod model;

const VOLUME: VolumeId = VolumeId(1);
const PAGE: u64 = PAGE_BYTES as u64;
/// Pages of an area.
const AREA: u64 = AREA_BYTES as u64 / PAGE;

/// A store and what is underneath it.
pub(super) trait Fixture {
    /// The store as it is open now.
    fn store(&self) -> Arc<dyn PageStore>;

    /// Cuts the power, and opens what is left.
    fn crash(&mut self);
}

/// Does its checks on an empty store.
type Case = fn(&dyn PageStore);

/// Runs all cases, each on a store of its own.
pub(super) fn conforms<F: Fixture>(make: impl Fn() -> F) {
    let cases: [(&str, Case); 9] = [
        ("what cannot be is refused", what_cannot_be_is_refused),
        ("what is not there is not found", what_is_not_there_is_not_found),
        ("requests may be repeated", requests_may_be_repeated),
        ("pages read back until they are cleared", pages_read_back_until_they_are_cleared),
        ("what is cut off never comes back", what_is_cut_off_never_comes_back),
        ("snapshots never change", snapshots_never_change),
        ("differences are exact", differences_are_exact),
        ("runs come in parts", runs_come_in_parts),
        ("writes at once keep to their pages", writes_at_once_keep_to_their_pages),
    ];
    for (name, case) in cases {
        println!("{name}");
        case(make().store().as_ref());
    }
    println!("what is durable survives a crash");
    what_is_durable_survives_a_crash(&mut make());
    println!("volumes do what a map does");
    model::volumes_do_what_a_map_does(&make);
}

/// `count` pages from the page with this number on.
fn pages(first: u64, count: u64) -> PageRange {
    PageRange::new(first * PAGE, count * PAGE).unwrap()
}

/// Bytes for some pages that tell their place and which write they are from; never zero.
fn fill(range: PageRange, write: u32) -> Bytes {
    let numbers = range.offset() / PAGE..range.end() / PAGE;
    let page = |number: u64| [&write.to_be_bytes()[..], &number.to_be_bytes()[4..]].concat().repeat(64);
    numbers.flat_map(page).collect()
}

fn zeros(range: PageRange) -> Bytes {
    vec![0; usize::try_from(range.length()).unwrap()].into()
}

fn create(store: &dyn PageStore, page_count: u64) {
    block_on(store.create(VOLUME, page_count * PAGE)).unwrap();
}

fn write(store: &dyn PageStore, range: PageRange, number: u32, durable: Durable) -> Result<()> {
    block_on(store.write(VOLUME, range.offset(), vec![fill(range, number)], durable))
}

fn put(store: &dyn PageStore, first: u64, count: u64, number: u32) {
    write(store, pages(first, count), number, Durable::AtFlush).unwrap();
}

fn clear(store: &dyn PageStore, first: u64, count: u64) {
    block_on(store.clear(VOLUME, pages(first, count), Durable::AtFlush)).unwrap();
}

fn read(store: &dyn PageStore, at: Moment, range: PageRange) -> Bytes {
    block_on(store.read(VOLUME, at, range)).unwrap()
}

fn snapshot(store: &dyn PageStore) -> Epoch {
    block_on(store.snapshot(VOLUME)).unwrap()
}

fn inspect(store: &dyn PageStore) -> Inspection {
    block_on(store.inspect(VOLUME)).unwrap()
}

/// All runs inside `within`, asked for by `runs_max`, with those joined that parts have cut.
fn runs(
    store: &dyn PageStore,
    since: Option<Epoch>,
    at: Moment,
    mut within: PageRange,
    runs_max: usize,
) -> Vec<Run> {
    let mut all: Vec<Run> = Vec::new();
    loop {
        let max = NonZeroUsize::new(runs_max).unwrap();
        let part = block_on(store.runs(VOLUME, since, at, within, max)).unwrap();
        assert!(part.runs.len() <= runs_max, "no more than asked for");
        let mut join = true;
        for run in part.runs {
            let told = all.last().map_or(0, |last| last.range.end());
            assert!(run.range.offset() >= told.max(within.offset()), "in order: {run:?} after {told}");
            assert!(run.range.end() <= part.next.unwrap_or(within.end()), "where it was asked for: {run:?}");
            match all
                .last_mut()
                .filter(|last| last.valid == run.valid && last.range.end() == run.range.offset())
            {
                Some(last) => {
                    assert!(join, "runs are as long as they can be: {last:?} {run:?}");
                    let length = last.range.length() + run.range.length();
                    last.range = PageRange::new(last.range.offset(), length).unwrap();
                }
                None => all.push(run),
            }
            join = false;
        }
        let Some(next) = part.next.filter(|next| *next < within.end()) else { return all };
        assert!(next > within.offset(), "the rest begins further on");
        within = PageRange::new(next, within.end() - next).unwrap();
    }
}

/// All runs of the volume, as page numbers and counts.
fn runs_of_all(store: &dyn PageStore, since: Option<Epoch>, at: Moment) -> Vec<(u64, u64, bool)> {
    let within = PageRange::new(0, VOLUME_BYTES_MAX).unwrap();
    let numbers = |run: Run| (run.range.offset() / PAGE, run.range.length() / PAGE, run.valid);
    runs(store, since, at, within, 1000).into_iter().map(numbers).collect()
}

fn refused<T>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(EngineError::InvalidPageRange)), "{:?}", outcome.err());
}

fn missing<T>(outcome: Result<T>) {
    assert!(matches!(outcome, Err(EngineError::VolumeNotFound)), "{:?}", outcome.err());
}

fn what_cannot_be_is_refused(store: &dyn PageStore) {
    for size in [1, 511, VOLUME_BYTES_MAX + PAGE, u64::MAX] {
        refused(block_on(store.create(VOLUME, size)));
    }
    missing(block_on(store.inspect(VOLUME)));
    create(store, 2 * AREA);
    let bytes = |count: usize| vec![Bytes::from(vec![1; count])];
    for durable in [Durable::Now, Durable::AtFlush] {
        let write = |offset, parts| block_on(store.write(VOLUME, offset, parts, durable));
        refused(write(0, bytes(511)));
        refused(write(0, Vec::new()));
        refused(write(1, bytes(512)));
        refused(write(0, bytes(AREA_BYTES + PAGE_BYTES)));
        refused(write((2 * AREA - 1) * PAGE, bytes(1024)));
        refused(write(u64::MAX - 511, bytes(512)));
        refused(block_on(store.clear(VOLUME, pages(2 * AREA - 1, 2), durable)));
    }
    refused(block_on(store.read(VOLUME, Moment::Latest, pages(2 * AREA, 1))));
    refused(block_on(store.read(VOLUME, Moment::Latest, pages(0, AREA + 1))));
    refused(block_on(store.resize(VOLUME, 700)));
    assert_eq!(inspect(store), Inspection { size: 2 * AREA * PAGE, snapshots: Vec::new() });
    assert_eq!(runs_of_all(store, None, Moment::Latest), []);
}

fn what_is_not_there_is_not_found(store: &dyn PageStore) {
    let check = |volume| {
        missing(block_on(store.inspect(volume)));
        missing(block_on(store.resize(volume, 0)));
        missing(block_on(store.write(volume, 0, vec![fill(pages(0, 1), 1)], Durable::Now)));
        missing(block_on(store.clear(volume, pages(0, 1), Durable::Now)));
        missing(block_on(store.read(volume, Moment::Latest, pages(0, 1))));
        missing(block_on(store.flush(volume)));
        missing(block_on(store.snapshot(volume)));
        missing(block_on(store.delete_snapshot(volume, Epoch(1))));
        missing(block_on(store.runs(volume, None, Moment::Latest, pages(0, 1), NonZeroUsize::MIN)));
    };
    check(VOLUME);
    create(store, 8);
    put(store, 0, 8, 1);
    check(VolumeId(VOLUME.0 + 1));
    let (old, new) = (snapshot(store), snapshot(store));
    let never = Epoch(new.0 + 1000);
    missing(block_on(store.read(VOLUME, Moment::Snapshot(never), pages(0, 1))));
    let runs =
        |since, at| block_on(store.runs(VOLUME, Some(since), at, pages(0, 1), NonZeroUsize::MIN)).map(|_| ());
    missing(runs(never, Moment::Latest));
    missing(runs(old, Moment::Snapshot(never)));
    missing(runs(new, Moment::Snapshot(old)));
    runs(old, Moment::Snapshot(new)).unwrap();
    block_on(store.delete_snapshot(VOLUME, old)).unwrap();
    missing(runs(old, Moment::Latest));
    block_on(store.delete(VOLUME)).unwrap();
    check(VOLUME);
}

fn requests_may_be_repeated(store: &dyn PageStore) {
    block_on(store.delete(VOLUME)).unwrap();
    create(store, 4);
    put(store, 1, 1, 1);
    create(store, 4);
    assert_eq!(read(store, Moment::Latest, pages(1, 1)), fill(pages(1, 1), 1));
    let (first, second) = (snapshot(store), snapshot(store));
    assert!(first < second);
    for _ in 0..2 {
        block_on(store.delete_snapshot(VOLUME, second)).unwrap();
    }
    let third = snapshot(store);
    assert!(second < third, "a deleted snapshot's number is not used again");
    assert_eq!(inspect(store).snapshots, [first, third]);
    for _ in 0..2 {
        block_on(store.delete(VOLUME)).unwrap();
    }
}

fn pages_read_back_until_they_are_cleared(store: &dyn PageStore) {
    create(store, 2 * AREA);
    let all = pages(AREA - 3, 6);
    assert_eq!(read(store, Moment::Latest, all), zeros(all));
    let bytes = fill(all, 1);
    let parts = vec![bytes.slice(..700), Bytes::new(), bytes.slice(700..701), bytes.slice(701..)];
    block_on(store.write(VOLUME, all.offset(), parts, Durable::Now)).unwrap();
    assert_eq!(read(store, Moment::Latest, all), bytes);
    put(store, AREA - 1, 2, 2);
    clear(store, AREA + 1, 1);
    clear(store, 5, AREA - 7);
    let found = |first, count| read(store, Moment::Latest, pages(first, count));
    assert_eq!(found(AREA - 3, 1), zeros(pages(AREA - 3, 1)));
    assert_eq!(found(AREA - 2, 1), fill(pages(AREA - 2, 1), 1));
    assert_eq!(found(AREA - 1, 2), fill(pages(AREA - 1, 2), 2));
    assert_eq!(found(AREA + 1, 1), zeros(pages(AREA + 1, 1)));
    assert_eq!(found(AREA + 2, 1), fill(pages(AREA + 2, 1), 1));
    assert_eq!(runs_of_all(store, None, Moment::Latest), [(AREA - 2, 3, true), (AREA + 2, 1, true)]);
    put(store, 0, AREA, 3);
    assert_eq!(read(store, Moment::Latest, pages(0, AREA)), fill(pages(0, AREA), 3));
    clear(store, 0, 2 * AREA);
    assert_eq!(runs_of_all(store, None, Moment::Latest), []);
}

fn what_is_cut_off_never_comes_back(store: &dyn PageStore) {
    create(store, 300);
    put(store, 0, 300, 1);
    let resize = |page_count: u64| block_on(store.resize(VOLUME, page_count * PAGE)).unwrap();
    resize(130);
    refused(block_on(store.read(VOLUME, Moment::Latest, pages(130, 1))));
    refused(write(store, pages(129, 2), 2, Durable::Now));
    resize(3 * AREA);
    assert_eq!(read(store, Moment::Latest, pages(0, 130)), fill(pages(0, 130), 1));
    assert_eq!(read(store, Moment::Latest, pages(130, 200)), zeros(pages(130, 200)));
    assert_eq!(runs_of_all(store, None, Moment::Latest), [(0, 130, true)]);
    resize(0);
    assert_eq!(inspect(store).size, 0);
    resize(1);
    assert_eq!(runs_of_all(store, None, Moment::Latest), []);
}

fn snapshots_never_change(store: &dyn PageStore) {
    create(store, 400);
    put(store, 0, 10, 1);
    let first = snapshot(store);
    put(store, 5, 10, 2);
    let second = snapshot(store);
    clear(store, 0, 8);
    put(store, 300, 1, 3);
    block_on(store.resize(VOLUME, 12 * PAGE)).unwrap();
    let check = |epoch, end: u64, runs: &[(u64, u64, bool)]| {
        let at = Moment::Snapshot(epoch);
        assert_eq!(read(store, at, pages(0, 5)), fill(pages(0, 5), 1));
        assert_eq!(read(store, at, pages(end, 400 - end)), zeros(pages(end, 400 - end)));
        assert_eq!(runs_of_all(store, None, at), runs);
    };
    check(first, 10, &[(0, 10, true)]);
    check(second, 15, &[(0, 15, true)]);
    assert_eq!(runs_of_all(store, None, Moment::Latest), [(8, 4, true)]);
    block_on(store.resize(VOLUME, 0)).unwrap();
    block_on(store.delete_snapshot(VOLUME, first)).unwrap();
    assert_eq!(inspect(store), Inspection { size: 0, snapshots: vec![second] });
    check(second, 15, &[(0, 15, true)]);
    assert_eq!(read(store, Moment::Snapshot(second), pages(5, 10)), fill(pages(5, 10), 2));
}

fn differences_are_exact(store: &dyn PageStore) {
    create(store, 2 * AREA);
    put(store, 0, 20, 1);
    let first = snapshot(store);
    put(store, 3, 1, 1);
    clear(store, 10, 4);
    let second = snapshot(store);
    put(store, 11, 2, 3);
    put(store, AREA + 7, 1, 3);
    clear(store, AREA + 7, 1);
    clear(store, 100, 100);
    put(store, AREA - 1, 2, 3);
    let third = snapshot(store);
    let diff = |since, at| runs_of_all(store, Some(since), at);
    let (early, late) = ([(3, 1, true), (10, 4, false)], [(11, 2, true), (AREA - 1, 2, true)]);
    assert_eq!(diff(first, Moment::Snapshot(second)), early);
    assert_eq!(diff(second, Moment::Snapshot(third)), late);
    assert_eq!(diff(third, Moment::Snapshot(third)), []);
    assert_eq!(diff(third, Moment::Latest), []);
    let both = [(3, 1, true), (10, 1, false), (11, 2, true), (13, 1, false), (AREA - 1, 2, true)];
    assert_eq!(diff(first, Moment::Latest), both);
    block_on(store.delete_snapshot(VOLUME, second)).unwrap();
    assert_eq!(diff(first, Moment::Snapshot(third)), both);
    block_on(store.resize(VOLUME, 11 * PAGE)).unwrap();
    assert_eq!(diff(first, Moment::Latest), [(3, 1, true), (10, 1, false)]);
    block_on(store.resize(VOLUME, 13 * PAGE)).unwrap();
    assert_eq!(diff(first, Moment::Latest), [(3, 1, true), (10, 3, false)]);
}

fn runs_come_in_parts(store: &dyn PageStore) {
    create(store, 2 * AREA);
    let firsts = [0, 2, 4, 127, 130, AREA - 1, AREA + 5];
    for first in firsts {
        put(store, first, 1, 1);
    }
    put(store, AREA, 2, 2);
    let find = |within, runs_max| -> Vec<(u64, u64)> {
        let runs = runs(store, None, Moment::Latest, within, runs_max);
        runs.into_iter().map(|run| (run.range.offset() / PAGE, run.range.length() / PAGE)).collect()
    };
    let all = [(0, 1), (2, 1), (4, 1), (127, 1), (130, 1), (AREA - 1, 3), (AREA + 5, 1)];
    for runs_max in 1..=8 {
        assert_eq!(find(pages(0, 2 * AREA), runs_max), all);
        assert_eq!(find(pages(0, 9 * AREA), runs_max), all, "there is nothing behind the end");
        assert_eq!(find(pages(3, 127), runs_max), [(4, 1), (127, 1)]);
        assert_eq!(find(pages(AREA, 1), runs_max), [(AREA, 1)], "runs are cut to what was asked for");
        assert_eq!(find(pages(5, 100), runs_max), []);
    }
}

fn writes_at_once_keep_to_their_pages(store: &dyn PageStore) {
    create(store, 2 * AREA);
    let ranges = |writer: u32| (0..8).map(move |n| pages(AREA - 20 + n * 4 + u64::from(writer), 1));
    let work = |writer: u32| {
        for number in 1..=10 {
            let durable = if number % 2 == 0 { Durable::Now } else { Durable::AtFlush };
            // All are begun before any is awaited.
            let begun: Vec<_> = ranges(writer)
                .map(|range| store.write(VOLUME, range.offset(), vec![fill(range, number)], durable))
                .collect();
            for write in begun {
                block_on(write).unwrap();
            }
            for range in ranges(writer) {
                assert_eq!(read(store, Moment::Latest, range), fill(range, number));
            }
            block_on(store.flush(VOLUME)).unwrap();
            // This page is everyone's: it keeps what one of them wrote, whole.
            put(store, 0, 1, number);
            let found = read(store, Moment::Latest, pages(0, 1));
            assert!((1..=10).any(|number| found == fill(pages(0, 1), number)), "a mixture");
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || work(writer));
        }
    });
    assert_eq!(runs_of_all(store, None, Moment::Latest), [(0, 1, true), (AREA - 20, 32, true)]);
    assert_eq!(read(store, Moment::Latest, pages(AREA - 20, 32)), fill(pages(AREA - 20, 32), 10));
}

fn what_is_durable_survives_a_crash(fixture: &mut dyn Fixture) {
    let store = fixture.store();
    create(store.as_ref(), 2 * AREA);
    put(store.as_ref(), 500, 1, 3);
    let epoch = snapshot(store.as_ref());
    put(store.as_ref(), 0, 4, 1);
    clear(store.as_ref(), 1, 1);
    block_on(store.flush(VOLUME)).unwrap();
    write(store.as_ref(), pages(AREA - 1, 2), 2, Durable::Now).unwrap();
    block_on(store.clear(VOLUME, pages(3, 1), Durable::Now)).unwrap();
    put(store.as_ref(), 500, 1, 4);
    put(store.as_ref(), 600, 1, 4);
    block_on(store.resize(VOLUME, AREA * PAGE)).unwrap();
    drop(store);
    fixture.crash();
    let store = fixture.store();
    let store = store.as_ref();
    assert_eq!(inspect(store), Inspection { size: AREA * PAGE, snapshots: vec![epoch] });
    assert_eq!(runs_of_all(store, None, Moment::Snapshot(epoch)), [(500, 1, true)]);
    for page in [0, 2] {
        assert_eq!(read(store, Moment::Latest, pages(page, 1)), fill(pages(page, 1), 1), "flushed");
    }
    assert_eq!(read(store, Moment::Latest, pages(1, 1)), zeros(pages(1, 1)));
    assert_eq!(read(store, Moment::Snapshot(epoch), pages(500, 1)), fill(pages(500, 1), 3));
    assert_eq!(read(store, Moment::Latest, pages(AREA - 1, 1)), fill(pages(AREA - 1, 1), 2));
    assert_eq!(read(store, Moment::Latest, pages(3, 1)), zeros(pages(3, 1)));
    let overwritten = read(store, Moment::Latest, pages(500, 1));
    assert!([3, 4].into_iter().any(|number| overwritten == fill(pages(500, 1), number)));
    let new = read(store, Moment::Latest, pages(600, 1));
    assert!(new == zeros(pages(600, 1)) || new == fill(pages(600, 1), 4));
    assert!(snapshot(store) > epoch);
}
