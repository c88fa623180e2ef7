//! The writer of messages: put, get, update, delete, each with the receipts it was given.
//!
//! After a kill every message the writer still holds is made visible again with its last receipt (so receipts
//! survive, too), and then the whole queue is drained: what comes out must be the model, each message once. A
//! message hidden by a get whose answer was lost comes back when its visibility timeout is over; the drain waits
//! for it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Writer;
use crate::client::{Client, Message, Request, Service, messages, request};
use crate::random::Random;
use crate::sign::percent_encoded;

/// Seconds a message stays hidden in the load; short, because a lost get is waited for.
const HIDDEN_SECONDS: u32 = 1;
/// Seconds it stays hidden while the queue is drained.
const DRAIN_SECONDS: u32 = 600;
/// How long the drain waits for a message that must be there.
const PATIENCE: Duration = Duration::from_secs(20);
/// A queue never holds more messages than this after a check.
const KEPT: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    text: String,
    /// The receipt of the last answer about it, if it was ever received.
    pop_receipt: Option<String>,
}

/// A request whose answer has not come.
#[derive(Debug)]
enum InFlight {
    Put { text: String },
    Get,
    Delete { id: String },
    Update { id: String, text: String },
}

pub(super) struct QueueWriter {
    queue: String,
    random: Random,
    model: BTreeMap<String, Known>,
    in_flight: Option<InFlight>,
    acknowledged: u64,
}

impl QueueWriter {
    pub(super) fn new(number: u64, seed: u64) -> Self {
        Self {
            queue: format!("crash-{number}"),
            random: Random::new(seed),
            model: BTreeMap::new(),
            in_flight: None,
            acknowledged: 0,
        }
    }

    fn step(&mut self, client: &mut Client) -> Option<()> {
        match self.random.below(10) {
            0..=3 => self.put(client)?,
            4..=6 => self.get(client)?,
            7 => self.update(client)?,
            _ => self.delete(client)?,
        }
        self.in_flight = None;
        self.acknowledged += 1;
        Some(())
    }

    fn put(&mut self, client: &mut Client) -> Option<()> {
        let length = self.random.index(3_000);
        let text = format!("{:016x}{}", self.random.next(), "m".repeat(length));
        self.in_flight = Some(InFlight::Put { text: text.clone() });
        let answer = client.send(&request::put_message(&self.queue, &text)).ok()?.expect(201);
        let message = messages(&answer).pop().expect("Put Message answers with the message");
        self.model.insert(message.id, Known { text, pop_receipt: Some(message.pop_receipt) });
        Some(())
    }

    fn get(&mut self, client: &mut Client) -> Option<()> {
        self.in_flight = Some(InFlight::Get);
        let count = 1 + u32::try_from(self.random.below(8)).expect("below eight");
        let answer =
            client.send(&request::get_messages(&self.queue, count, HIDDEN_SECONDS)).ok()?.expect(200);
        for message in messages(&answer) {
            self.received(message);
        }
        Some(())
    }

    fn received(&mut self, message: Message) {
        let known = self.model.get_mut(&message.id);
        let known = known.unwrap_or_else(|| panic!("{} gave out an unknown message {message:?}", self.queue));
        assert_eq!(known.text, message.text, "the text of message {} in {}", message.id, self.queue);
        known.pop_receipt = Some(message.pop_receipt);
    }

    /// Some message that the writer has a receipt for.
    fn held(&mut self) -> Option<(String, String)> {
        let held: Vec<_> =
            self.model.iter().filter_map(|(id, known)| Some((id, known.pop_receipt.as_ref()?))).collect();
        if held.is_empty() {
            return None;
        }
        let (id, receipt) = held[self.random.index(held.len())];
        Some((id.clone(), receipt.clone()))
    }

    fn delete(&mut self, client: &mut Client) -> Option<()> {
        let Some((id, receipt)) = self.held() else { return Some(()) };
        self.in_flight = Some(InFlight::Delete { id: id.clone() });
        client.send(&request::delete_message(&self.queue, &id, &receipt)).ok()?.expect(204);
        self.model.remove(&id);
        Some(())
    }

    fn update(&mut self, client: &mut Client) -> Option<()> {
        let Some((id, receipt)) = self.held() else { return Some(()) };
        let text = format!("updated {:016x}", self.random.next());
        self.in_flight = Some(InFlight::Update { id: id.clone(), text: text.clone() });
        let answer =
            client.send(&self.update_request(&id, &receipt, HIDDEN_SECONDS, Some(&text))).ok()?.expect(204);
        let pop_receipt = answer.header("x-ms-popreceipt").map(str::to_owned);
        assert!(pop_receipt.is_some(), "Update Message answers with a receipt");
        self.model.insert(id, Known { text, pop_receipt });
        Some(())
    }

    fn update_request(
        &self,
        id: &str,
        receipt: &str,
        visible_in_seconds: u32,
        text: Option<&str>,
    ) -> Request {
        let receipt = percent_encoded(receipt);
        let query = format!("popreceipt={receipt}&visibilitytimeout={visible_in_seconds}");
        let request = Request::new("PUT", &format!("/{}/messages/{id}?{query}", self.queue));
        match text {
            Some(text) => {
                request.body(format!("<QueueMessage><MessageText>{text}</MessageText></QueueMessage>"))
            }
            None => request,
        }
    }

    /// Makes every held message visible; each receipt must still be good, unless a lost request replaced it.
    fn give_back(&mut self, client: &mut Client) {
        for (id, known) in self.model.clone() {
            let Some(receipt) = known.pop_receipt else { continue };
            let answer = client.call(&self.update_request(&id, &receipt, 0, None));
            match (&self.in_flight, answer.status, answer.code().as_str()) {
                // The get may have taken any of the messages that were visible.
                (_, 204, _) | (Some(InFlight::Get), 400, "PopReceiptMismatch") => {}
                (Some(InFlight::Delete { id: deleted }), 404, "MessageNotFound") if *deleted == id => {
                    self.model.remove(&id);
                }
                (Some(InFlight::Update { id: updated, text }), 400, "PopReceiptMismatch")
                    if *updated == id =>
                {
                    let text = text.clone();
                    self.model.insert(id, Known { text, pop_receipt: None });
                }
                (in_flight, status, code) => {
                    panic!("{}: message {id} answers {status} {code}; in flight {in_flight:?}", self.queue)
                }
            }
        }
    }

    /// Takes out everything and compares it with the model.
    fn drain(&mut self, client: &mut Client) {
        let since = Instant::now();
        let mut missing: BTreeMap<String, Known> = self.model.clone();
        loop {
            let answer = client.call(&request::get_messages(&self.queue, 32, DRAIN_SECONDS)).expect(200);
            let found = messages(&answer);
            let empty = found.is_empty();
            for message in found {
                self.adopt(&message);
                self.received(message.clone());
                missing.remove(&message.id);
            }
            if empty && missing.is_empty() {
                return;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "{} lost {missing:?}; in flight {:?}",
                self.queue,
                self.in_flight
            );
            if empty {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// A message that only a lost Put Message can explain enters the model, once.
    fn adopt(&mut self, message: &Message) {
        if let Some(InFlight::Put { text }) = &self.in_flight
            && *text == message.text
            && !self.model.contains_key(&message.id)
        {
            self.model.insert(message.id.clone(), Known { text: text.clone(), pop_receipt: None });
            self.in_flight = None;
        }
    }

    /// Deletes what is too much and makes half of the rest visible for the next round.
    fn thin_out(&mut self, client: &mut Client) {
        let ids: Vec<String> = self.model.keys().cloned().collect();
        for (number, id) in ids.into_iter().enumerate() {
            let receipt = self.model[&id].pop_receipt.clone().expect("everything was just received");
            if number >= KEPT {
                client.call(&request::delete_message(&self.queue, &id, &receipt)).expect(204);
                self.model.remove(&id);
            } else if number % 2 == 0 {
                let answer = client.call(&self.update_request(&id, &receipt, 0, None)).expect(204);
                let known = self.model.get_mut(&id).expect("it was there a moment ago");
                known.pop_receipt = answer.header("x-ms-popreceipt").map(str::to_owned);
            }
        }
    }
}

impl Writer for QueueWriter {
    fn service(&self) -> Service {
        Service::Queue
    }

    fn prepare(&mut self, endpoint: &str) {
        Client::at(Service::Queue, endpoint).call(&request::create_queue(&self.queue)).expect(201);
    }

    fn load(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Queue, endpoint);
        while self.step(&mut client).is_some() {}
    }

    fn verify(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Queue, endpoint);
        self.give_back(&mut client);
        self.drain(&mut client);
        self.in_flight = None;
        let metadata = Request::new("GET", &format!("/{}?comp=metadata", self.queue));
        let answer = client.call(&metadata).expect(200);
        let count = answer.header("x-ms-approximate-messages-count").and_then(|text| text.parse().ok());
        assert_eq!(count, Some(self.model.len()), "the count of {}", self.queue);
        self.thin_out(&mut client);
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged
    }
}
