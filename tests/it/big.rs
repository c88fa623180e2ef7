//! One large blob in blocks and back, at a fixed memory cost.
//!
//! Four connections send 8 MiB blocks, then the list commits them, then one connection reads the whole blob as a
//! single answer. What is sent follows from its position, so nothing is kept and every byte that comes back is
//! compared. Meanwhile the resident memory of the process is sampled: it must stay below 200 MiB however large the
//! blob is. `LINARITE_BIG_BYTES` sets the size (5 GiB); the folder needs that much room and a little more.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, Request, Service, request};
use crate::node::Node;
use crate::random::Random;

const BLOCK_BYTES: usize = 8 << 20;
const LANES: u64 = 4;
const RESIDENT_BYTES_MAX: u64 = 200 << 20;
/// What follows from a position is this pattern with the position written into it every so often.
const STAMP_EVERY: usize = 4 << 10;

/// The content of the blob, as a function of the block's number.
struct Generator {
    pattern: Vec<u8>,
}

impl Generator {
    fn new() -> Self {
        Self { pattern: Random::new(5).bytes(BLOCK_BYTES) }
    }

    /// Fills a buffer with block `number`; `length` is shorter for the last one.
    fn fill(&self, number: u64, length: usize, block: &mut Vec<u8>) {
        block.clear();
        block.extend_from_slice(&self.pattern[..length]);
        for (part, stamped) in block.chunks_mut(STAMP_EVERY).enumerate() {
            let stamp = (number << 16 | part as u64).to_le_bytes();
            for (byte, stamp) in stamped.iter_mut().zip(stamp) {
                *byte = stamp;
            }
        }
    }
}

/// The number and length of each block of a blob.
fn blocks(total: u64) -> impl Iterator<Item = (u64, usize)> {
    let size = BLOCK_BYTES as u64;
    (0..total.div_ceil(size)).map(move |number| {
        let length = size.min(total - number * size);
        (number, usize::try_from(length).expect("at most 8 MiB"))
    })
}

#[test]
#[ignore = "moves 5 GiB; .ci/run runs it"]
fn five_gibibytes_move_at_a_fixed_memory_cost() {
    let total =
        std::env::var("LINARITE_BIG_BYTES").map_or(5 << 30, |text| text.parse().expect("a size in bytes"));
    move_blob(total);
}

#[test]
fn a_hundred_mebibytes_move_at_a_fixed_memory_cost() {
    move_blob((100 << 20) + 12_345);
}

fn move_blob(total: u64) {
    let node = Node::start();
    let endpoint = node.endpoint("blob").to_owned();
    Client::new(&node, Service::Blob).call(&request::create_container("big")).expect(201);
    let watch = Watch::start(node.process_id());
    let generator = Generator::new();

    let start = Instant::now();
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            let (generator, endpoint) = (&generator, &endpoint);
            scope.spawn(move || upload_lane(generator, endpoint, total, lane));
        }
    });
    let ids: Vec<String> = blocks(total).map(|(number, _)| request::block_id(number)).collect();
    let mut client = Client::at(Service::Blob, &endpoint);
    client.call(&request::put_block_list("big", "blob", &ids)).expect(201);
    let up = start.elapsed();

    let start = Instant::now();
    download(&generator, &mut client, total);
    let down = start.elapsed();

    let properties = client.call(&Request::new("HEAD", "/big/blob")).expect(200);
    assert_eq!(properties.header("content-length"), Some(total.to_string().as_str()));
    let resident = watch.stop();
    eprintln!("big: {total} bytes, up {up:?}, down {down:?}, resident at most {} MiB", resident >> 20);
    assert!(resident <= RESIDENT_BYTES_MAX, "{} MiB resident", resident >> 20);
}

fn upload_lane(generator: &Generator, endpoint: &str, total: u64, lane: u64) {
    let mut client = Client::at(Service::Blob, endpoint);
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    for (number, length) in blocks(total).filter(|(number, _)| number % LANES == lane) {
        generator.fill(number, length, &mut block);
        client.call(&request::put_block("big", "blob", &request::block_id(number), &block)).expect(201);
    }
}

/// Reads the blob as one answer and compares it piece by piece.
fn download(generator: &Generator, client: &mut Client, total: u64) {
    let mut expected = blocks(total);
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    let mut at = 0;
    let mut read: u64 = 0;
    let answer = client.read_streamed(&request::get_blob("big", "blob"), |mut piece| {
        read += piece.len() as u64;
        while !piece.is_empty() {
            if at == block.len() {
                let (number, length) = expected.next().expect("no more bytes than were sent");
                generator.fill(number, length, &mut block);
                at = 0;
            }
            let length = piece.len().min(block.len() - at);
            let (now, rest) = piece.split_at(length);
            assert!(*now == block[at..at + length], "the blob differs near byte {read}");
            at += length;
            piece = rest;
        }
    });
    answer.expect("the whole blob comes").expect(200);
    assert_eq!(read, total);
}

/// Samples the resident memory of a process until it is stopped.
struct Watch {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Watch {
    fn start(process_id: u32) -> Self {
        let (stop, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let path = PathBuf::from(format!("/proc/{process_id}/status"));
        let (stopped, highest) = (Arc::clone(&stop), Arc::clone(&most));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                highest.fetch_max(resident_bytes(&path), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self { stop, most, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watch does not panic");
        let most = self.most.load(Ordering::Relaxed);
        assert!(most > 0, "the memory of the process could not be read");
        most
    }
}

fn resident_bytes(path: &std::path::Path) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kibibytes.unwrap_or(0) << 10
}
