//! Queues against a reference, over long histories: whatever is done in whatever order, across reopenings and
//! crashes, no message is lost, none is given to two takers at once, and order, counts, texts, receipts and
//! expiries are those of a list of messages and a clock.
//!
//! The reference knows nothing of rows, indexes or scopes. A history is a pure function of its seed, which is
//! printed; `LINARITE_SEED=n` replays one. `queue/tests.rs` has shorter histories that shrink.
//!
//! Time passes by a millisecond more than whole seconds, and all spans of messages are whole seconds. The
//! store's times are ahead of the clock by a tick for each verb, far less than a millisecond, so no deadline
//! falls between the two.

use super::{Creation, Message, MessageId, NewMessage, PopReceipt, QueueAddress, QueueStore, Timestamp};
use crate::clock::{Clock, Entropy, ManualClock, SeededEntropy, SystemEntropy};
use crate::error::EngineError;
use crate::meta::memory::MemoryMeta;
use crate::meta::{Family, MetaStore, Step};
use crate::name::{AccountName, Metadata, QueueName};
use crate::sweep::sweep_once;
use bytes::Bytes;
use futures_executor::block_on;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const NAMES: [&str; 3] = ["first", "second", "third"];
const STEPS: usize = 3000;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn at(name: &str) -> QueueAddress {
    QueueAddress { account: AccountName::parse("acc").unwrap(), queue: QueueName::parse(name).unwrap() }
}

/// A message as it should be. One whose put was cut off by a crash is known by its text only.
#[derive(Debug, Clone)]
struct Expected {
    known: Option<(MessageId, PopReceipt)>,
    text: String,
    visible: Timestamp,
    expires: Timestamp,
    dequeued: u32,
}

/// A queue as it should be: its messages in the order in which they were put.
#[derive(Debug, Default)]
struct Reference {
    metadata: Metadata,
    messages: Vec<Expected>,
}

impl Reference {
    fn alive(&self, now: Timestamp) -> usize {
        self.messages.iter().filter(|message| message.expires > now).count()
    }

    fn visible(&mut self, now: Timestamp, count: usize) -> Vec<&mut Expected> {
        let there = |message: &&mut Expected| message.expires > now && message.visible <= now;
        self.messages.iter_mut().filter(there).take(count).collect()
    }

    /// The message of a handle, or what is wrong with the handle.
    fn held(&mut self, now: Timestamp, handle: Handle) -> Result<&mut Expected, &'static str> {
        let found = self
            .messages
            .iter_mut()
            .find(|message| message.known.is_some_and(|(id, _)| id == handle.id) && message.expires > now);
        let message = found.ok_or("no message")?;
        let newest = message.known.is_some_and(|(_, receipt)| receipt == handle.receipt);
        if newest { Ok(message) } else { Err("stale") }
    }
}

/// What somebody was told of a message at some time.
#[derive(Debug, Clone, Copy)]
struct Handle {
    queue: &'static str,
    id: MessageId,
    receipt: PopReceipt,
}

fn name_of(error: &EngineError) -> &'static str {
    match error {
        EngineError::QueueNotFound => "no queue",
        EngineError::QueueExists => "exists",
        EngineError::MessageNotFound => "no message",
        EngineError::PopReceiptMismatch => "stale",
        EngineError::HiddenPastExpiry => "late",
        other => panic!("{other}"),
    }
}

/// The store and the reference, and where the history is.
struct History {
    dice: SeededEntropy,
    clock: Arc<ManualClock>,
    meta: Arc<MemoryMeta>,
    store: QueueStore,
    queues: BTreeMap<&'static str, Reference>,
    handles: Vec<Handle>,
    texts: usize,
    /// How often something interesting happened, so that the test can tell that it did.
    seen: BTreeMap<&'static str, usize>,
}

impl History {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::default());
        let meta = MemoryMeta::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let store =
            QueueStore::new(Arc::clone(&meta) as Arc<dyn MetaStore>, Arc::new(SeededEntropy::new(seed)));
        let dice = SeededEntropy::new(!seed);
        let queues = BTreeMap::new();
        Self { dice, clock, meta, store, queues, handles: Vec::new(), texts: 0, seen: BTreeMap::new() }
    }

    fn below(&self, bound: u64) -> u64 {
        u64::try_from(self.dice.bits() % u128::from(bound)).unwrap()
    }

    fn index(&self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap())).unwrap()
    }

    fn name(&self) -> &'static str {
        // Mostly the first, so that it grows.
        NAMES[self.index(5).saturating_sub(2)]
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn step(&mut self) {
        match self.below(100) {
            0..24 => self.put(),
            24..44 => self.get(),
            44..52 => self.peek(),
            52..64 => self.update(),
            64..78 => self.delete(),
            78..84 => self.clock.advance(seconds(self.below(4)) + Duration::from_millis(1)),
            84..86 => self.create(),
            86 => self.delete_queue(),
            87 => self.clear(),
            88..90 => self.set_metadata(),
            90..92 => self.list(),
            92..95 => self.expire(),
            95 => while sweep_once(&*self.meta, 2).unwrap() > 0 {},
            96 => self.reopen(),
            97 => self.crash(),
            98 => self.rest(),
            _ => self.count(),
        }
    }

    fn put(&mut self) {
        let name = self.name();
        self.texts += 1;
        let text = format!("message {} ", self.texts).repeat(self.index(4) + 1);
        let (delay, life) =
            ([0, 0, 0, 1, 3][self.index(5)], [None, None, Some(2), Some(6), Some(30)][self.index(5)]);
        let life = life.filter(|life| *life > delay);
        let new = NewMessage {
            text: Bytes::from(text.clone()),
            delay: seconds(delay),
            time_to_live: life.map(seconds),
        };
        let now = self.now();
        let put = block_on(self.store.put(&at(name), new));
        let Some(queue) = self.queues.get_mut(name) else {
            assert_eq!(name_of(&put.unwrap_err()), "no queue");
            return self.note("no queue");
        };
        let put = put.unwrap();
        assert_eq!((&put.text[..], put.dequeued), (text.as_bytes(), 0));
        let last = queue.messages.iter().filter_map(|message| message.known).map(|(id, _)| id).max();
        assert!(last.is_none_or(|last| last < put.id), "ids rise");
        queue.messages.push(Expected {
            known: Some((put.id, put.receipt)),
            text,
            visible: now.after(seconds(delay)),
            expires: life.map_or(Timestamp::MAX, |life| now.after(seconds(life))),
            dequeued: 0,
        });
        self.handles.push(Handle { queue: name, id: put.id, receipt: put.receipt });
    }

    fn get(&mut self) {
        let (name, count, timeout) = (self.name(), self.index(6) + 1, self.below(8) + 1);
        let now = self.now();
        let got = block_on(self.store.get(&at(name), count, seconds(timeout)));
        let Some(queue) = self.queues.get_mut(name) else {
            return assert_eq!(name_of(&got.unwrap_err()), "no queue");
        };
        let got = got.unwrap();
        let expected = queue.visible(now, count);
        assert_eq!(texts(&got), expected.iter().map(|message| message.text.as_str()).collect::<Vec<_>>());
        for (message, expected) in got.iter().zip(expected) {
            expected.dequeued += 1;
            assert_eq!(message.dequeued, expected.dequeued);
            assert!(
                expected.known.is_none_or(|(id, receipt)| id == message.id && receipt != message.receipt)
            );
            expected.known = Some((message.id, message.receipt));
            expected.visible = now.after(seconds(timeout));
            self.handles.push(Handle { queue: name, id: message.id, receipt: message.receipt });
        }
        self.note(if got.is_empty() { "nothing to get" } else { "got" });
        if got.iter().any(|message| message.dequeued > 1) {
            self.note("got again");
        }
    }

    fn peek(&mut self) {
        let (name, count, now) = (self.name(), self.index(32) + 1, self.now());
        let peeked = block_on(self.store.peek(&at(name), count));
        let Some(queue) = self.queues.get_mut(name) else {
            return assert_eq!(name_of(&peeked.unwrap_err()), "no queue");
        };
        let seen: Vec<_> = peeked
            .unwrap()
            .iter()
            .map(|m| (String::from_utf8(m.text.to_vec()).unwrap(), m.dequeued))
            .collect();
        let expected: Vec<_> =
            queue.visible(now, count).iter().map(|m| (m.text.clone(), m.dequeued)).collect();
        assert_eq!(seen, expected);
    }

    fn handle(&self) -> Option<Handle> {
        if self.handles.is_empty() {
            return None;
        }
        // Old ones now and then; mostly of late, whose messages are still there.
        let recent = self.handles.len().min(12);
        let back = if self.below(6) == 0 { self.index(self.handles.len()) } else { self.index(recent) };
        self.handles.get(self.handles.len() - 1 - back).copied()
    }

    fn update(&mut self) {
        let Some(handle) = self.handle() else { return };
        let (timeout, now) = (self.below(8), self.now());
        let text = (self.below(2) == 0).then(|| format!("changed at {}", self.handles.len()));
        let bytes = text.clone().map(Bytes::from);
        let updated = block_on(self.store.update(
            &at(handle.queue),
            handle.id,
            handle.receipt,
            seconds(timeout),
            bytes,
        ));
        let held =
            self.queues.get_mut(handle.queue).ok_or("no queue").and_then(|queue| queue.held(now, handle));
        // At the very moment of its expiry the store, which is ticks ahead, is too late.
        let late =
            |held: &Expected| held.expires < Timestamp::MAX && now.after(seconds(timeout)) >= held.expires;
        let held = held.and_then(|held| if late(held) { Err("late") } else { Ok(held) });
        let outcome = match (held, updated) {
            (Ok(held), Ok((receipt, _))) => {
                assert_ne!(receipt, handle.receipt, "an update makes a new receipt");
                held.known = Some((handle.id, receipt));
                held.visible = now.after(seconds(timeout));
                held.text = text.unwrap_or_else(|| held.text.clone());
                self.handles.push(Handle { receipt, ..handle });
                "updated"
            }
            (expected, updated) => {
                let found = updated.err().map(|error| name_of(&error));
                assert_eq!(found, expected.err());
                found.unwrap_or_default()
            }
        };
        self.note(outcome);
    }

    fn delete(&mut self) {
        let Some(handle) = self.handle() else { return };
        let now = self.now();
        let deleted = block_on(self.store.delete_message(&at(handle.queue), handle.id, handle.receipt));
        let queue = self.queues.get_mut(handle.queue);
        let expected = match queue {
            None => Err("no queue"),
            Some(queue) => {
                let held = queue.held(now, handle).map(|_| ());
                if held.is_ok() {
                    queue.messages.retain(|message| message.known.is_none_or(|(id, _)| id != handle.id));
                }
                held
            }
        };
        assert_eq!(deleted.map_err(|error| name_of(&error)), expected);
        self.note(if expected.is_ok() { "deleted" } else { "not deleted" });
    }

    fn create(&mut self) {
        let name = NAMES[self.index(3)];
        let metadata: Metadata = vec![("colour".into(), ["red", "blue"][self.index(2)].into())];
        let created =
            block_on(self.store.create(&at(name), metadata.clone())).map_err(|error| name_of(&error));
        let expected = match self.queues.get(name) {
            None => Ok(Creation::Created),
            Some(queue) if queue.metadata == metadata => Ok(Creation::AlreadyThere),
            Some(_) => Err("exists"),
        };
        assert_eq!(created, expected);
        if created == Ok(Creation::Created) {
            self.queues.insert(name, Reference { metadata, messages: Vec::new() });
        }
    }

    fn delete_queue(&mut self) {
        let name = NAMES[self.index(3)];
        let deleted = block_on(self.store.delete(&at(name))).map_err(|error| name_of(&error));
        assert_eq!(deleted, self.queues.remove(name).map(|_| ()).ok_or("no queue"));
    }

    fn clear(&mut self) {
        let name = self.name();
        let cleared = block_on(self.store.clear(&at(name))).map_err(|error| name_of(&error));
        let queue = self.queues.get_mut(name).ok_or("no queue");
        assert_eq!(cleared, queue.map(|queue| queue.messages.clear()));
    }

    fn set_metadata(&mut self) {
        let name = self.name();
        let metadata: Metadata = vec![("size".into(), self.below(9).to_string())];
        let set =
            block_on(self.store.set_metadata(&at(name), metadata.clone())).map_err(|error| name_of(&error));
        assert_eq!(set, self.queues.get_mut(name).map(|queue| queue.metadata = metadata).ok_or("no queue"));
    }

    fn list(&mut self) {
        let (account, mut found, mut after) = (AccountName::parse("acc").unwrap(), Vec::new(), None);
        loop {
            let page = block_on(self.store.list(&account, String::new(), after, 1)).unwrap();
            found.extend(
                page.entries.into_iter().map(|queue| (queue.name.as_str().to_owned(), queue.metadata)),
            );
            let Some(next) = page.next else { break };
            after = Some(String::from_utf8(next).unwrap());
        }
        let expected = self.queues.iter().map(|(name, queue)| ((*name).to_owned(), queue.metadata.clone()));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    fn count(&mut self) {
        let name = self.name();
        let counted = block_on(self.store.queue(&at(name))).map_err(|error| name_of(&error));
        let expected = self.queues.get(name).ok_or("no queue");
        let expected = expected.map(|queue| (queue.metadata.clone(), queue.alive(self.now())));
        assert_eq!(counted.map(|(queue, count)| (queue.metadata, usize::try_from(count).unwrap())), expected);
    }

    fn expire(&mut self) {
        if block_on(self.store.expire_once(self.now())).unwrap() > 0 {
            self.note("expired");
        }
    }

    /// Nobody comes for a while: indexes go, and what expires leaves the disk all the same.
    fn rest(&mut self) {
        self.expire();
        for _ in 0..2 {
            self.clock.advance(Duration::from_mins(15));
            while block_on(self.store.expire_once(self.now())).unwrap() > 0 {}
        }
        assert_eq!(self.store.active.len(), 0, "indexes that nobody uses");
        while sweep_once(&*self.meta, 2).unwrap() > 0 {}
        let now = self.now();
        assert_eq!(self.rows(), self.queues.values().map(|queue| queue.alive(now)).sum::<usize>());
        self.note("rested");
    }

    fn rows(&self) -> usize {
        let mut rows = 0;
        let scanned = self.meta.read_now(|view| {
            view.scan(Family::Message, &[], None, &mut |_, _| {
                rows += 1;
                Ok(Step::Next)
            })
        });
        scanned.unwrap();
        rows
    }

    fn reopen(&mut self) {
        self.meta = self.meta.reopen(Box::new(|_| ())).unwrap();
        let meta = Arc::clone(&self.meta) as Arc<dyn MetaStore>;
        self.store = QueueStore::new(meta, Arc::new(SeededEntropy::new(self.below(u64::MAX))));
    }

    /// A crash in the middle of a put: it took effect or it did not, and nothing else is touched.
    fn crash(&mut self) {
        let (name, survives) = (self.name(), self.below(2) == 0);
        self.texts += 1;
        let text = format!("survivor {}", self.texts);
        self.meta.crash_at(self.meta.commits() + 1, survives);
        let new = NewMessage { text: text.clone().into(), delay: Duration::ZERO, time_to_live: None };
        let now = self.now();
        let put = block_on(self.store.put(&at(name), new));
        match self.queues.get_mut(name) {
            None => assert_eq!(name_of(&put.unwrap_err()), "no queue"),
            Some(queue) => {
                assert!(matches!(put, Err(EngineError::Closed)));
                if survives {
                    let (visible, expires) = (now, Timestamp::MAX);
                    queue.messages.push(Expected { known: None, text, visible, expires, dequeued: 0 });
                }
                self.note("crashed");
            }
        }
        self.reopen();
    }
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| std::str::from_utf8(&message.text).unwrap()).collect()
}

fn run(seed: u64) {
    eprintln!("queue history of seed {seed}; LINARITE_SEED={seed} replays it");
    let mut history = History::new(seed);
    for name in NAMES {
        block_on(history.store.create(&at(name), Vec::new())).unwrap();
        history.queues.insert(name, Reference::default());
    }
    for step in 0..STEPS {
        history.step();
        if step % 50 == 0 {
            history.list();
            history.count();
        }
    }
    // A history in which nothing happens would prove nothing.
    for what in
        ["got", "got again", "updated", "deleted", "stale", "no message", "no queue", "crashed", "rested"]
    {
        let times = history.seen.get(what).copied().unwrap_or_default();
        assert!(times > 2, "{what} only {times} times: {:?}", history.seen);
    }
}

#[test]
fn long_histories_are_those_of_the_reference() {
    if let Ok(seed) = std::env::var("LINARITE_SEED") {
        return run(seed.parse().unwrap());
    }
    for seed in 1..=4 {
        run(seed);
    }
    run(u64::try_from(SystemEntropy.bits() % (1 << 32)).unwrap());
}
