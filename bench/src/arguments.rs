//! The command line, read by hand: a generator with twenty options does not need a framework that takes
//! longer to build than the generator. An option's value follows it or is joined to it by `=`.

use crate::pace::Extent;
use crate::run::Terms;
use crate::subject::Address;
use crate::workload::{Furniture, Order, parse_size};
use std::time::Duration;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Drives any Azure Storage endpoint with workloads and reports rates and latencies.

Usage: linarite-bench [OPTIONS] WORKLOAD[,WORKLOAD...]

A workload is NAME[:SIZE][@CONNECTIONS], for example put-blob:8MiB@16. Names:
  put-blob        Put Blob                       list-blobs      List Blobs, pages of 5000
  get-blob        Get Blob of a filled pool      queue-cycle     Put, Get, Delete Message
  put-block       Put Block, Put Block List      insert-entity   Insert Entity
  get-entity      Get Entity of a filled table   batch-entities  transactions of 100 inserts
  query-entities  ranges of 100 rows             scan-entities   pages of 1000 of one partition
  filter-entities one row of a partition by a property, all of which has to be looked at
  list-start      the first page of 5000         list-middle     the page in the middle
  list-folders    the ten folders of all blobs   find-tags       ten blobs of all, by a tag
  snapshot-pages  Snapshot Blob of a page blob of 100 GiB with so many pages written

Where (default: the development account on 127.0.0.1, ports 10000, 10001, 10002):
  --connection-string TEXT   connection string; the options below win over its parts
  --blob-endpoint URL        URL of the blob service; http only
  --queue-endpoint URL       URL of the queue service
  --table-endpoint URL       URL of the table service
  --account NAME             account
  --key BASE64               its key
  --vs CONNECTION_STRING     a second subject: measure both in turns and print the ratios

How much:
  --size SIZE                payload bytes, for example 4096, 4KiB or 8MiB
                             [default: 4KiB for blobs, 512 for messages and entities]
  --connections N            connections in use at once [default: 16]
  --seconds S                length of a measurement [default: 5]
  --count N                  number of operations, in place of a length
  --warmup S                 time before anything counts [default: 1; with --count none]
  --rate R                   open loop: R operations per second fall due, whoever is busy
  --rounds N                 measurements per subject, of which medians count
                             [default: 1; with --vs or --grown 3]

What with:
  --pool N                   blobs that get-blob reads [default: 256 MiB of them, 4 to 1024]
  --prefill N                blobs to list or find, pages, entities to read [default: 5000]
  --grown N                  the same a second time with N in place of --prefill, in turns, and the ratios
  --queues N                 queues that queue-cycle spreads its connections over [default: 1]
  --waiting N                messages that wait in each queue all the time [default: 0]
  --passed N                 queue-cycle only: measure an empty queue, one with --waiting messages,
                             and one that N messages have passed through, and print them side by side
  --process N                with --passed: the server's process, whose resident memory is printed, too
  --partitions N             partition keys that inserts spread over [default: 16]
  --keep NAME                name what is filled NAME, the workload's name and --prefill, leave it there,
                             and find it there the next time; listings and searches share it
  --seed N                   seed of everything random [default: 1]
  --threads N                threads of the generator [default: 1]

  --json                     print one JSON document
  --help                     print this

The exit code is 0 if every operation succeeded, 1 if any failed, 2 if the arguments are wrong.
";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    /// The subjects, one or two.
    pub(crate) addresses: Vec<Address>,
    /// What to run, in order.
    pub(crate) orders: Vec<Order>,
    /// How to run each.
    pub(crate) terms: Terms,
    /// Messages to pass through a queue, if what is asked for is how a queue bears them.
    pub(crate) passed: Option<u64>,
    /// The server's process, if it runs on this machine and its memory is of interest.
    pub(crate) process: Option<u64>,
    /// Threads of the generator.
    pub(crate) threads: usize,
    /// JSON in place of text.
    pub(crate) json: bool,
}

/// Everything as it was read, before defaults that depend on each other.
#[derive(Debug, Default)]
struct Raw {
    connection: Option<Address>,
    own: Address,
    second: Option<Address>,
    workloads: Vec<String>,
    size: Option<usize>,
    connections: Option<u64>,
    seconds: Option<f64>,
    count: Option<u64>,
    warmup: Option<f64>,
    rate: Option<f64>,
    rounds: Option<u64>,
    pool: Option<u64>,
    prefill: Option<u64>,
    grown: Option<u64>,
    queues: Option<u64>,
    waiting: Option<u64>,
    passed: Option<u64>,
    process: Option<u64>,
    partitions: Option<u64>,
    seed: Option<u64>,
    keep: Option<String>,
    threads: Option<u64>,
    json: bool,
}

impl Arguments {
    /// Reads the arguments after the program's name; `None` asks for help.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut raw = Raw::default();
        let mut words = words;
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--json" => raw.json = true,
                _ if word.starts_with("--") => {
                    let joined =
                        word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
                    let (name, value) = match joined {
                        Some(pair) => pair,
                        None => (word.clone(), words.next().ok_or_else(|| format!("{word} needs a value"))?),
                    };
                    raw.set(&name, value)?;
                }
                _ => raw.workloads.extend(word.split(',').map(str::to_owned)),
            }
        }
        raw.settle().map(Some)
    }
}

impl Raw {
    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--connection-string" => self.connection = Some(Address::parse(&value)?),
            "--vs" => self.second = Some(Address::parse(&value)?),
            "--blob-endpoint" => self.own.blob = Some(value),
            "--queue-endpoint" => self.own.queue = Some(value),
            "--table-endpoint" => self.own.table = Some(value),
            "--account" => self.own.account = Some(value),
            "--key" => self.own.key = Some(value),
            "--size" => self.size = Some(parse_size(&value)?),
            "--connections" => self.connections = Some(whole(name, &value, 1)?),
            "--seconds" => self.seconds = Some(positive(name, &value)?),
            "--count" => self.count = Some(whole(name, &value, 1)?),
            "--warmup" => self.warmup = Some(if value == "0" { 0.0 } else { positive(name, &value)? }),
            "--rate" => self.rate = Some(positive(name, &value)?),
            "--rounds" => self.rounds = Some(whole(name, &value, 1)?),
            "--pool" => self.pool = Some(whole(name, &value, 1)?),
            "--prefill" => self.prefill = Some(whole(name, &value, 1)?),
            "--grown" => self.grown = Some(whole(name, &value, 1)?),
            "--queues" => self.queues = Some(whole(name, &value, 1)?),
            "--waiting" => self.waiting = Some(whole(name, &value, 0)?),
            "--passed" => self.passed = Some(whole(name, &value, 1)?),
            "--process" => self.process = Some(whole(name, &value, 1)?),
            "--partitions" => self.partitions = Some(whole(name, &value, 1)?),
            "--seed" => self.seed = Some(whole(name, &value, 0)?),
            "--keep" => self.keep = Some(prefix(&value)?),
            "--threads" => self.threads = Some(whole(name, &value, 1)?),
            _ => return Err(format!("there is no option {name}; see --help")),
        }
        Ok(())
    }

    /// Whether what is asked for goes together.
    fn check(&self, orders: &[Order]) -> Result<(), String> {
        if orders.is_empty() {
            return Err("name a workload; see --help".to_owned());
        }
        if self.count.is_some() && self.seconds.is_some() {
            return Err("--count and --seconds exclude each other".to_owned());
        }
        if self.passed.is_some() && (self.second.is_some() || orders.iter().any(|order| !order.is_cycle())) {
            return Err("--passed is for queue-cycle and one subject".to_owned());
        }
        if self.grown.is_some() && (self.second.is_some() || self.passed.is_some()) {
            return Err("--grown is for one subject, and excludes --passed".to_owned());
        }
        Ok(())
    }

    fn settle(self) -> Result<Arguments, String> {
        let connections = self.connections.unwrap_or(16);
        let order = |text: &String| Order::parse(text, self.size, connections);
        let orders = self.workloads.iter().map(order).collect::<Result<Vec<_>, _>>()?;
        self.check(&orders)?;
        let extent = match self.count {
            Some(count) => Extent::Count(count),
            None => Extent::Time(Duration::from_secs_f64(self.seconds.unwrap_or(5.0))),
        };
        let base = self.connection.unwrap_or_default();
        let first = Address {
            account: self.own.account.or(base.account),
            key: self.own.key.or(base.key),
            blob: self.own.blob.or(base.blob),
            queue: self.own.queue.or(base.queue),
            table: self.own.table.or(base.table),
        };
        let compares = self.second.is_some() || self.grown.is_some();
        let rounds = self.rounds.unwrap_or(if compares { 3 } else { 1 });
        Ok(Arguments {
            addresses: std::iter::once(first).chain(self.second).collect(),
            orders,
            terms: Terms {
                extent,
                warmup: Duration::from_secs_f64(self.warmup.unwrap_or(1.0)),
                rate: self.rate,
                rounds,
                grown: self.grown,
                furniture: Furniture {
                    pool: self.pool,
                    prefill: self.prefill.unwrap_or(5_000),
                    queues: self.queues.unwrap_or(1),
                    waiting: self.waiting.unwrap_or(0),
                    partitions: self.partitions.unwrap_or(16),
                    seed: self.seed.unwrap_or(1),
                    keep: self.keep,
                },
            },
            passed: self.passed,
            process: self.process,
            threads: usize::try_from(self.threads.unwrap_or(1)).unwrap_or(1),
            json: self.json,
        })
    }
}

/// The beginning of a name that every service takes.
fn prefix(value: &str) -> Result<String, String> {
    let good = (1..=30).contains(&value.len())
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if good {
        Ok(value.to_owned())
    } else {
        Err(format!("--keep is lower-case letters and digits, not {value}"))
    }
}

fn whole(name: &str, value: &str, min: u64) -> Result<u64, String> {
    let number = value.parse().ok().filter(|number| (min..=1 << 32).contains(number));
    number.ok_or_else(|| format!("{name} is a whole number from {min} to 2^32, not {value}"))
}

fn positive(name: &str, value: &str) -> Result<f64, String> {
    let number = value.parse().ok().filter(|number| (1e-3..=1e7).contains(number));
    number.ok_or_else(|| format!("{name} is a number above zero, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    fn parsed(line: &str) -> Arguments {
        parse(line).unwrap().unwrap()
    }

    #[test]
    fn a_workload_alone_is_enough() {
        let arguments = parsed("put-blob");
        assert_eq!(arguments.addresses, [Address::default()]);
        assert_eq!(arguments.orders[0].connections, 16);
        assert_eq!(arguments.terms.extent, Extent::Time(Duration::from_secs(5)));
        assert_eq!((arguments.terms.rounds, arguments.threads, arguments.json), (1, 1, false));
    }

    #[test]
    fn options_stand_anywhere_and_may_be_joined() {
        let arguments = parsed("--size=8MiB put-blob,get-blob:4KiB@2 --connections 4 --count 10 --json");
        let sizes: Vec<_> =
            arguments.orders.iter().map(|order| (order.size_bytes, order.connections)).collect();
        assert_eq!(sizes, [(8 << 20, 4), (4_096, 2)]);
        assert_eq!(arguments.terms.extent, Extent::Count(10));
        assert!(arguments.json);
    }

    #[test]
    fn options_win_over_the_connection_string() {
        let arguments = parsed("--account b --connection-string AccountName=a;AccountKey=AAAA put-blob");
        assert_eq!(arguments.addresses[0].account.as_deref(), Some("b"));
        assert_eq!(arguments.addresses[0].key.as_deref(), Some("AAAA"));
    }

    #[test]
    fn a_second_subject_makes_three_rounds() {
        let arguments = parsed("put-blob --vs BlobEndpoint=http://127.0.0.1:1/a");
        assert_eq!((arguments.addresses.len(), arguments.terms.rounds), (2, 3));
        assert_eq!(parsed("put-blob --vs UseDevelopmentStorage=true --rounds 5").terms.rounds, 5);
    }

    #[test]
    fn a_grown_room_makes_three_rounds_too() {
        let arguments = parsed("list-start --prefill 10 --grown 1000");
        assert_eq!((arguments.terms.furniture.prefill, arguments.terms.grown), (10, Some(1_000)));
        assert_eq!(arguments.terms.rounds, 3);
    }

    #[test]
    fn every_option_of_the_help_is_known() {
        let options = HELP.split_whitespace().filter(|word| word.starts_with("--"));
        for option in options.map(|word| word.trim_end_matches([':', ';', '.', ','])) {
            assert!(
                matches!(option, "--json" | "--help")
                    || Raw::default().set(option, "1".to_owned()).is_ok()
                    || Raw::default().set(option, "name".to_owned()).is_ok()
                    || matches!(option, "--connection-string" | "--vs"),
                "{option}"
            );
        }
    }

    #[test]
    fn mistakes_are_named() {
        for line in [
            "",
            "--json",
            "put-blob --size",
            "put-blob --bogus 1",
            "put-blob --rate 0",
            "x",
            "put-blob --count 1 --seconds 1",
            "put-blob --connections 0",
            "put-blob --seconds NaN",
            "put-blob --keep 1",
            "put-blob --keep a-b",
            "put-blob --passed 5",
            "list-start --grown 5 --vs UseDevelopmentStorage=true",
            "queue-cycle --grown 5 --passed 5",
            "queue-cycle --passed 5 --vs UseDevelopmentStorage=true",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("--help"), Ok(None));
    }
}
