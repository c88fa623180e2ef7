//! Random histories: every way to change an entity, alone and in transactions, beside a map that says what is so.

use std::collections::BTreeMap;

use super::value::{Properties, Value};
use super::{TABLE, pages, pick, properties, target, value};
use crate::client::{Client, Request, Response, Service, request};
use crate::node::Node;
use crate::random::Random;

const PARTITIONS: [&str; 3] = ["", "it's", "b c"];
const ROWS: [&str; 6] = ["", "a", "''", "é\u{1f600}", "100%25+&=,()", "z"];

/// The rows of a partition: tag and properties of each.
type Partition = BTreeMap<String, (String, Properties)>;

pub(super) struct History {
    client: Client,
    endpoint: String,
    partitions: BTreeMap<String, Partition>,
    /// The newest tag that the server gave.
    newest: String,
    statuses: BTreeMap<u16, usize>,
    transactions: [usize; 2],
}

/// A change before it is sent.
struct Change {
    row: String,
    method: &'static str,
    /// `POST` with the verb in a header.
    in_header: bool,
    if_match: Option<String>,
    properties: Properties,
}

impl Change {
    fn random(random: &mut Random, rows: &Partition) -> Self {
        let row = pick(random, &ROWS).to_owned();
        let method = pick(random, &["POST", "POST", "PUT", "PUT", "MERGE", "PATCH", "DELETE"]);
        let current = rows.get(&row).map(|(tag, _)| tag.clone());
        let old = "W/\"datetime'2001-02-03T04%3A05%3A06.0000000Z'\"".to_owned();
        let if_match = match random.below(4) {
            _ if method == "POST" => None,
            0 if method != "DELETE" => None,
            1 => Some(old),
            2 => Some(current.unwrap_or(old)),
            _ => Some("*".to_owned()),
        };
        let in_header = method != "POST" && random.below(4) == 0;
        Self { row, method, in_header, if_match, properties: properties(random) }
    }

    /// Address, headers and body.
    fn request(&self, random: &mut Random, partition: &str) -> Request {
        if self.method == "POST" {
            let body = value::document(&self.properties, Some((partition, &self.row)), random);
            return request::insert_entity(TABLE, &body);
        }
        let address = target(random, partition, &self.row);
        let mut request = Request::new(if self.in_header { "POST" } else { self.method }, &address);
        if self.in_header {
            request = request.header("x-http-method", self.method);
        }
        if let Some(tag) = &self.if_match {
            request = request.header("if-match", tag);
        }
        if self.method == "DELETE" {
            return request;
        }
        let keys = (random.below(2) == 0).then_some((partition, self.row.as_str()));
        let body = value::document(&self.properties, keys, random);
        request.body(body)
    }

    /// What becomes of the row: the status, and the code if it is an error.
    fn apply(&self, rows: &mut Partition) -> (u16, &'static str) {
        let held = rows.get(&self.row);
        if self.method == "POST" {
            if held.is_some() {
                return (409, "EntityAlreadyExists");
            }
        } else if let Some(wanted) = &self.if_match {
            match held {
                None => return (404, "ResourceNotFound"),
                Some((tag, _)) if wanted != "*" && wanted != tag => {
                    return (412, "UpdateConditionNotSatisfied");
                }
                Some(_) => {}
            }
        }
        if self.method == "DELETE" {
            rows.remove(&self.row);
            return (204, "");
        }
        let held = rows.entry(self.row.clone()).or_default();
        if matches!(self.method, "POST" | "PUT") {
            held.1.clear();
        }
        held.1.extend(self.properties.clone());
        // The tag is the server's; it is filled in from the answer.
        held.0.clear();
        (204, "")
    }
}

impl History {
    pub(super) fn new(node: &Node) -> Self {
        let mut client = Client::new(node, Service::Table);
        client.call(&request::create_table(TABLE)).expect(201);
        let endpoint = node.endpoint("table").to_owned();
        Self {
            client,
            endpoint,
            partitions: BTreeMap::new(),
            newest: String::new(),
            statuses: BTreeMap::new(),
            transactions: [0; 2],
        }
    }

    pub(super) fn summary(&self) -> String {
        let [made, refused] = self.transactions;
        format!("statuses {:?}, {made} transactions made, {refused} refused", self.statuses)
    }

    pub(super) fn step(&mut self, random: &mut Random, label: &str) {
        let partition = pick(random, &PARTITIONS).to_owned();
        match random.below(10) {
            0..=5 => self.change(random, &partition, label),
            6..=7 => self.transact(random, &partition, label),
            8 => self.get(random, &partition, label),
            _ => self.check_all(label),
        }
    }

    fn change(&mut self, random: &mut Random, partition: &str, label: &str) {
        let mut rows = self.partitions.get(partition).cloned().unwrap_or_default();
        let change = Change::random(random, &rows);
        let request = change.request(random, partition);
        let answer = self.client.call(&request);
        let expected = change.apply(&mut rows);
        let shown = format!("{label}: {} {}\n{}", request.method, request.target, answer.text());
        assert_eq!((answer.status, answer.code().as_str()), expected, "{shown}");
        *self.statuses.entry(answer.status).or_default() += 1;
        if answer.status < 300 {
            self.keep(&mut rows, &change, answer.header("etag"), &shown);
            self.partitions.insert(partition.to_owned(), rows);
        }
    }

    /// Notes the tag of what was written. Tags rise: in their form that is the order of texts.
    fn keep(&mut self, rows: &mut Partition, change: &Change, tag: Option<&str>, shown: &str) {
        let Some(held) = rows.get_mut(&change.row).filter(|_| change.method != "DELETE") else { return };
        let tag = tag.unwrap_or_else(|| panic!("no tag: {shown}"));
        assert!(tag >= self.newest.as_str(), "{tag} after {}: {shown}", self.newest);
        tag.clone_into(&mut self.newest);
        tag.clone_into(&mut held.0);
    }

    fn get(&mut self, random: &mut Random, partition: &str, label: &str) {
        let row = pick(random, &ROWS);
        let answer = self.client.call(&Request::new("GET", &target(random, partition, row)));
        match self.partitions.get(partition).and_then(|rows| rows.get(row)) {
            None => {
                assert_eq!((answer.status, answer.code().as_str()), (404, "ResourceNotFound"), "{label}");
            }
            Some((tag, properties)) => {
                let answer = answer.expect(200);
                assert_eq!(answer.header("etag"), Some(tag.as_str()), "{label}");
                let read = value::read(&super::json(&answer), true);
                assert_eq!(read, whole(partition, row, properties), "{label}");
            }
        }
    }

    /// Reads everything, and compares.
    pub(super) fn check_all(&mut self, label: &str) {
        let (found, _) = pages(&mut self.client, "", 7, "minimalmetadata");
        let found: Vec<_> = found
            .iter()
            .map(|row| (row["odata.etag"].as_str().map(str::to_owned), value::read(row, true)))
            .collect();
        let mut expected = Vec::new();
        for (partition, rows) in &self.partitions {
            for (row, (tag, properties)) in rows {
                expected.push((
                    super::place(partition, row),
                    Some(tag.clone()),
                    whole(partition, row, properties),
                ));
            }
        }
        expected.sort_by(|one, other| one.0.cmp(&other.0));
        let expected: Vec<_> = expected.into_iter().map(|(_, tag, entity)| (tag, entity)).collect();
        assert_eq!(found, expected, "{label}");
    }

    fn transact(&mut self, random: &mut Random, partition: &str, label: &str) {
        let mut rows = self.partitions.get(partition).cloned().unwrap_or_default();
        let count = 1 + random.below(5);
        let mut changes: Vec<Change> = (0..count).map(|_| Change::random(random, &rows)).collect();
        if random.below(8) > 0 {
            let mut taken = std::collections::BTreeSet::new();
            changes.retain(|change| taken.insert(change.row.clone()));
        }
        if random.below(3) > 0 {
            // Mostly such as can be made, for one that cannot spoils all.
            changes.retain(|change| change.apply(&mut rows.clone()).0 < 300);
        }
        if changes.is_empty() {
            return;
        }
        let mut text =
            String::from("--batch_1\r\nContent-Type: multipart/mixed; boundary=changeset_1\r\n\r\n");
        for change in &changes {
            text.push_str(&self.part(&change.request(random, partition)));
        }
        text.push_str("--changeset_1--\r\n--batch_1--\r\n");
        let request = Request::new("POST", "/$batch")
            .header("content-type", "multipart/mixed; boundary=batch_1")
            .body(text.clone());
        let answer = self.client.call(&request).expect(202);
        let shown = format!("{label}\n{text}\n{}", answer.text());
        let parts = parts(&answer);
        let repeated = changes
            .iter()
            .enumerate()
            .position(|(index, change)| changes.iter().take(index).any(|earlier| earlier.row == change.row));
        let failed = match repeated {
            Some(index) => Some((index, 400, "InvalidDuplicateRow")),
            None => changes.iter().enumerate().find_map(|(index, change)| {
                let (status, code) = change.apply(&mut rows);
                (status >= 300).then_some((index, status, code))
            }),
        };
        self.transactions[usize::from(failed.is_some())] += 1;
        if let Some((index, status, code)) = failed {
            assert_eq!(parts.len(), 1, "{shown}");
            assert_eq!(parts[0].status, status, "{shown}");
            let error = super::json(&parts[0]);
            assert_eq!(error["odata.error"]["code"], code, "{shown}");
            let message = error["odata.error"]["message"]["value"].as_str().unwrap_or_default().to_owned();
            assert!(message.starts_with(&format!("{index}:")), "{shown}");
            return;
        }
        assert_eq!(parts.len(), changes.len(), "{shown}");
        for (change, part) in changes.iter().zip(&parts) {
            assert_eq!(part.status, 204, "{shown}");
            self.keep(&mut rows, change, part.header("etag"), &shown);
        }
        self.partitions.insert(partition.to_owned(), rows);
    }

    fn part(&self, request: &Request) -> String {
        let mut text = String::from("--changeset_1\r\nContent-Type: application/http\r\n\r\n");
        text.push_str(&format!("{} http://{}{} HTTP/1.1\r\n", request.method, self.endpoint, request.target));
        for (name, value) in &request.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("\r\n{}\r\n", String::from_utf8_lossy(&request.body)));
        text
    }
}

/// An entity as it is read, with its keys.
fn whole(partition: &str, row: &str, properties: &Properties) -> BTreeMap<String, Option<Value>> {
    let mut all: BTreeMap<_, _> =
        properties.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
    all.insert("PartitionKey".to_owned(), Some(Value::Text(partition.to_owned())));
    all.insert("RowKey".to_owned(), Some(Value::Text(row.to_owned())));
    all
}

/// The answers inside the answer to a transaction, in their order.
fn parts(answer: &Response) -> Vec<Response> {
    let text = answer.text();
    let (_, rest) = text.split_once("boundary=").expect("a change set inside");
    let (boundary, rest) = rest.split_once("\r\n").expect("a line");
    let delimiter = format!("--{boundary}\r\n");
    let rest = rest.split(&format!("--{boundary}--")).next().unwrap_or_default();
    let one = |part: &str| {
        let (_, inner) = part.split_once("\r\n\r\n").expect("headers of the part");
        let (head, body) = inner.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|text| text.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        Response {
            status: status.expect("a status"),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: body.trim_end().as_bytes().to_vec(),
        }
    };
    rest.split(&delimiter).skip(1).map(one).collect()
}
