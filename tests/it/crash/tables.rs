//! The writer of entities: insert, merge, replace, delete, and entity group transactions, in one partition.
//!
//! A check reads the whole partition. It must be the model as it was before the request in flight or as it is after
//! it, all rows together: a transaction that happened by half is neither.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Writer;
use crate::client::{Client, Request, Service, request};
use crate::random::Random;

const TABLE: &str = "crash";
/// How many row keys a writer uses.
const ROWS: u64 = 60;

/// The custom properties of one entity.
type Properties = BTreeMap<String, i64>;
/// All entities of the writer's partition by row key.
type Partition = BTreeMap<String, Properties>;

pub(super) struct TableWriter {
    partition: String,
    random: Random,
    model: Partition,
    /// The partition as it is if the request without an answer happened.
    in_flight: Option<Partition>,
    acknowledged: u64,
}

impl TableWriter {
    pub(super) fn new(number: u64, seed: u64) -> Self {
        Self {
            partition: format!("writer {number}"),
            random: Random::new(seed),
            model: Partition::new(),
            in_flight: None,
            acknowledged: 0,
        }
    }

    fn row(&mut self) -> String {
        format!("{:02}", self.random.below(ROWS))
    }

    fn properties(&mut self) -> Properties {
        let count = 1 + self.random.below(4);
        (0..count)
            .map(|_| (format!("P{}", self.random.below(6)), i64::from(self.random.next().to_le_bytes()[0])))
            .collect()
    }

    fn json(&self, row: &str, properties: &Properties) -> String {
        let mut json = format!("{{\"PartitionKey\":\"{}\",\"RowKey\":\"{row}\"", self.partition);
        for (name, value) in properties {
            json.push_str(&format!(",\"{name}\":{value}"));
        }
        json.push('}');
        json
    }

    fn step(&mut self, endpoint: &str, client: &mut Client) -> Option<()> {
        match self.random.below(10) {
            0..=2 => self.insert(client),
            3..=5 => self.merge(client),
            6 => self.delete(client),
            _ => self.batch(endpoint, client),
        }
    }

    fn insert(&mut self, client: &mut Client) -> Option<()> {
        let (row, properties) = (self.row(), self.properties());
        let request = request::insert_entity(TABLE, &self.json(&row, &properties));
        let mut after = self.model.clone();
        let status = if after.contains_key(&row) { 409 } else { 204 };
        after.entry(row).or_insert(properties);
        self.send(client, &request, status, after)
    }

    fn merge(&mut self, client: &mut Client) -> Option<()> {
        let (row, properties) = (self.row(), self.properties());
        let request =
            request::merge_entity(TABLE, &self.partition, &row, &self.json(&row, &properties), None);
        let mut after = self.model.clone();
        after.entry(row).or_default().extend(properties);
        self.send(client, &request, 204, after)
    }

    fn delete(&mut self, client: &mut Client) -> Option<()> {
        let row = self.row();
        let target = request::entity_target(TABLE, &self.partition, &row);
        let request = Request::new("DELETE", &target).header("if-match", "*");
        let mut after = self.model.clone();
        let status = if after.remove(&row).is_some() { 204 } else { 404 };
        self.send(client, &request, status, after)
    }

    fn batch(&mut self, endpoint: &str, client: &mut Client) -> Option<()> {
        let mut changes = Partition::new();
        for _ in 0..2 + self.random.below(18) {
            let (row, properties) = (self.row(), self.properties());
            changes.insert(row, properties);
        }
        let rows: Vec<(String, String)> =
            changes.iter().map(|(row, properties)| (row.clone(), self.json(row, properties))).collect();
        let request = request::upsert_batch(endpoint, TABLE, &self.partition, &rows);
        let mut after = self.model.clone();
        after.extend(changes);
        self.send(client, &request, 202, after)
    }

    fn send(&mut self, client: &mut Client, request: &Request, status: u16, after: Partition) -> Option<()> {
        self.in_flight = Some(after);
        let answer = client.send(request).ok()?.expect(status);
        if status == 202 {
            let text = answer.text();
            assert!(
                !text.contains("HTTP/1.1 4") && !text.contains("HTTP/1.1 5"),
                "a batch was refused:\n{text}"
            );
        }
        self.acknowledged += 1;
        self.model = self.in_flight.take().expect("set a few lines above");
        Some(())
    }

    /// The partition as the server has it.
    fn read(&self, client: &mut Client) -> Partition {
        let filter = format!("PartitionKey%20eq%20'{}'", self.partition.replace(' ', "%20"));
        let query = Request::new("GET", &format!("/{TABLE}()?$filter={filter}"))
            .header("accept", "application/json;odata=nometadata");
        let answer = client.call(&query).expect(200);
        assert!(answer.header("x-ms-continuation-NextPartitionKey").is_none(), "sixty rows fit one page");
        let json: Value = serde_json::from_slice(&answer.body).expect("a query answers JSON");
        let mut partition = Partition::new();
        for entity in json["value"].as_array().expect("a query answers a list") {
            let entity = entity.as_object().expect("an entity is an object");
            let row = entity["RowKey"].as_str().expect("a row key is text").to_owned();
            let numbers = entity.iter().filter_map(|(name, value)| Some((name.clone(), value.as_i64()?)));
            let twice = partition.insert(row, numbers.collect());
            assert!(twice.is_none(), "a row was listed twice in {}", self.partition);
        }
        partition
    }
}

impl Writer for TableWriter {
    fn service(&self) -> Service {
        Service::Table
    }

    fn prepare(&mut self, endpoint: &str) {
        let answer = Client::at(Service::Table, endpoint).call(&request::create_table(TABLE));
        assert!([201, 409].contains(&answer.status), "{answer:?}");
    }

    fn load(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Table, endpoint);
        while self.step(endpoint, &mut client).is_some() {}
    }

    fn verify(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Table, endpoint);
        let found = self.read(&mut client);
        if let Some(after) = self.in_flight.take()
            && found == after
        {
            self.model = after;
        }
        assert_eq!(found, self.model, "the partition {:?}", self.partition);
        for row in self.model.keys().take(5) {
            client.call(&request::get_entity(TABLE, &self.partition, row)).expect(200);
        }
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged
    }
}
