//! The mixes: what one operation is, and what has to exist before the first.
//!
//! A [`Kind`] names a mix; an [`Order`] adds the size and the number of connections; a [`Stage`] is an order
//! made ready on one subject, with its own container, queues or table under a name nobody else uses; an
//! [`Actor`] is one connection's part of it. Everything random comes from the seed, the seat of the actor
//! and the turn, so that two subjects of one run are asked the same.
//!
//! An operation may be several requests (stage and commit; put, get and delete): its latency is that of the
//! whole, since the whole is what an application waits for. Bodies are windows into one random buffer, each
//! at another offset: new content every time, and nothing to generate.

mod blob;
mod queue;
mod scale;
mod table;

use crate::client::{Connection, Failure, Keep, Reply};
use crate::random::Random;
use crate::sign::since_epoch;
use crate::subject::{Service, Subject};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// By how much the windows into the random buffer move.
const SLACK_BYTES: usize = 64 * 1024;
/// Connections that fill a stage.
const FILL_CONNECTIONS: u64 = 32;

/// A mix of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Put Blob.
    PutBlob,
    /// Get Blob of a random one of a filled pool.
    GetBlob,
    /// Put Block, then Put Block List with it.
    PutBlock,
    /// List Blobs, page after page of 5000.
    ListBlobs,
    /// Put Message, Get Messages, Delete Message.
    QueueCycle,
    /// Insert Entity.
    InsertEntity,
    /// One transaction of 100 inserts.
    BatchEntities,
    /// Get Entity of a random one of a filled table.
    GetEntity,
    /// Query Entities for a range of 100 rows.
    QueryEntities,
    /// Query Entities for a range of 1000 rows, a page, in one large partition.
    ScanEntities,
    /// Query Entities for the one row of a large partition that a filter on a property lets through, to the end.
    FilterEntities,
    /// The first page of List Blobs, of 5000.
    ListStart,
    /// The page of List Blobs in the middle, of 5000.
    ListMiddle,
    /// List Blobs by delimiter, where all blobs are in ten folders.
    ListFolders,
    /// Find Blobs by Tags that ten blobs of all have.
    FindTags,
    /// Snapshot Blob of a sparse page blob of 100 GiB.
    SnapshotPages,
}

impl Kind {
    /// All kinds with their names.
    pub(crate) const NAMES: [(Self, &'static str); 16] = [
        (Self::PutBlob, "put-blob"),
        (Self::GetBlob, "get-blob"),
        (Self::PutBlock, "put-block"),
        (Self::ListBlobs, "list-blobs"),
        (Self::QueueCycle, "queue-cycle"),
        (Self::InsertEntity, "insert-entity"),
        (Self::BatchEntities, "batch-entities"),
        (Self::GetEntity, "get-entity"),
        (Self::QueryEntities, "query-entities"),
        (Self::ScanEntities, "scan-entities"),
        (Self::FilterEntities, "filter-entities"),
        (Self::ListStart, "list-start"),
        (Self::ListMiddle, "list-middle"),
        (Self::ListFolders, "list-folders"),
        (Self::FindTags, "find-tags"),
        (Self::SnapshotPages, "snapshot-pages"),
    ];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// What a room that is kept is named after: kinds of one name find the same things in it.
    fn room(self) -> String {
        if scale::is_listing(self) { "blobs".to_owned() } else { self.name().replace('-', "") }
    }

    fn service(self) -> Service {
        match self {
            Self::PutBlob
            | Self::GetBlob
            | Self::PutBlock
            | Self::ListBlobs
            | Self::ListStart
            | Self::ListMiddle
            | Self::ListFolders
            | Self::FindTags
            | Self::SnapshotPages => Service::Blob,
            Self::QueueCycle => Service::Queue,
            Self::InsertEntity
            | Self::BatchEntities
            | Self::GetEntity
            | Self::QueryEntities
            | Self::ScanEntities
            | Self::FilterEntities => Service::Table,
        }
    }

    /// The default and the greatest size of one payload.
    fn size_bytes(self) -> (usize, usize) {
        match self.service() {
            Service::Blob if self == Self::ListBlobs => (0, 1 << 30),
            Service::Blob if scale::is_listing(self) || self == Self::SnapshotPages => (0, 0),
            Service::Blob => (4_096, 1 << 30),
            Service::Queue => (512, 48 * 1024),
            Service::Table => (512, 30_000),
        }
    }
}

/// A kind with its size and its number of connections: `put-blob:8MiB@16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// The mix.
    pub(crate) kind: Kind,
    /// Bytes of one payload.
    pub(crate) size_bytes: usize,
    /// Connections in use at once.
    pub(crate) connections: u64,
}

impl Order {
    /// Reads `NAME[:SIZE][@CONNECTIONS]`; what is left out comes from the options.
    pub(crate) fn parse(text: &str, size: Option<usize>, connections: u64) -> Result<Self, String> {
        let (rest, connections) = match text.split_once('@') {
            Some((rest, count)) => {
                (rest, count.parse().map_err(|_| format!("{text}: {count} is no number"))?)
            }
            None => (text, connections),
        };
        let (name, size) = match rest.split_once(':') {
            Some((name, size)) => (name, Some(parse_size(size)?)),
            None => (rest, size),
        };
        let kind = Kind::NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind);
        let kind = kind.ok_or_else(|| format!("there is no workload {name}; see --help"))?;
        let (usual, size_bytes_max) = kind.size_bytes();
        let size_bytes = size.unwrap_or(usual);
        if size_bytes > size_bytes_max {
            return Err(format!("{name}: the size is at most {size_bytes_max} bytes"));
        }
        if !(1..=10_000).contains(&connections) {
            return Err(format!("{name}: connections are 1 to 10000"));
        }
        Ok(Self { kind, size_bytes, connections })
    }
}

impl Order {
    /// Whether it is the cycle of a queue's worker.
    pub(crate) fn is_cycle(&self) -> bool {
        self.kind == Kind::QueueCycle
    }
}

/// Reads a number of bytes with an optional binary unit: `4096`, `4KiB`, `4k`, `8MiB`.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return Err(format!("{text}: sizes end in KiB, MiB or GiB")),
    };
    let number: usize = digits.parse().map_err(|_| format!("{text} is not a size"))?;
    number.checked_mul(unit).ok_or_else(|| format!("{text} is too large"))
}

/// How stages are furnished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Furniture {
    /// Blobs to get; `None` is as many as make a good pool of their size.
    pub(crate) pool: Option<u64>,
    /// Blobs to list or to find, pages of a volume, or entities to read.
    pub(crate) prefill: u64,
    /// Queues that the connections share.
    pub(crate) queues: u64,
    /// Messages that wait in each queue all the time.
    pub(crate) waiting: u64,
    /// Partition keys that inserts are spread over.
    pub(crate) partitions: u64,
    /// Where all random numbers come from.
    pub(crate) seed: u64,
    /// How what is filled is named, to be left there and found there again; `None` is a new name, and removed.
    pub(crate) keep: Option<String>,
}

/// An order made ready on one subject.
#[derive(Debug)]
pub(crate) struct Stage {
    subject: Arc<Subject>,
    order: Order,
    furniture: Furniture,
    /// Lower-case letters and digits, fit for every kind of name.
    name: String,
    buffer: Bytes,
    text: String,
    /// Where the middle of the listing begins, once that is known.
    middle: OnceLock<String>,
}

impl Stage {
    /// Creates what the order needs on the subject and fills it.
    pub(crate) async fn prepare(
        subject: Arc<Subject>,
        order: Order,
        furniture: Furniture,
    ) -> Result<Arc<Self>, Failure> {
        let mut random = Random::new(furniture.seed);
        let name = match &furniture.keep {
            Some(name) => format!("{name}{}{}", order.kind.room(), furniture.prefill),
            None => format!("bench{:x}", since_epoch().as_nanos()),
        };
        let stage = Arc::new(Self {
            name,
            buffer: random.bytes(order.size_bytes + SLACK_BYTES),
            text: random.text(order.size_bytes),
            middle: OnceLock::new(),
            subject,
            order,
            furniture,
        });
        stage.furnish().await?;
        if order.kind == Kind::ListMiddle {
            let marker = scale::find_middle(&stage, &mut stage.connection()).await?;
            stage.middle.get_or_init(|| marker);
        }
        Ok(stage)
    }

    /// Creates what the order needs and fills it, unless it was kept from before.
    async fn furnish(self: &Arc<Self>) -> Result<(), Failure> {
        let mut connection = self.connection();
        let created = match self.service() {
            Service::Blob => blob::create(self, &mut connection).await,
            Service::Queue => queue::create(self, &mut connection).await,
            Service::Table => table::create(self, &mut connection).await,
        };
        match created {
            Err(Failure::Refused(409, _)) if self.furniture.keep.is_some() => return Ok(()),
            created => created?,
        }
        let begun = Instant::now();
        self.fill().await?;
        if self.furniture.keep.is_some() {
            eprintln!("linarite-bench: filled {} in {:.1} s", self.name, begun.elapsed().as_secs_f64());
        }
        Ok(())
    }

    /// Removes what `prepare` created, unless it is to be kept.
    pub(crate) async fn clear(&self) -> Result<(), Failure> {
        if self.furniture.keep.is_some() {
            return Ok(());
        }
        let mut connection = self.connection();
        match self.service() {
            Service::Blob => blob::remove(self, &mut connection).await,
            Service::Queue => queue::remove(self, &mut connection).await,
            Service::Table => table::remove(self, &mut connection).await,
        }
    }

    /// The same room, with another number of connections in use and of messages waiting; nothing is filled.
    pub(crate) fn refurnished(&self, connections: u64, waiting: u64) -> Arc<Self> {
        Arc::new(Self {
            subject: Arc::clone(&self.subject),
            order: Order { connections, ..self.order },
            furniture: Furniture { waiting, ..self.furniture.clone() },
            name: self.name.clone(),
            buffer: self.buffer.clone(),
            text: self.text.clone(),
            middle: self.middle.clone(),
        })
    }

    /// Puts into the stage's queues the messages that are to wait there.
    pub(crate) async fn fill_queues(self: &Arc<Self>) -> Result<(), Failure> {
        self.fill().await
    }

    /// Takes all messages out of the stage's queues.
    pub(crate) async fn clear_queues(&self) -> Result<(), Failure> {
        queue::clear(self, &mut self.connection()).await
    }

    /// Whether the stage's queues hold as many messages as are to wait there, no more and no less.
    pub(crate) async fn check_queues(&self) -> Result<(), Failure> {
        queue::check(self, &mut self.connection()).await
    }

    /// What the stage holds.
    pub(crate) fn furniture(&self) -> Furniture {
        self.furniture.clone()
    }

    /// The order that was prepared.
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    fn service(&self) -> Service {
        self.order.kind.service()
    }

    fn connection(&self) -> Connection {
        Connection::new(Arc::clone(&self.subject), self.service())
    }

    /// Runs all steps of the filling, over many connections, so that a million of them take minutes.
    async fn fill(self: &Arc<Self>) -> Result<(), Failure> {
        let steps = match self.service() {
            Service::Blob => blob::fill_steps(self),
            Service::Queue => queue::fill_steps(self),
            Service::Table => table::fill_steps(self),
        };
        let lanes = FILL_CONNECTIONS.min(steps);
        let mut tasks = tokio::task::JoinSet::new();
        for lane in 0..lanes {
            let stage = Arc::clone(self);
            tasks.spawn(async move {
                let mut connection = stage.connection();
                let mut step = lane;
                while step < steps {
                    match stage.service() {
                        Service::Table => table::fill_step(&stage, &mut connection, step).await?,
                        Service::Queue => queue::fill_step(&stage, &mut connection, step).await?,
                        Service::Blob => blob::fill_step(&stage, &mut connection, step).await?,
                    }
                    step += lanes;
                }
                Ok(())
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.map_err(|error| Failure::Transport(error.to_string()))??;
        }
        Ok(())
    }

    /// The random stream of one seat in one round.
    fn random(&self, seat: u64, round: u64) -> Random {
        Random::new(self.furniture.seed ^ crate::random::mix((round << 32 | seat) + 1))
    }

    /// A window of the order's size into the random buffer.
    fn payload(&self, random: &mut Random) -> Bytes {
        let offset = usize::try_from(random.below(SLACK_BYTES as u64)).unwrap_or(0);
        self.buffer.slice(offset..offset + self.order.size_bytes)
    }

    /// What one payload counts in a throughput.
    fn payload_bytes(&self) -> u64 {
        self.order.size_bytes as u64
    }
}

/// Where an actor sits: which stage, which connection, which round, how many operations so far.
#[derive(Debug)]
struct Seat {
    stage: Arc<Stage>,
    connection: Connection,
    random: Random,
    /// Unique among all actors of all rounds of the stage.
    number: u64,
    turn: u64,
}

impl Seat {
    /// A number that no other turn of any seat of this stage has.
    fn next_unique(&mut self) -> u64 {
        self.turn += 1;
        (self.number << 32) | self.turn
    }

    async fn send(&mut self, call: &crate::client::Call<'_>, keep: Keep) -> Result<Reply, Failure> {
        self.connection.send(call, keep).await
    }
}

/// One connection's part of a stage.
#[derive(Debug)]
pub(crate) struct Actor {
    seat: Seat,
    /// Where a listing goes on; empty at its beginning.
    marker: String,
}

impl Actor {
    /// The actor of `seat` in `round`, connected.
    pub(crate) async fn enter(stage: Arc<Stage>, round: u64, seat: u64) -> Result<Self, Failure> {
        let mut connection = stage.connection();
        connection.open().await?;
        let random = stage.random(seat, round);
        let number = round * stage.order.connections + seat;
        Ok(Self { seat: Seat { stage, connection, random, number, turn: 0 }, marker: String::new() })
    }

    /// Does one operation and says how many payload bytes it moved.
    pub(crate) async fn operate(&mut self) -> Result<u64, Failure> {
        let seat = &mut self.seat;
        match seat.stage.order.kind {
            Kind::PutBlob => blob::put(seat).await,
            Kind::GetBlob => blob::get(seat).await,
            Kind::PutBlock => blob::put_block(seat).await,
            Kind::ListBlobs => blob::list(seat, &mut self.marker).await,
            Kind::QueueCycle => queue::cycle(seat).await,
            Kind::InsertEntity => table::insert(seat).await,
            Kind::BatchEntities => table::batch(seat).await,
            Kind::GetEntity => table::get(seat).await,
            Kind::QueryEntities => table::query(seat).await,
            Kind::ScanEntities => table::scan(seat).await,
            Kind::FilterEntities => table::filter(seat).await,
            Kind::ListStart => scale::list_start(seat).await,
            Kind::ListMiddle => scale::list_middle(seat).await,
            Kind::ListFolders => scale::list_folders(seat).await,
            Kind::FindTags => scale::find_tags(seat).await,
            Kind::SnapshotPages => scale::snapshot(seat).await,
        }
    }
}

/// The text between `open` and `close`.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Option<&'a str> {
    text.split_once(open)?.1.split_once(close).map(|(inner, _)| inner)
}

fn expect_equal(what: &str, found: u64, wanted: u64) -> Result<(), Failure> {
    if found == wanted { Ok(()) } else { Err(Failure::Wrong(format!("{found} {what} in place of {wanted}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::Address;

    pub(super) fn stage(text: &str) -> Stage {
        let mut random = Random::new(1);
        let order = Order::parse(text, None, 4).unwrap();
        Stage {
            subject: Arc::new(Address::default().resolve().unwrap()),
            name: "bench1".to_owned(),
            buffer: random.bytes(order.size_bytes + SLACK_BYTES),
            text: random.text(order.size_bytes),
            middle: OnceLock::new(),
            order,
            furniture: Furniture {
                pool: None,
                prefill: 5_000,
                queues: 1,
                waiting: 0,
                partitions: 16,
                seed: 1,
                keep: None,
            },
        }
    }

    #[test]
    fn an_order_takes_what_it_does_not_say_from_the_options() {
        let order = |text| Order::parse(text, Some(10), 3).unwrap();
        assert_eq!(order("put-blob").size_bytes, 10);
        assert_eq!(order("put-blob").connections, 3);
        let full = order("get-blob:8MiB@16");
        assert_eq!((full.kind, full.size_bytes, full.connections), (Kind::GetBlob, 8 << 20, 16));
        assert_eq!(Order::parse("queue-cycle@2", None, 3).unwrap().size_bytes, 512);
    }

    #[test]
    fn orders_that_cannot_run_are_refused() {
        for text in ["put", "put-blob:x", "put-blob@0", "put-blob@many", "insert-entity:1MiB", "put-blob:4TB"]
        {
            assert!(Order::parse(text, None, 1).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("4096"), Ok(4_096));
        assert_eq!(parse_size("4k"), Ok(4_096));
        assert_eq!(parse_size("8MiB"), Ok(8 << 20));
        assert!(parse_size("99999999999GiB").is_err());
        assert!(parse_size("").is_err());
    }

    #[test]
    fn payloads_have_the_size_of_the_order_and_differ() {
        let stage = stage("put-blob:1KiB");
        let mut random = stage.random(0, 0);
        let (one, other) = (stage.payload(&mut random), stage.payload(&mut random));
        assert_eq!((one.len(), other.len()), (1_024, 1_024));
        assert_ne!(one, other);
    }

    #[test]
    fn text_between_marks_is_found() {
        assert_eq!(between("<a>x</a><b>y</b>", "<b>", "</b>"), Some("y"));
        assert_eq!(between("<a>x", "<a>", "</a>"), None);
    }
}
