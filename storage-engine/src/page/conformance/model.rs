//! Random histories of one volume, compared with maps of numbered writes.
//!
//! Every act has a number, and the bytes of a page tell in which act it was written. So one number per page says
//! what must be read, and whether it was written since a snapshot. Histories play at the edges of areas and of the
//! units into which a store may divide them, with cuts of power between acts.

use super::{
    AREA, Durable, Epoch, Fixture, Moment, PAGE, PageRange, PageStore, Run, VOLUME, create, fill, inspect,
    pages, read, runs, snapshot, write, zeros,
};
use futures_executor::block_on;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;

/// Pages that the volume has at most.
const PAGES: u64 = AREA + 8;

#[derive(Debug, Clone, Copy)]
enum Act {
    Write(PageRange, bool),
    Clear(PageRange, bool),
    Resize(u64),
    Flush,
    Snapshot,
    DeleteSnapshot(prop::sample::Index),
    Crash,
    Look { range: PageRange, since: prop::sample::Index, at: prop::sample::Index, runs_max: usize },
}

fn acts() -> impl Strategy<Value = Act> {
    let place = || (select(vec![0, 125, AREA - 3]), 0..6_u64, 1..7_u64);
    let range = || place().prop_map(|(edge, from, count)| pages(edge + from, count.min(PAGES - edge - from)));
    let wide = (range(), range()).prop_map(|(a, b)| {
        let first = a.offset().min(b.offset());
        PageRange::new(first, a.end().max(b.end()) - first).unwrap()
    });
    let index = any::<prop::sample::Index>;
    let look = (wide.clone(), index(), index(), 1..5_usize)
        .prop_map(|(range, since, at, runs_max)| Act::Look { range, since, at, runs_max });
    prop_oneof![
        8 => (range(), any::<bool>()).prop_map(|(range, now)| Act::Write(range, now)),
        3 => (prop_oneof![range(), wide], any::<bool>()).prop_map(|(range, now)| Act::Clear(range, now)),
        1 => select(vec![0, 2, 127, 129, AREA - 1, AREA, AREA + 2, PAGES]).prop_map(Act::Resize),
        1 => Just(Act::Flush),
        2 => Just(Act::Snapshot),
        1 => index().prop_map(Act::DeleteSnapshot),
        1 => Just(Act::Crash),
        4 => look,
    ]
}

/// A state of the volume.
#[derive(Debug, Clone)]
struct State {
    /// The act that it is from.
    number: u32,
    page_count: u64,
    /// Valid pages, and the acts that wrote them.
    pages: BTreeMap<u64, u32>,
}

#[derive(Debug)]
struct Model {
    latest: State,
    /// Of pages that are not durable as they are: what else a crash may show.
    older: BTreeMap<u64, Vec<Option<u32>>>,
    snapshots: BTreeMap<Epoch, State>,
    crashes: Vec<u32>,
}

impl Model {
    fn set(&mut self, range: PageRange, value: Option<u32>, now: bool) {
        for page in numbers(range) {
            let old = match value {
                Some(value) => self.latest.pages.insert(page, value),
                None => self.latest.pages.remove(&page),
            };
            if now {
                self.older.remove(&page);
            } else {
                self.older.entry(page).or_default().push(old);
            }
        }
    }

    fn resize(&mut self, page_count: u64) {
        self.latest.page_count = page_count;
        self.latest.pages.retain(|page, _| *page < page_count);
        self.older.retain(|page, _| *page < page_count);
    }

    /// Takes over what the store shows of the pages that were not durable.
    fn crash(&mut self, store: &dyn PageStore) {
        for (page, mut allowed) in std::mem::take(&mut self.older) {
            allowed.push(self.latest.pages.get(&page).copied());
            let found = read(store, Moment::Latest, pages(page, 1));
            let shown = allowed.into_iter().find(|value| found == bytes_of(page, *value));
            let shown = shown.unwrap_or_else(|| panic!("page {page} shows none of its states"));
            self.set(pages(page, 1), shown, true);
        }
        self.crashes.push(self.latest.number);
    }

    fn state(&self, at: Moment) -> &State {
        match at {
            Moment::Latest => &self.latest,
            Moment::Snapshot(epoch) => &self.snapshots[&epoch],
        }
    }

    fn check(
        &self,
        store: &dyn PageStore,
        since: Option<Epoch>,
        at: Moment,
        within: PageRange,
        runs_max: usize,
    ) {
        let state = self.state(at);
        for page in numbers(within).filter(|page| near(*page)) {
            let outcome = block_on(store.read(VOLUME, at, pages(page, 1)));
            let value = state.pages.get(&page).copied();
            let expected = (page < state.page_count).then(|| bytes_of(page, value));
            assert!(outcome.ok() == expected, "page {page} at {at:?} should be of act {value:?}");
        }
        let since_state = since.map(|epoch| &self.snapshots[&epoch]);
        let expected = marks(since_state, state, within);
        let mut found: BTreeMap<u64, bool> =
            runs(store, since, at, within, runs_max).into_iter().flat_map(marked).collect();
        let crashed = |old: &State| self.crashes.iter().any(|act| (old.number..=state.number).contains(act));
        if since_state.is_some_and(crashed) {
            let spurious = |page: &u64, valid: bool| valid && state.pages.contains_key(page);
            found.retain(|page, valid| expected.contains_key(page) || !spurious(page, *valid));
        }
        assert_eq!(found, expected, "since {since:?} at {at:?}");
    }

    fn check_all(&self, store: &dyn PageStore) {
        let inspection = inspect(store);
        assert_eq!(inspection.size, self.latest.page_count * PAGE);
        assert!(inspection.snapshots.iter().eq(self.snapshots.keys()), "the snapshots, oldest first");
        for at in self.moments() {
            for since in self.sinces(at) {
                self.check(store, since, at, pages(0, PAGES), 1000);
            }
        }
    }

    fn moments(&self) -> Vec<Moment> {
        let snapshots = self.snapshots.keys().copied().map(Moment::Snapshot);
        std::iter::once(Moment::Latest).chain(snapshots).collect()
    }

    /// What `at` may be compared with.
    fn sinces(&self, at: Moment) -> Vec<Option<Epoch>> {
        let older = |epoch: &Epoch| !matches!(at, Moment::Snapshot(at) if *epoch > at);
        let snapshots = self.snapshots.keys().copied().filter(older).map(Some);
        std::iter::once(None).chain(snapshots).collect()
    }
}

/// Whether something may happen to the page: only these are read one by one.
fn near(page: u64) -> bool {
    page < 12 || (125..138).contains(&page) || page >= AREA - 3
}

fn numbers(range: PageRange) -> std::ops::Range<u64> {
    range.offset() / PAGE..range.end() / PAGE
}

fn bytes_of(page: u64, value: Option<u32>) -> bytes::Bytes {
    let range = pages(page, 1);
    value.map_or_else(|| zeros(range), |number| fill(range, number))
}

fn marked(run: Run) -> impl Iterator<Item = (u64, bool)> {
    numbers(run.range).map(move |page| (page, run.valid))
}

/// Which pages differ, and whether they are valid.
fn marks(since: Option<&State>, at: &State, within: PageRange) -> BTreeMap<u64, bool> {
    let mark = |page: u64| match (at.pages.get(&page), since) {
        (Some(written), since) => since.is_none_or(|since| *written > since.number).then_some(true),
        (None, since) => since.is_some_and(|since| since.pages.contains_key(&page)).then_some(false),
    };
    let range = numbers(within);
    (range.start..range.end.min(at.page_count)).filter_map(|page| Some((page, mark(page)?))).collect()
}

pub(super) fn volumes_do_what_a_map_does<F: Fixture>(make: &impl Fn() -> F) {
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let histories = proptest::collection::vec(acts(), 1..60);
    let outcome = TestRunner::new(config).run(&histories, |history| {
        let mut fixture = make();
        create(fixture.store().as_ref(), PAGES);
        let latest = State { number: 0, page_count: PAGES, pages: BTreeMap::new() };
        let (older, snapshots) = (BTreeMap::new(), BTreeMap::new());
        let mut model = Model { latest, older, snapshots, crashes: Vec::new() };
        for act in history {
            model.latest.number += 1;
            run(act, &mut fixture, &mut model);
        }
        model.check_all(fixture.store().as_ref());
        Ok(())
    });
    outcome.unwrap();
}

fn run(act: Act, fixture: &mut dyn Fixture, model: &mut Model) {
    let store = fixture.store();
    let number = model.latest.number;
    let fits = |range: PageRange| range.end() <= model.latest.page_count * PAGE;
    let durable = |now| if now { Durable::Now } else { Durable::AtFlush };
    match act {
        Act::Write(range, now) => {
            let written = write(store.as_ref(), range, number, durable(now)).is_ok();
            assert_eq!(written, fits(range));
            if written {
                model.set(range, Some(number), now);
            }
        }
        Act::Clear(range, now) => {
            let cleared = block_on(store.clear(VOLUME, range, durable(now))).is_ok();
            assert_eq!(cleared, fits(range));
            if cleared {
                model.set(range, None, now);
            }
        }
        Act::Resize(page_count) => {
            block_on(store.resize(VOLUME, page_count * PAGE)).unwrap();
            model.resize(page_count);
        }
        Act::Flush => {
            block_on(store.flush(VOLUME)).unwrap();
            model.older.clear();
        }
        Act::Snapshot => {
            let epoch = snapshot(store.as_ref());
            model.older.clear();
            assert!(model.snapshots.insert(epoch, model.latest.clone()).is_none(), "a number of its own");
        }
        Act::DeleteSnapshot(index) => {
            let epochs: Vec<Epoch> = model.snapshots.keys().copied().collect();
            if !epochs.is_empty() {
                let epoch = *index.get(&epochs);
                block_on(store.delete_snapshot(VOLUME, epoch)).unwrap();
                model.snapshots.remove(&epoch);
            }
        }
        Act::Crash => {
            drop(store);
            fixture.crash();
            model.crash(fixture.store().as_ref());
        }
        Act::Look { range, since, at, runs_max } => {
            let at = *at.get(&model.moments());
            let since = *since.get(&model.sinces(at));
            model.check(store.as_ref(), since, at, range, runs_max);
        }
    }
}
