//! Indexes as they load, wait for verbs that are not durable yet, and end; and what they spare the verbs.

use super::{Bench, address, new, seconds, texts};
use crate::clock::{Clock, SeededEntropy};
use crate::error::EngineError;
use crate::meta::memory::MemoryMeta;
use crate::meta::{Inquiry, MetaStore, Scope, Verb, Weight};
use crate::queue::{Message, NewMessage, QueueStore};
use futures_executor::block_on;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A store whose scans have read, but whose readers get the answer only when they are let go.
#[derive(Debug)]
struct SlowScans {
    meta: Arc<MemoryMeta>,
    held: Mutex<Vec<HeldInquiry>>,
}

struct HeldInquiry(Box<dyn Inquiry>);

impl std::fmt::Debug for HeldInquiry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldInquiry")
    }
}

impl SlowScans {
    fn let_go(&self) {
        let held: Vec<_> = self.held.lock().unwrap().drain(..).collect();
        for inquiry in held {
            inquiry.0.finish(Ok(()));
        }
    }
}

impl MetaStore for SlowScans {
    fn submit(&self, scope: Scope, verb: Box<dyn Verb>) {
        self.meta.submit(scope, verb);
    }

    fn inquire(&self, weight: Weight, mut inquiry: Box<dyn Inquiry>) {
        if weight == Weight::Point {
            return self.meta.inquire(weight, inquiry);
        }
        self.meta
            .read_now(|view| {
                inquiry.run(view);
                Ok(())
            })
            .unwrap();
        self.held.lock().unwrap().push(HeldInquiry(inquiry));
    }
}

/// The queues of the bench in a process of their own, whose indexes load when they are let.
fn slow(bench: &Bench) -> (Arc<SlowScans>, QueueStore) {
    let slow = Arc::new(SlowScans { meta: Arc::clone(&bench.meta), held: Mutex::default() });
    let queues = QueueStore::new(Arc::clone(&slow) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(3)));
    (slow, queues)
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_happens_while_an_index_loads_is_not_lost() {
    let bench = Bench::new();
    let held: Vec<Message> = ["deleted", "hidden", "untouched"].map(|text| bench.put(text)).into();
    let (slow, queues) = slow(&bench);

    let mut get = pin!(queues.get(&bench.at, 10, seconds(30)));
    let mut count = pin!(queues.queue(&bench.at));
    assert!(poll(get.as_mut()).is_pending() && poll(count.as_mut()).is_pending());
    block_on(queues.delete_message(&bench.at, held[0].id, held[0].receipt)).unwrap();
    block_on(queues.update(&bench.at, held[1].id, held[1].receipt, seconds(60), None)).unwrap();
    block_on(queues.put(&bench.at, new("late"))).unwrap();
    assert!(poll(get.as_mut()).is_pending());
    slow.let_go();

    let Poll::Ready(got) = poll(get) else { panic!("the index is loaded") };
    assert_eq!(texts(&got.unwrap()), ["untouched", "late"]);
    let Poll::Ready(counted) = poll(count) else { panic!("the index is loaded") };
    assert_eq!(counted.unwrap().1, 3);
}

#[test]
fn while_an_index_loads_other_queues_go_on() {
    let bench = Bench::new();
    bench.put("m");
    let (slow, queues) = slow(&bench);
    let other = address("other");
    block_on(queues.create(&other, Vec::new())).unwrap();
    let mut known = pin!(queues.get(&other, 1, seconds(30)));
    assert!(poll(known.as_mut()).is_pending());
    slow.let_go();
    assert!(matches!(poll(known), Poll::Ready(Ok(got)) if got.is_empty()));

    let mut get = pin!(queues.get(&bench.at, 1, seconds(30)));
    assert!(poll(get.as_mut()).is_pending());
    block_on(queues.put(&other, new("quick"))).unwrap();
    assert_eq!(texts(&block_on(queues.get(&other, 1, seconds(30))).unwrap()), ["quick"]);
    assert_eq!(block_on(queues.queue(&other)).unwrap().1, 1);
    assert!(poll(get.as_mut()).is_pending());
    slow.let_go();
    assert!(matches!(poll(get), Poll::Ready(Ok(got)) if got.len() == 1));
}

#[test]
fn when_the_one_who_loads_gives_up_another_takes_over() {
    let bench = Bench::new();
    bench.put("m");
    let (slow, queues) = slow(&bench);
    let mut second = pin!(queues.get(&bench.at, 1, seconds(30)));
    {
        let mut first = pin!(queues.get(&bench.at, 1, seconds(30)));
        assert!(poll(first.as_mut()).is_pending() && poll(second.as_mut()).is_pending());
    }
    assert!(poll(second.as_mut()).is_pending());
    slow.let_go();
    let Poll::Ready(got) = poll(second) else { panic!("the index is loaded") };
    assert_eq!(texts(&got.unwrap()), ["m"]);
}

#[test]
fn a_queue_deleted_while_its_index_loads_is_missing() {
    let bench = Bench::new();
    let (slow, queues) = slow(&bench);
    let mut get = pin!(queues.get(&bench.at, 1, seconds(30)));
    assert!(poll(get.as_mut()).is_pending());
    block_on(queues.delete(&bench.at)).unwrap();
    slow.let_go();
    assert!(matches!(poll(get), Poll::Ready(Err(EngineError::QueueNotFound))));
    queues.active.drop_idle(bench.clock.now());
    assert_eq!(queues.active.len(), 0);
}

#[test]
fn a_straggler_leaves_no_index_of_a_deleted_queue() {
    let bench = Bench::new();
    bench.put("m");
    let (_, queues) = slow(&bench);
    {
        let mut get = pin!(queues.get(&bench.at, 1, seconds(30)));
        assert!(poll(get.as_mut()).is_pending());
        block_on(queues.delete(&bench.at)).unwrap();
        // It had found the id before, and asks for its index only now.
        queues.active.of(bench.queue_id());
    }
    assert!(queues.active.len() > 0);
    queues.active.drop_idle(bench.clock.now());
    bench.clock.advance(Duration::from_mins(6));
    queues.active.drop_idle(bench.clock.now());
    assert_eq!(queues.active.len(), 0);
}

#[test]
fn the_index_of_a_queue_that_nobody_uses_goes_and_comes_again() {
    let bench = Bench::new();
    for text in ["1", "2"] {
        bench.put(text);
    }
    bench.get(1);
    let look = || block_on(bench.queues.expire_once(bench.clock.now())).unwrap();
    look();
    look();
    bench.clock.advance(Duration::from_mins(4));
    bench.put("3");
    look();
    bench.clock.advance(Duration::from_mins(4));
    look();
    assert_eq!(bench.queues.active.len(), 1, "used four minutes ago");
    bench.clock.advance(Duration::from_mins(1));
    look();
    assert_eq!(bench.queues.active.len(), 0);
    assert_eq!(texts(&bench.get(3)), ["1", "2", "3"]);
}

/// Verbs that are not durable yet: the store runs them, and answers only when it is let go.
#[derive(Debug)]
struct SlowCommits {
    meta: Arc<MemoryMeta>,
    held: Mutex<Vec<(Scope, HeldVerb)>>,
}

struct HeldVerb(Box<dyn Verb>);

impl std::fmt::Debug for HeldVerb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HeldVerb")
    }
}

impl MetaStore for SlowCommits {
    fn submit(&self, scope: Scope, verb: Box<dyn Verb>) {
        self.held.lock().unwrap().push((scope, HeldVerb(verb)));
    }

    fn inquire(&self, weight: Weight, inquiry: Box<dyn Inquiry>) {
        self.meta.inquire(weight, inquiry);
    }
}

#[test]
fn an_index_stays_as_long_as_a_verb_is_not_durable_even_if_nobody_waits_for_it() {
    let bench = Bench::new();
    let slow = Arc::new(SlowCommits { meta: Arc::clone(&bench.meta), held: Mutex::default() });
    let queues = QueueStore::new(Arc::clone(&slow) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(3)));
    {
        let mut put = pin!(queues.put(&bench.at, new("m")));
        assert!(poll(put.as_mut()).is_pending());
    }
    let idle = || {
        queues.active.drop_idle(bench.clock.now());
        bench.clock.advance(Duration::from_mins(6));
        queues.active.drop_idle(bench.clock.now());
        bench.clock.advance(Duration::from_mins(6));
        queues.active.drop_idle(bench.clock.now());
        queues.active.len()
    };
    assert_eq!(idle(), 1);
    for (scope, verb) in slow.held.lock().unwrap().drain(..) {
        slow.meta.submit(scope, verb.0);
    }
    assert_eq!(idle(), 0);
}

#[test]
fn messages_of_queues_that_nobody_uses_expire_too() {
    let mut bench = Bench::new();
    for name in ["work", "other"] {
        block_on(bench.queues.create(&address(name), Vec::new())).unwrap();
        for n in 0..3000 {
            let time_to_live = (n % 3 > 0).then(|| seconds(5));
            block_on(bench.queues.put(&address(name), NewMessage { time_to_live, ..new("m") })).unwrap();
        }
    }
    bench.reopen();
    bench.clock.advance(seconds(6));
    let mut expired = 0;
    // As many steps as it takes to walk over all rows, a page at a time.
    for _ in 0..4 {
        expired += block_on(bench.queues.expire_once(bench.clock.now())).unwrap();
    }
    assert_eq!((expired, bench.rows(), bench.queues.active.len()), (4000, 2000, 0));
    assert_eq!(bench.count(), 1000);
}

/// What a queue costs must not depend on what has passed through it.
#[test]
fn a_cycle_costs_the_same_however_many_messages_have_passed_and_wait() {
    let bench = Bench::new();
    let cycle = || {
        let before = bench.meta.visits();
        bench.put("m");
        let got = bench.get(1).remove(0);
        block_on(bench.queues.delete_message(&bench.at, got.id, got.receipt)).unwrap();
        bench.meta.visits() - before
    };
    let (_, first) = (cycle(), cycle());
    for _ in 0..2000 {
        assert_eq!(cycle(), first);
    }
    for _ in 0..2000 {
        bench.put("waiting");
    }
    assert_eq!(cycle(), first);
    let before = bench.meta.visits();
    assert_eq!(bench.count(), 2000);
    assert!(bench.meta.visits() - before <= first, "counting looks at no message");
}

#[test]
fn the_first_verb_after_a_load_finds_all_messages_in_their_places() {
    let mut bench = Bench::new();
    for n in 0..5000 {
        bench.put(&n.to_string());
    }
    bench.get(7);
    bench.reopen();
    let before = bench.meta.visits();
    assert_eq!(bench.count(), 5000);
    let loading = bench.meta.visits() - before;
    assert!((5000..5050).contains(&loading), "each row once: {loading}");
    assert_eq!(texts(&bench.get(2)), ["7", "8"]);
}

#[test]
fn a_queue_cleared_while_its_index_loads_gives_what_was_put_since() {
    let bench = Bench::new();
    bench.put("old");
    let (slow, queues) = slow(&bench);
    let mut get = pin!(queues.get(&bench.at, 2, seconds(30)));
    assert!(poll(get.as_mut()).is_pending());
    block_on(queues.clear(&bench.at)).unwrap();
    block_on(queues.put(&bench.at, new("new"))).unwrap();
    slow.let_go();
    // It has found out that the name points elsewhere, and loads that.
    assert!(poll(get.as_mut()).is_pending());
    slow.let_go();
    let Poll::Ready(got) = poll(get) else { panic!("the index is loaded") };
    assert_eq!(texts(&got.unwrap()), ["new"]);
}
