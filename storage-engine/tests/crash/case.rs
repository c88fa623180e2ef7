//! One run of a scenario with one fault in it, and what must hold then.

use crate::dice::Dice;
use crate::model::{Facts, Model, Told};
use crate::records::Records;
use crate::store::{Held, Store};
use crate::trouble::{Case, Counts, Trouble};
use crate::verb::Verb;
use std::time::Duration;
use storage_engine::clock::Clock;
use storage_engine::disk::faulty::{Fault, FaultyDisk, Plan};
use storage_engine::error::EngineError;

/// Verbs of a scenario.
const TURNS: usize = 36;
/// Verbs after the fault.
const TURNS_LATER: usize = 5;

/// What a scenario has come to.
struct Progress {
    /// All that was acknowledged.
    model: Model,
    /// The same and the verb that was not answered.
    after: Option<Model>,
}

impl Case {
    /// Runs the scenario into its trouble, opens what is left, and compares.
    pub(crate) fn run(&self) -> Counts {
        let (disk, records) = (FaultyDisk::new(self.plan()), Records::new());
        if let Trouble::Commit(commit, survives) = self.trouble {
            records.meta.crash_at(commit, survives);
        }
        let mut progress = Progress { model: Model::default(), after: None };
        let opened = Store::open(&disk, &records, self.seed);
        match &opened {
            Ok(store) => self.act(store, &records, &mut progress),
            Err(error) => self.trouble.check_caused(error),
        }
        let counts = Counts { steps: disk.steps(), commits: records.meta.commits() };
        let mut dice = Dice::new(self.mix());
        let (disk, records) = Self::cut_power(&disk, &records, &mut dice);
        drop(opened);
        Self::check_what_is_left(&disk, &records, progress, &mut dice);
        counts
    }

    /// Plays the scenario until the trouble ends it.
    fn act(&self, store: &Store, records: &Records, progress: &mut Progress) {
        let mut dice = Dice::new(self.seed);
        let mut refused = 0;
        for turn in 0..TURNS {
            let verb = Verb::draw(&mut dice, turn, &progress.model);
            let mut outcome = perform(store, records, &verb, progress);
            if matches!(outcome, Err(EngineError::NoSpace)) {
                refused += 1;
                assert!(refused == 1 && self.trouble.name() == "full", "there is room: {verb:?}");
                outcome = perform(store, records, &verb, progress);
            }
            if let Err(error) = &outcome {
                self.trouble.check_caused(error);
                self.check_poison(store, progress, error);
                // The process may live on for long enough to do harm.
                if dice.once_in(2) {
                    store.wait_for_reclaim();
                }
                return;
            }
            records.clock.advance(Duration::from_millis(dice.below(30_000)));
            if !dice.once_in(4) {
                store.wait_for_reclaim();
            }
        }
        if self.trouble == Trouble::None {
            store.wait_for_reclaim();
            same(&progress.model, &store.observe());
            store.check_space(progress.model.chunk_bytes());
        }
    }

    /// A disk that has failed takes no more writes, and still gives what it has.
    fn check_poison(&self, store: &Store, progress: &mut Progress, error: &EngineError) {
        if !matches!(error, EngineError::Disk(_)) {
            return;
        }
        assert!(progress.after.take().is_some(), "the verb would have succeeded");
        for _ in 0..2 {
            assert!(matches!(store.try_disk(), Err(EngineError::Disk(_))), "no write after a failure");
        }
        if !matches!(self.trouble, Trouble::Disk(Fault::Crash, _)) {
            same(&progress.model, &store.observe());
        }
    }

    /// What is left when the power goes, perhaps with another fault and another cut while the store opens.
    fn cut_power(disk: &FaultyDisk, records: &Records, dice: &mut Dice) -> (FaultyDisk, Records) {
        if dice.once_in(2) {
            return (disk.reopen(), records.reopen());
        }
        let fault = dice.pick(&[Fault::Crash, Fault::Crash, Fault::Io, Fault::Full]);
        let disk = disk.reopen_with(Plan::at(1 + dice.below(8), fault, dice.next()));
        let records = records.reopen();
        let opened = Store::open(&disk, &records, 0);
        if let Err(error) = &opened {
            let expected = matches!(error, EngineError::Disk(_) | EngineError::NoSpace);
            assert!(expected, "{error:?} while opening");
        }
        let left = (disk.reopen(), records.reopen());
        drop(opened);
        left
    }

    fn check_what_is_left(disk: &FaultyDisk, records: &Records, progress: Progress, dice: &mut Dice) {
        let store = Store::open(disk, records, dice.next()).unwrap();
        let seen = store.observe();
        let Progress { mut model, after } = progress;
        if let Some(after) = after.filter(|after| after.differences(&seen).is_empty()) {
            model = after;
        }
        same(&model, &seen);
        model.learn(&seen);
        store.check_space(model.chunk_bytes());
        let mut progress = Progress { model, after: None };
        for turn in 3..3 + TURNS_LATER {
            let verb = Verb::draw(dice, turn, &progress.model);
            perform(&store, records, &verb, &mut progress).unwrap();
        }
        for verb in progress.model.commit_all() {
            perform(&store, records, &verb, &mut progress).unwrap();
        }
        same(&progress.model, &store.observe());
        if dice.once_in(4) {
            let (disk, records) = (disk.reopen(), records.reopen());
            drop(store);
            let store = Store::open(&disk, &records, dice.next()).unwrap();
            same(&progress.model, &store.observe());
            store.check_space(progress.model.chunk_bytes());
        }
    }
}

/// Carries out a verb. An error is one of the ground's; a refusal is none, if it is the right one.
fn perform(
    store: &Store,
    records: &Records,
    verb: &Verb,
    progress: &mut Progress,
) -> Result<(), EngineError> {
    let now = records.clock.now();
    let mut unanswered = progress.model.clone();
    let expected = unanswered.apply(verb, &Told::default(), now);
    let outcome = store.carry_out(verb, held(verb, &progress.model));
    progress.after = None;
    match (outcome, expected) {
        (Ok(told), Ok(())) => progress.model.apply(verb, &told, now).expect("as without being told"),
        (Err(error @ (EngineError::Closed | EngineError::Disk(_) | EngineError::NoSpace)), expected) => {
            progress.after = expected.is_ok().then_some(unanswered);
            return Err(error);
        }
        (Err(error), Err(refusal)) => {
            let debug = format!("{error:?}");
            assert!(debug.starts_with(refusal), "{verb:?} must be refused with {refusal}, not {debug}");
        }
        (outcome, expected) => panic!("{verb:?} must give {expected:?}, not {outcome:?}"),
    }
    Ok(())
}

/// Which message a verb is about.
fn held(verb: &Verb, model: &Model) -> Option<Held> {
    let (Verb::UpdateMessage { queue, place, .. } | Verb::DeleteMessage { queue, place }) = verb else {
        return None;
    };
    let letter = model.queues.get(queue)?.get(*place)?;
    letter.id.zip(letter.held.map(|(receipt, _)| receipt))
}

fn same(model: &Model, seen: &Facts) {
    let differences = model.differences(seen);
    assert!(differences.is_empty(), "the store is not as it must be:\n{}", differences.join("\n"));
}
