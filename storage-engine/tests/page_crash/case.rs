//! One run of a scenario with one fault in it, and what must hold then.

use crate::dice::Dice;
use crate::model::{AREA, Act, Image, Model, PAGES, WINDOWS, fill_all, range, value};
use crate::trouble::{Case, Counts, Trouble};
use futures_executor::block_on;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use storage_engine::clock::ManualClock;
use storage_engine::disk::faulty::{Fault, FaultyDisk, Plan};
use storage_engine::error::{EngineError, Result};
use storage_engine::meta::memory::MemoryMeta;
use storage_engine::page::local::{LocalPages, PageOptions};
use storage_engine::page::{Durable, Epoch, Moment, PAGE_BYTES, PageStore, VolumeId};

const VOLUME: VolumeId = VolumeId(77);
/// Acts of a scenario.
const ACTS: u32 = 40;
/// Acts after the fault.
const ACTS_LATER: u32 = 8;

/// What is left by a power cut: the ground to open on.
struct Ground {
    disk: FaultyDisk,
    meta: Arc<MemoryMeta>,
}

impl Ground {
    fn cut(&self, plan: Plan) -> Self {
        // The bytes first: what is committed in between names bytes that were synced before.
        let disk = self.disk.reopen_with(plan);
        Self { disk, meta: self.meta.reopen(Box::new(|_| ())).unwrap() }
    }

    fn open(&self, seed: u64) -> Result<Arc<LocalPages>> {
        // Some scenarios with a checkpoint after nearly every write.
        let marks_max = if seed.is_multiple_of(2) { 1024 } else { 0 };
        let options = PageOptions { threads: 2, reserve_bytes: 0, marks_max, ..PageOptions::default() };
        LocalPages::open(self.meta.clone(), Arc::new(self.disk.clone()), &options)
    }
}

impl Case {
    /// Runs the scenario into its trouble, opens what is left, and compares.
    pub(crate) fn run(&self) -> Counts {
        let meta = MemoryMeta::new(Arc::new(ManualClock::default()));
        let ground = Ground { disk: FaultyDisk::new(self.plan()), meta };
        if let Trouble::Commit(commit, survives) = self.trouble {
            ground.meta.crash_at(commit, survives);
        }
        let (mut model, mut created, mut cut_short) = (Model::new(), false, None);
        let opened = ground.open(self.seed);
        if let Ok(store) = &opened {
            match block_on(store.create(VOLUME, PAGES * PAGE_BYTES as u64)) {
                Ok(()) => {
                    created = true;
                    cut_short = self.act(store, &mut model);
                }
                Err(error) => self.trouble.check_caused(&error),
            }
        }
        let counts = Counts { steps: ground.disk.steps(), commits: ground.meta.commits() };
        let mut dice = Dice::new(self.mix());
        let left = self.cut_power(&ground, &mut dice);
        drop(opened);
        self.check_what_is_left(&left, model, created, cut_short.as_ref(), &mut dice);
        counts
    }

    /// Plays the scenario until the trouble ends it; gives the act that was cut short.
    fn act(&self, store: &LocalPages, model: &mut Model) -> Option<Act> {
        let mut dice = Dice::new(self.seed);
        for number in 1..=ACTS {
            model.latest.number = number;
            let act = Act::draw(&mut dice, model);
            let mut outcome = perform(store, model, &act);
            if matches!(outcome, Err(EngineError::NoSpace)) {
                assert_eq!(self.trouble.name(), "full", "there is room");
                refused(model, &act);
                model.crashed = Some(number);
                outcome = perform(store, model, &act);
            }
            if let Err(error) = outcome {
                self.trouble.check_caused(&error);
                if matches!(error, EngineError::Disk(_)) && store.check().is_err() {
                    let again = perform(store, &mut model.clone(), &Act::Flush);
                    assert!(matches!(again, Err(EngineError::Disk(_))), "no sync after a failure: {again:?}");
                }
                return Some(act);
            }
        }
        if self.trouble == Trouble::None {
            check_all(store, model);
        }
        None
    }

    /// What is left when the power goes, perhaps with another fault and another cut while the store opens.
    fn cut_power(&self, ground: &Ground, dice: &mut Dice) -> Ground {
        if dice.once_in(2) {
            return ground.cut(Plan::none());
        }
        let fault = dice.pick(&[Fault::Crash, Fault::Crash, Fault::Io, Fault::Full]);
        let ground = ground.cut(Plan::at(1 + dice.below(8), fault, dice.next()));
        let opened = ground.open(self.seed);
        if let Ok(store) = &opened {
            // Opens the volume, and reads what it has to take sums of.
            let _ = block_on(store.inspect(VOLUME));
            let _ = block_on(store.read(VOLUME, Moment::Latest, range(0, 5)));
            let _ = block_on(store.flush(VOLUME));
        }
        let left = ground.cut(Plan::none());
        drop(opened);
        left
    }

    fn check_what_is_left(
        &self,
        left: &Ground,
        mut model: Model,
        created: bool,
        cut_short: Option<&Act>,
        dice: &mut Dice,
    ) {
        let store = left.open(self.seed).unwrap();
        if !created {
            block_on(store.create(VOLUME, PAGES * PAGE_BYTES as u64)).unwrap();
        }
        adopt(&store, &mut model, cut_short);
        check_all(&store, &model);
        let before = model.latest.number;
        for number in before + 1..=before + ACTS_LATER {
            model.latest.number = number;
            let act = Act::draw(dice, &model);
            perform(&store, &mut model, &act).unwrap();
        }
        check_all(&store, &model);
        store.close().unwrap();
        drop(store);
        let store = left.cut(Plan::none()).open(self.seed).unwrap();
        check_all(&store, &model);
    }
}

/// Carries out an act, and has the model do so when it was done. One that does not fit must be refused.
fn perform(store: &LocalPages, model: &mut Model, act: &Act) -> Result<()> {
    let durable = |now: bool| if now { Durable::Now } else { Durable::AtFlush };
    let mut epoch = None;
    let outcome = match act {
        Act::Write { from, end, now } => {
            let bytes = fill_all(*from..*end, model.latest.number);
            block_on(store.write(VOLUME, range(*from, *end).offset(), vec![bytes], durable(*now)))
        }
        Act::Clear { from, end, now } => block_on(store.clear(VOLUME, range(*from, *end), durable(*now))),
        Act::Flush => block_on(store.flush(VOLUME)),
        Act::Snapshot => block_on(store.snapshot(VOLUME)).map(|taken| epoch = Some(taken)),
        Act::DeleteSnapshot(epoch) => block_on(store.delete_snapshot(VOLUME, *epoch)),
        Act::Resize(pages) => block_on(store.resize(VOLUME, pages * PAGE_BYTES as u64)),
    };
    match outcome {
        Err(EngineError::InvalidPageRange) if !act.fits(model) => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            assert!(act.fits(model), "{act:?} is about pages that are not there");
            model.apply(act, epoch);
            Ok(())
        }
    }
}

/// What a write or clear that was refused may have done: some pages now show it.
fn refused(model: &mut Model, act: &Act) {
    let number = model.latest.number;
    let (pages, value) = match act {
        Act::Write { from, end, .. } => (*from..*end, Some(number)),
        Act::Clear { from, end, .. } => (*from..*end, None),
        _ => return,
    };
    for page in pages {
        model.older.entry(page).or_default().insert(value);
    }
}

fn show(store: &LocalPages, at: Moment, page_count: u64) -> BTreeMap<u64, Option<u32>> {
    let mut shown = BTreeMap::new();
    for (from, end) in WINDOWS {
        let end = end.min(page_count);
        if from < end {
            let bytes = block_on(store.read(VOLUME, at, range(from, end))).unwrap();
            let pages = (from..end).zip(bytes.chunks(PAGE_BYTES));
            shown.extend(pages.map(|(page, bytes)| (page, value(page, bytes))));
        }
    }
    shown
}

/// Takes over what the store shows, if it may.
fn adopt(store: &LocalPages, model: &mut Model, cut_short: Option<&Act>) {
    let found = block_on(store.inspect(VOLUME)).unwrap();
    let page_count = found.size / PAGE_BYTES as u64;
    if page_count != model.latest.page_count {
        assert!(matches!(cut_short, Some(Act::Resize(new)) if *new == page_count), "a size from nowhere");
        model.apply(&Act::Resize(page_count), None);
    }
    let shown = show(store, Moment::Latest, page_count);
    let number = model.latest.number;
    let (pages, new, now) = match cut_short {
        Some(Act::Write { from, end, now }) => (*from..*end, Some(number), *now),
        Some(Act::Clear { from, end, now }) => (*from..*end, None, *now),
        _ => (0..0, None, false),
    };
    for area in 0..2 {
        let inside = |page: &u64| page / AREA == area;
        let changed = |page: &u64| pages.contains(page) && inside(page);
        let whole = shown.iter().filter(|(page, _)| changed(page)).all(|(_, value)| *value == new);
        for (page, value) in shown.iter().filter(|(page, _)| inside(page)) {
            let allowed = match changed(page) {
                true if now && whole => true,
                true if !now && *value == new => true,
                _ => model.allows(*page, *value),
            };
            assert!(
                allowed,
                "page {page} shows {value:?} after {pages:?} (now: {now}) was cut short: {model:?}"
            );
        }
    }
    for (page, value) in &shown {
        model.adopt(*page, *value);
    }
    model.older.clear();
    model.crashed = Some(number);
    let found: BTreeSet<Epoch> = found.snapshots.into_iter().collect();
    let known: BTreeSet<Epoch> = model.snapshots.keys().copied().collect();
    for epoch in found.difference(&known) {
        assert!(matches!(cut_short, Some(Act::Snapshot)), "a snapshot from nowhere");
        // All of it was durable before, so the present is what it holds.
        model.snapshots.insert(*epoch, model.latest.clone());
    }
    for epoch in known.difference(&found) {
        assert!(matches!(cut_short, Some(Act::DeleteSnapshot(gone)) if gone == epoch), "a snapshot is lost");
        model.snapshots.remove(epoch);
    }
}

/// All runs, as pages and whether they are valid.
fn told(store: &LocalPages, since: Option<Epoch>, at: Moment) -> BTreeMap<u64, bool> {
    let (mut told, mut from) = (BTreeMap::new(), 0);
    while from < 2 * PAGES {
        let max = NonZeroUsize::new(7).unwrap();
        let part = block_on(store.runs(VOLUME, since, at, range(from, 2 * PAGES), max)).unwrap();
        for run in part.runs {
            let page = PAGE_BYTES as u64;
            let pages = run.range.offset() / page..run.range.end() / page;
            told.extend(pages.map(|page| (page, run.valid)));
        }
        from = part.next.map_or(u64::MAX, |next| next / PAGE_BYTES as u64);
    }
    told
}

fn check_all(store: &LocalPages, model: &Model) {
    let found = block_on(store.inspect(VOLUME)).unwrap();
    assert_eq!(found.size / PAGE_BYTES as u64, model.latest.page_count);
    assert!(found.snapshots.iter().eq(model.snapshots.keys()));
    let snapshots = model.snapshots.iter().map(|(epoch, image)| (Moment::Snapshot(*epoch), image));
    for (at, image) in snapshots.chain([(Moment::Latest, &model.latest)]) {
        for (page, value) in show(store, at, image.page_count) {
            let allowed = image.pages.get(&page).copied() == value
                || at == Moment::Latest && model.older.get(&page).is_some_and(|older| older.contains(&value));
            assert!(allowed, "page {page} at {at:?} shows {value:?}");
        }
        let valid: BTreeSet<u64> = told(store, None, at).into_keys().collect();
        assert!(valid.iter().eq(image.pages.keys()), "the valid pages at {at:?}: {valid:?}");
        for (epoch, old) in &model.snapshots {
            if !matches!(at, Moment::Snapshot(at) if at < *epoch) {
                check_difference(&told(store, Some(*epoch), at), old, image, model.crashed);
            }
        }
    }
}

fn check_difference(told: &BTreeMap<u64, bool>, old: &Image, new: &Image, crashed: Option<u32>) {
    let mut expected: BTreeMap<u64, bool> =
        new.pages.iter().filter(|(_, act)| **act > old.number).map(|(page, _)| (*page, true)).collect();
    let gone = old.pages.keys().filter(|page| !new.pages.contains_key(page) && **page < new.page_count);
    expected.extend(gone.map(|page| (*page, false)));
    let crashed = crashed.is_some_and(|act| (old.number..=new.number).contains(&act));
    let mut told = told.clone();
    if crashed {
        told.retain(|page, valid| expected.contains_key(page) || !*valid || !new.pages.contains_key(page));
    }
    assert_eq!(told, expected, "the difference between {} and {}", old.number, new.number);
}
