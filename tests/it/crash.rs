//! `kill -9` under load: what was acknowledged is there, and nothing is there by half.
//!
//! Eight writers, two for each service and two for page and append blobs, work at the same time. Each owns its names (a
//! container, a queue, a table partition), so each can keep an exact model of what the server must hold. After 50 to
//! 300 ms the process is killed, started again on the same folder, and every writer compares all of its world with its
//! model. The one request of a writer whose answer did not come may have happened or not; whichever it was becomes the
//! model, but it must be one of the two, wholly. Then the next round goes on with the same store, so damage that shows
//! late shows too.
//!
//! The order of a writer's requests follows from the seed printed at the start; the moment of the kill does too,
//! but the machine's timing does not, so a seed narrows a failure down rather than replaying it exactly.
//! `LINARITE_CRASH_SEED` sets it, `LINARITE_CRASH_ROUNDS` the number of rounds (100).

mod blobs;
mod disks;
mod queues;
mod tables;

use std::time::{Duration, Instant};

use crate::client::Service;
use crate::node::Node;
use crate::random::{Random, seed_from};

/// Where one service of the current process listens.
type Endpoints = Vec<String>;

/// One client with a model of everything it wrote.
trait Writer: Send {
    fn service(&self) -> Service;

    /// Makes the container, queue or table, once.
    fn prepare(&mut self, endpoint: &str);

    /// Writes until the server stops answering. Ends only then.
    fn load(&mut self, endpoint: &str);

    /// Compares the server with the model; settles what was in flight.
    fn verify(&mut self, endpoint: &str);

    /// How many requests were acknowledged so far.
    fn acknowledged(&self) -> u64;
}

fn writers(random: &mut Random) -> Vec<Box<dyn Writer>> {
    let mut writers: Vec<Box<dyn Writer>> = Vec::new();
    for number in 0..2 {
        writers.push(Box::new(blobs::BlobWriter::new(number, random.next())));
        writers.push(Box::new(disks::DiskWriter::new(number, random.next())));
        writers.push(Box::new(queues::QueueWriter::new(number, random.next())));
        writers.push(Box::new(tables::TableWriter::new(number, random.next())));
    }
    writers
}

fn endpoints(node: &Node) -> Endpoints {
    Service::ALL.iter().map(|service| node.endpoint(service.name()).to_owned()).collect()
}

fn endpoint_of(endpoints: &Endpoints, service: Service) -> &str {
    let position =
        Service::ALL.iter().position(|other| *other == service).expect("every service is in the list");
    &endpoints[position]
}

fn rounds() -> u64 {
    std::env::var("LINARITE_CRASH_ROUNDS").map_or(100, |text| text.parse().expect("a number of rounds"))
}

#[test]
#[ignore = "takes minutes; .ci/run runs it"]
fn every_acknowledged_write_survives_a_hundred_kills() {
    run(rounds());
}

#[test]
fn every_acknowledged_write_survives_a_few_kills() {
    run(5);
}

fn run(rounds: u64) {
    let seed = seed_from("LINARITE_CRASH_SEED");
    eprintln!("crash: {rounds} rounds with LINARITE_CRASH_SEED={seed}");
    let mut random = Random::new(seed);
    let mut node = Node::start();
    let mut writers = writers(&mut random);
    let first = endpoints(&node);
    for writer in &mut writers {
        writer.prepare(endpoint_of(&first, writer.service()));
    }
    let mut reopening = Duration::ZERO;
    for round in 0..rounds {
        let moment = Duration::from_millis(50 + random.below(251));
        let before = endpoints(&node);
        in_parallel(
            &mut writers,
            &format!("load of round {round}, seed {seed}"),
            &before,
            Writer::load,
            || {
                std::thread::sleep(moment);
                node.kill();
            },
        );
        let start = Instant::now();
        node.restart();
        reopening += start.elapsed();
        let after = endpoints(&node);
        in_parallel(
            &mut writers,
            &format!("check of round {round}, seed {seed}"),
            &after,
            Writer::verify,
            || (),
        );
    }
    let acknowledged: u64 = writers.iter().map(|writer| writer.acknowledged()).sum();
    eprintln!("crash: {acknowledged} acknowledged requests, {reopening:?} spent in {rounds} starts");
    assert!(acknowledged > rounds, "the load did not write anything");
    assert!(node.stop().success(), "after all that it still ends in good order");
}

/// Runs one step of all writers at once, and something beside them.
fn in_parallel(
    writers: &mut [Box<dyn Writer>],
    what: &str,
    endpoints: &Endpoints,
    step: fn(&mut (dyn Writer + 'static), &str),
    beside: impl FnOnce(),
) {
    std::thread::scope(|scope| {
        let mut running = Vec::new();
        for writer in writers {
            let endpoint = endpoint_of(endpoints, writer.service());
            running.push(scope.spawn(move || step(writer.as_mut(), endpoint)));
        }
        beside();
        for thread in running {
            assert!(thread.join().is_ok(), "a writer found a difference in the {what}");
        }
    });
}
