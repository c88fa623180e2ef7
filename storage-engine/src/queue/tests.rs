//! Queues as a whole, on the store in memory: against a model, across reopening, and while an index loads.

use super::{Creation, Message, MessageId, NewMessage, PopReceipt, QueueAddress, QueueStore};
use crate::clock::{Clock, ManualClock, SeededEntropy, Timestamp};
use crate::error::{EngineError, Result};
use crate::meta::memory::MemoryMeta;
use crate::meta::rocks::{RocksMeta, RocksOptions};
use crate::meta::{Durability, Family, Inquiry, MetaStore, Scope, Step, Verb, Weight};
use crate::name::{AccountName, QueueName};
use crate::sweep::sweep_once;
use bytes::Bytes;
use futures_executor::block_on;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;
use proptest::{collection, option, prop_assert, prop_assert_eq};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn address(queue: &str) -> QueueAddress {
    QueueAddress { account: AccountName::parse("acc").unwrap(), queue: QueueName::parse(queue).unwrap() }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn new(text: &str) -> NewMessage {
    NewMessage { text: Bytes::copy_from_slice(text.as_bytes()), delay: Duration::ZERO, time_to_live: None }
}

/// A queue in a store in memory, with a clock that stands.
struct Bench {
    clock: Arc<ManualClock>,
    meta: Arc<MemoryMeta>,
    queues: QueueStore,
    at: QueueAddress,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let meta = MemoryMeta::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let queues =
            QueueStore::new(Arc::clone(&meta) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(1)));
        let at = address("work");
        block_on(queues.create(&at, Vec::new())).unwrap();
        Self { clock, meta, queues, at }
    }

    fn reopen(&mut self) {
        self.meta = self.meta.reopen(Box::new(|_| ())).unwrap();
        let meta = Arc::clone(&self.meta) as Arc<dyn MetaStore>;
        self.queues = QueueStore::new(meta, Arc::new(SeededEntropy::new(2)));
    }

    fn put(&self, text: &str) -> Message {
        block_on(self.queues.put(&self.at, new(text))).unwrap()
    }

    fn get(&self, count: usize) -> Vec<Message> {
        block_on(self.queues.get(&self.at, count, seconds(30))).unwrap()
    }

    fn count(&self) -> u64 {
        block_on(self.queues.queue(&self.at)).unwrap().1
    }

    fn rows(&self) -> usize {
        let mut rows = 0;
        let scan = self.meta.read_now(|view| {
            view.scan(Family::Message, &[], None, &mut |_, _| {
                rows += 1;
                Ok(Step::Next)
            })
        });
        scan.unwrap();
        rows
    }
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| std::str::from_utf8(&message.text).unwrap()).collect()
}

#[test]
fn creating_a_queue_again_is_no_error_if_its_metadata_is_the_same() {
    let bench = Bench::new();
    let at = address("other");
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let create = |metadata| block_on(bench.queues.create(&at, metadata));
    assert_eq!(create(vec![pair("a", "1"), pair("b", "2")]).unwrap(), Creation::Created);
    assert_eq!(create(vec![pair("B", "2"), pair("a", "1")]).unwrap(), Creation::AlreadyThere);
    assert!(matches!(create(vec![pair("a", "1")]), Err(EngineError::QueueExists)));
    block_on(bench.queues.set_metadata(&at, vec![pair("c", "3")])).unwrap();
    assert_eq!(block_on(bench.queues.queue(&at)).unwrap().0.metadata, [pair("c", "3")]);
}

#[test]
fn every_verb_says_when_there_is_no_queue() {
    let bench = Bench::new();
    let (queues, at) = (&bench.queues, address("none"));
    let receipt = PopReceipt(1);
    let missing = |result: Result<()>| assert!(matches!(result, Err(EngineError::QueueNotFound)));
    missing(block_on(queues.delete(&at)));
    missing(block_on(queues.queue(&at)).map(|_| ()));
    missing(block_on(queues.set_metadata(&at, Vec::new())));
    missing(block_on(queues.put(&at, new("m"))).map(|_| ()));
    missing(block_on(queues.get(&at, 1, seconds(1))).map(|_| ()));
    missing(block_on(queues.peek(&at, 1)).map(|_| ()));
    missing(block_on(queues.update(&at, MessageId(1), receipt, seconds(1), None)).map(|_| ()));
    missing(block_on(queues.delete_message(&at, MessageId(1), receipt)));
    missing(block_on(queues.clear(&at)));
}

#[test]
fn queues_are_listed_by_name_page_by_page() {
    let bench = Bench::new();
    for name in ["bbb", "aaa", "abc", "abd"] {
        block_on(bench.queues.create(&address(name), Vec::new())).unwrap();
    }
    let list = |prefix: &str, after: Option<&str>, limit| {
        let account = AccountName::parse("acc").unwrap();
        let page =
            block_on(bench.queues.list(&account, prefix.into(), after.map(Into::into), limit)).unwrap();
        let names: Vec<_> = page.entries.iter().map(|queue| queue.name.as_str().to_owned()).collect();
        (names.join(" "), page.next.map(|next| String::from_utf8(next).unwrap()))
    };
    assert_eq!(list("", None, 10), ("aaa abc abd bbb work".into(), None));
    assert_eq!(list("a", None, 2), ("aaa abc".into(), Some("abc".into())));
    assert_eq!(list("a", Some("abc"), 2), ("abd".into(), None));
    assert_eq!(list("x", None, 2), (String::new(), None));
}

#[test]
fn a_deleted_queue_leaves_no_message_to_one_of_the_same_name() {
    let bench = Bench::new();
    bench.put("old");
    block_on(bench.queues.delete(&bench.at)).unwrap();
    block_on(bench.queues.create(&bench.at, Vec::new())).unwrap();
    assert_eq!((bench.get(1).len(), bench.count()), (0, 0));
    bench.put("new");
    assert_eq!(texts(&bench.get(2)), ["new"]);
}

#[test]
fn what_a_cleared_queue_held_is_swept() {
    let bench = Bench::new();
    for n in 0..1500 {
        bench.put(&n.to_string());
    }
    block_on(bench.queues.clear(&bench.at)).unwrap();
    bench.put("kept");
    assert_eq!((bench.count(), bench.rows()), (1, 1501));
    while sweep_once(&*bench.meta, 1).unwrap() > 0 {}
    assert_eq!(bench.rows(), 1);
    assert_eq!(texts(&bench.get(1)), ["kept"]);
}

#[test]
fn expired_messages_leave_the_disk_without_anybody_asking() {
    let bench = Bench::new();
    for _ in 0..2500 {
        let short = NewMessage { time_to_live: Some(seconds(5)), ..new("short") };
        block_on(bench.queues.put(&bench.at, short)).unwrap();
    }
    bench.put("long");
    assert_eq!(block_on(bench.queues.expire_once(bench.clock.now())).unwrap(), 0);
    bench.clock.advance(seconds(6));
    assert_eq!(block_on(bench.queues.expire_once(bench.clock.now())).unwrap(), 2500);
    assert_eq!((bench.rows(), bench.count()), (1, 1));
}

#[test]
fn a_message_made_visible_again_takes_its_old_place() {
    let bench = Bench::new();
    for text in ["1", "2", "3"] {
        bench.put(text);
    }
    let first = bench.get(1).remove(0);
    let (receipt, _) =
        block_on(bench.queues.update(&bench.at, first.id, first.receipt, Duration::ZERO, None)).unwrap();
    assert_ne!(receipt, first.receipt);
    let again = bench.get(3);
    assert_eq!(texts(&again), ["1", "2", "3"]);
    assert_eq!(again[0].dequeued, 2);
    let stale = block_on(bench.queues.delete_message(&bench.at, first.id, receipt));
    assert!(matches!(stale, Err(EngineError::PopReceiptMismatch)));
}

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

fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_happens_while_an_index_loads_is_not_lost() {
    let bench = Bench::new();
    let held: Vec<Message> = ["deleted", "hidden", "untouched"].map(|text| bench.put(text)).into();
    let slow = Arc::new(SlowScans { meta: Arc::clone(&bench.meta), held: Mutex::default() });
    let queues = QueueStore::new(Arc::clone(&slow) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(3)));

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
fn when_the_one_who_loads_gives_up_another_takes_over() {
    let bench = Bench::new();
    bench.put("m");
    let slow = Arc::new(SlowScans { meta: Arc::clone(&bench.meta), held: Mutex::default() });
    let queues = QueueStore::new(Arc::clone(&slow) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(3)));
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
    let slow = Arc::new(SlowScans { meta: Arc::clone(&bench.meta), held: Mutex::default() });
    let queues = QueueStore::new(Arc::clone(&slow) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(3)));
    let mut get = pin!(queues.get(&bench.at, 1, seconds(30)));
    assert!(poll(get.as_mut()).is_pending());
    block_on(queues.delete(&bench.at)).unwrap();
    slow.let_go();
    assert!(matches!(poll(get), Poll::Ready(Err(EngineError::QueueNotFound))));
}

#[test]
fn a_queue_cleared_while_its_index_loads_gives_what_was_put_since() {
    let bench = Bench::new();
    bench.put("old");
    let slow = Arc::new(SlowScans { meta: Arc::clone(&bench.meta), held: Mutex::default() });
    let queues = QueueStore::new(Arc::clone(&slow) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(3)));
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

/// A step of a history. Numbers are seconds, `handle` chooses among the receipts seen so far.
#[derive(Debug, Clone, Copy)]
enum Action {
    Put { delay: u64, time_to_live: Option<u64> },
    Get { count: usize, timeout: u64 },
    Peek { count: usize },
    Update { handle: usize, timeout: u64, text: bool },
    Delete { handle: usize },
    Clear,
    Expire,
    Reopen,
    Pass { span: u64 },
}

fn any_action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0_u64..4, option::of(1_u64..9)).prop_map(|(delay, time_to_live)| Action::Put { delay, time_to_live }),
        6 => (1_usize..5, 1_u64..6).prop_map(|(count, timeout)| Action::Get { count, timeout }),
        2 => (1_usize..5).prop_map(|count| Action::Peek { count }),
        3 => (any::<usize>(), 0_u64..5, any::<bool>())
            .prop_map(|(handle, timeout, text)| Action::Update { handle, timeout, text }),
        4 => any::<usize>().prop_map(|handle| Action::Delete { handle }),
        1 => Just(Action::Clear),
        1 => Just(Action::Expire),
        2 => Just(Action::Reopen),
        4 => (0_u64..4).prop_map(|span| Action::Pass { span }),
    ]
}

/// What a queue should hold.
#[derive(Default)]
struct Model {
    messages: Vec<Message>,
    handles: Vec<(MessageId, PopReceipt)>,
    puts: usize,
}

impl Model {
    fn alive(&self, now: Timestamp) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(move |message| message.expires > now)
    }

    fn visible(&self, now: Timestamp, count: usize) -> Vec<Message> {
        self.alive(now).filter(|message| message.visible <= now).take(count).cloned().collect()
    }

    fn handle(&self, chosen: usize) -> Option<(MessageId, PopReceipt)> {
        self.handles.get(chosen.checked_rem(self.handles.len())?).copied()
    }

    /// The message of a handle, or the name of the error.
    fn held(
        &mut self,
        now: Timestamp,
        handle: (MessageId, PopReceipt),
    ) -> Result<&mut Message, &'static str> {
        let found = self.messages.iter_mut().find(|message| message.id == handle.0 && message.expires > now);
        let message = found.ok_or("missing")?;
        if message.receipt == handle.1 { Ok(message) } else { Err("stale") }
    }
}

fn error_name<T>(result: Result<T>) -> Result<T, &'static str> {
    result.map_err(|error| match error {
        EngineError::MessageNotFound => "missing",
        EngineError::PopReceiptMismatch => "stale",
        other => panic!("{other}"),
    })
}

/// Takes one step on both. The model's times are the clock's; the store's are a few ticks later, which is why
/// time passes by a millisecond more than whole seconds: so no time falls into those ticks.
fn step(bench: &mut Bench, model: &mut Model, action: Action) -> Result<(), TestCaseError> {
    let now = bench.clock.now();
    match action {
        Action::Put { delay, time_to_live } => {
            model.puts += 1;
            let wanted = NewMessage {
                text: Bytes::from(model.puts.to_string()),
                delay: seconds(delay),
                time_to_live: time_to_live.map(seconds),
            };
            let put = block_on(bench.queues.put(&bench.at, wanted.clone())).unwrap();
            prop_assert_eq!(&put.text, &wanted.text);
            prop_assert!(model.messages.last().is_none_or(|last| last.id < put.id));
            model.handles.push((put.id, put.receipt));
            let expires = wanted.time_to_live.map_or(Timestamp::MAX, |span| now.after(span));
            model.messages.push(Message { visible: now.after(wanted.delay), expires, ..put });
        }
        Action::Get { count, timeout } => {
            let expected = model.visible(now, count);
            let got = block_on(bench.queues.get(&bench.at, count, seconds(timeout))).unwrap();
            prop_assert_eq!(texts(&got), texts(&expected));
            for message in got {
                let held = model.messages.iter_mut().find(|held| held.id == message.id).unwrap();
                prop_assert_eq!(message.dequeued, held.dequeued + 1);
                prop_assert!(message.receipt != held.receipt);
                model.handles.push((message.id, message.receipt));
                *held = Message { visible: now.after(seconds(timeout)), expires: held.expires, ..message };
            }
        }
        Action::Peek { count } => {
            let seen = block_on(bench.queues.peek(&bench.at, count)).unwrap();
            let expected = model.visible(now, count);
            let facts = |messages: &[Message]| -> Vec<_> {
                messages.iter().map(|m| (m.id, m.receipt, m.dequeued, m.text.clone(), m.inserted)).collect()
            };
            prop_assert_eq!(facts(&seen), facts(&expected));
        }
        Action::Update { handle, .. } | Action::Delete { handle } => {
            if let Some(held) = model.handle(handle) {
                step_held(bench, model, held, action)?;
            }
        }
        Action::Clear => {
            block_on(bench.queues.clear(&bench.at)).unwrap();
            model.messages.clear();
        }
        Action::Expire => {
            block_on(bench.queues.expire_once(now)).unwrap();
        }
        Action::Reopen => bench.reopen(),
        Action::Pass { span } => bench.clock.advance(seconds(span) + Duration::from_millis(1)),
    }
    Ok(())
}

/// Takes a step on the message that a receipt was given for.
fn step_held(
    bench: &Bench,
    model: &mut Model,
    (id, receipt): (MessageId, PopReceipt),
    action: Action,
) -> Result<(), TestCaseError> {
    let now = bench.clock.now();
    if let Action::Update { timeout, text, .. } = action {
        let text = text.then(|| Bytes::from(format!("changed by {}", receipt.0)));
        let update = bench.queues.update(&bench.at, id, receipt, seconds(timeout), text.clone());
        match (model.held(now, (id, receipt)), error_name(block_on(update))) {
            (Ok(held), Ok((receipt, _))) => {
                held.receipt = receipt;
                held.visible = now.after(seconds(timeout));
                held.text = text.unwrap_or_else(|| held.text.clone());
                model.handles.push((id, receipt));
            }
            (expected, updated) => prop_assert_eq!(updated.err(), expected.err()),
        }
    } else {
        let deleted = error_name(block_on(bench.queues.delete_message(&bench.at, id, receipt)));
        prop_assert_eq!(deleted, model.held(now, (id, receipt)).map(|_| ()));
        if deleted.is_ok() {
            model.messages.retain(|message| message.id != id);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_history_is_that_of_the_model(
        actions in collection::vec((any_action(), any::<bool>()), 1..80),
    ) {
        let (mut bench, mut model) = (Bench::new(), Model::default());
        for (action, counting) in actions {
            step(&mut bench, &mut model, action)?;
            // Counting completes the index, so a history must also be able to go on without.
            if counting {
                let alive = model.alive(bench.clock.now()).count();
                prop_assert_eq!(bench.count(), u64::try_from(alive).unwrap());
            }
        }
    }
}

/// Four takers and two putters on the durable store: each message is given to one taker, once.
#[test]
fn takers_side_by_side_share_the_messages_among_them() {
    const PUTTERS: usize = 2;
    const MESSAGES: usize = 150;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    let options = RocksOptions { durability: Durability::Os, ..RocksOptions::default() };
    let meta = RocksMeta::open(folder.path(), options, clock, Box::new(|_| ())).unwrap();
    let queues = QueueStore::new(meta, Arc::new(SeededEntropy::new(1)));
    let at = address("work");
    block_on(queues.create(&at, Vec::new())).unwrap();
    let taken = Mutex::new(Vec::new());
    std::thread::scope(|threads| {
        for putter in 0..PUTTERS {
            let (queues, at) = (&queues, &at);
            threads.spawn(move || {
                for n in 0..MESSAGES {
                    block_on(queues.put(at, new(&format!("{putter} {n}")))).unwrap();
                }
            });
        }
        for _ in 0..4 {
            threads.spawn(|| {
                while taken.lock().unwrap().len() < PUTTERS * MESSAGES {
                    for message in block_on(queues.get(&at, 3, seconds(30))).unwrap() {
                        taken.lock().unwrap().push(message.text.clone());
                        block_on(queues.delete_message(&at, message.id, message.receipt)).unwrap();
                    }
                }
            });
        }
    });
    let mut taken = taken.into_inner().unwrap();
    taken.sort();
    taken.dedup();
    assert_eq!((taken.len(), block_on(queues.queue(&at)).unwrap().1), (PUTTERS * MESSAGES, 0));
}

#[test]
fn the_verbs_may_be_awaited_on_any_thread() {
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let bench = Bench::new();
    let got = block_on(sendable(bench.queues.get(&bench.at, 1, seconds(1)))).unwrap();
    assert_eq!(got, []);
    block_on(sendable(bench.queues.expire_once(bench.clock.now()))).unwrap();
}

#[test]
fn a_queue_keeps_its_policies_when_its_metadata_change_and_its_messages_go() {
    let Bench { queues, at, .. } = Bench::new();
    assert_eq!(block_on(queues.policies(&at)).unwrap(), []);
    let policies = crate::policy::tests::some_policies();
    block_on(queues.set_policies(&at, policies.clone())).unwrap();
    block_on(queues.set_metadata(&at, vec![("k".to_owned(), "v".to_owned())])).unwrap();
    block_on(queues.clear(&at)).unwrap();
    assert_eq!(block_on(queues.policies(&at)).unwrap(), policies);
    assert_eq!(block_on(queues.policy(&at, "empty")).unwrap().as_ref(), policies.last());
    let missing = block_on(queues.set_policies(&address("other"), policies));
    assert!(matches!(missing, Err(EngineError::QueueNotFound)));
}
