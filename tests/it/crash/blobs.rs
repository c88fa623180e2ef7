//! The writer of blobs: small ones, large ones, ones of several blocks, overwrites and deletions.
//!
//! The content of a blob follows from a number and a length, and the number stands in its metadata too, so that
//! metadata of one write with the content of another would be seen.

use std::collections::BTreeMap;

use super::Writer;
use crate::client::{Client, Request, Response, Service, request};
use crate::random::Random;

/// How many names a writer uses; few, so that most writes replace something.
const NAMES: u64 = 24;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    number: u64,
    length: usize,
}

impl Content {
    fn bytes(self) -> Vec<u8> {
        Random::new(self.number).bytes(self.length)
    }

    fn metadata(self) -> String {
        format!("{}-{}", self.number, self.length)
    }
}

/// A write whose answer has not come: the blob is as before or as after.
#[derive(Debug)]
struct InFlight {
    name: String,
    after: Option<Content>,
}

pub(super) struct BlobWriter {
    container: String,
    random: Random,
    model: BTreeMap<String, Content>,
    in_flight: Option<InFlight>,
    acknowledged: u64,
}

impl BlobWriter {
    pub(super) fn new(number: u64, seed: u64) -> Self {
        Self {
            container: format!("crash-{number}"),
            random: Random::new(seed),
            model: BTreeMap::new(),
            in_flight: None,
            acknowledged: 0,
        }
    }

    /// One write, or `None` when the server is gone.
    fn write(&mut self, client: &mut Client) -> Option<()> {
        let name = format!("folder/{:02}", self.random.below(NAMES));
        let kind = self.random.below(10);
        let number = self.random.next();
        let (small, large) = (self.random.index(8 << 10), self.random.index(512 << 10));
        match kind {
            0..=3 => self.put(client, name, Content { number, length: small }),
            4 | 5 => self.put(client, name, Content { number, length: (64 << 10) + large }),
            6..=8 => self.put_in_blocks(client, name, Content { number, length: 1 + large }),
            _ => self.delete(client, name),
        }
    }

    fn put(&mut self, client: &mut Client, name: String, content: Content) -> Option<()> {
        let request = request::put_blob(&self.container, &name, &content.bytes())
            .header("x-ms-meta-content", &content.metadata());
        self.commit(client, &request, 201, InFlight { name, after: Some(content) })
    }

    fn put_in_blocks(&mut self, client: &mut Client, name: String, content: Content) -> Option<()> {
        let bytes = content.bytes();
        let count = 1 + self.random.index(6);
        let mut ids = Vec::new();
        for (number, block) in bytes.chunks(bytes.len().div_ceil(count)).enumerate() {
            let id = request::block_id(number);
            let answer = client.send(&request::put_block(&self.container, &name, &id, block)).ok()?;
            answer.expect(201);
            self.acknowledged += 1;
            ids.push(id);
        }
        let request = request::put_block_list(&self.container, &name, &ids)
            .header("x-ms-meta-content", &content.metadata());
        self.commit(client, &request, 201, InFlight { name, after: Some(content) })
    }

    fn delete(&mut self, client: &mut Client, name: String) -> Option<()> {
        let status = if self.model.contains_key(&name) { 202 } else { 404 };
        let request = Request::new("DELETE", &format!("/{}/{name}", self.container));
        self.commit(client, &request, status, InFlight { name, after: None })
    }

    fn commit(&mut self, client: &mut Client, request: &Request, status: u16, write: InFlight) -> Option<()> {
        self.in_flight = Some(write);
        client.send(request).ok()?.expect(status);
        self.acknowledged += 1;
        let done = self.in_flight.take().expect("set a few lines above");
        self.settle(done);
        Some(())
    }

    fn settle(&mut self, write: InFlight) {
        match write.after {
            Some(content) => self.model.insert(write.name, content),
            None => self.model.remove(&write.name),
        };
    }

    /// Fails unless the answer is the content, or, without content, says that there is no blob.
    fn is(answer: &Response, content: Option<Content>) -> bool {
        match content {
            None => answer.status == 404,
            Some(content) => {
                answer.status == 200
                    && answer.header("x-ms-meta-content") == Some(content.metadata().as_str())
                    && answer.body == content.bytes()
            }
        }
    }
}

impl Writer for BlobWriter {
    fn service(&self) -> Service {
        Service::Blob
    }

    fn prepare(&mut self, endpoint: &str) {
        Client::at(Service::Blob, endpoint).call(&request::create_container(&self.container)).expect(201);
    }

    fn load(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Blob, endpoint);
        while self.write(&mut client).is_some() {}
    }

    fn verify(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Blob, endpoint);
        if let Some(write) = self.in_flight.take() {
            let answer = client.call(&request::get_blob(&self.container, &write.name));
            if Self::is(&answer, write.after) {
                self.settle(write);
            }
            // Otherwise it must be what it was before, which the loop below checks with the rest.
        }
        for number in 0..NAMES {
            let name = format!("folder/{number:02}");
            let content = self.model.get(&name).copied();
            let answer = client.call(&request::get_blob(&self.container, &name));
            assert!(
                Self::is(&answer, content),
                "{}/{name} must be {content:?} but is {} with {} bytes and {:?}",
                self.container,
                answer.status,
                answer.body.len(),
                answer.headers
            );
        }
        let list = Request::new("GET", &format!("/{}?restype=container&comp=list", self.container));
        let text = client.call(&list).expect(200).text();
        let listed: Vec<&str> = text
            .split("<Name>")
            .skip(1)
            .filter_map(|part| part.split_once('<').map(|(name, _)| name))
            .collect();
        assert_eq!(listed, self.model.keys().collect::<Vec<_>>(), "the listing of {}", self.container);
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged
    }
}
