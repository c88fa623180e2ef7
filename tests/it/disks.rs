//! A disk of 100 GiB that is nearly empty: its size costs nothing, its snapshots share what has not changed, and what
//! has changed since is told exactly, also after a crash.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::client::{Client, Request, Service, request};
use crate::node::Node;

const GIB: u64 = 1 << 30;
const SIZE: u64 = 100 * GIB;
const PAGE: u64 = 512;
/// What the folder may take on the real disk: thousands of times less than the blob is long.
const FOLDER_BYTES_MAX: u64 = 64 << 20;

fn pages(kind: &str, first: u64, count: u64) -> Request {
    let range = format!("bytes={}-{}", first * PAGE, (first + count) * PAGE - 1);
    Request::new("PUT", "/disks/vm?comp=page").header("x-ms-page-write", kind).header("x-ms-range", &range)
}

fn write(client: &mut Client, first: u64, count: u64, fill: u8) {
    let bytes = vec![fill; usize::try_from(count * PAGE).expect("a few pages")];
    client.call(&pages("update", first, count).body(bytes)).expect(201);
}

fn snapshot(client: &mut Client) -> String {
    let answer = client.call(&Request::new("PUT", "/disks/vm?comp=snapshot")).expect(201);
    answer.header("x-ms-snapshot").expect("the snapshot is named").to_owned()
}

/// Ranges as first page, number of pages, and whether they are written.
fn list(client: &mut Client, query: &str) -> Vec<(u64, u64, bool)> {
    let target = format!("/disks/vm?comp=pagelist{query}");
    let text = client.call(&Request::new("GET", &target)).expect(200).text();
    let mut found = Vec::new();
    for part in text.split("Range><Start>").skip(1) {
        let (start, rest) = part.split_once("</Start><End>").expect("a range has two ends");
        let (end, rest) = rest.split_once("</End></").expect("a range has two ends");
        let number = |text: &str| text.parse::<u64>().expect("an offset");
        let (start, end) = (number(start), number(end));
        found.push((start / PAGE, (end + 1 - start) / PAGE, rest.starts_with("Page")));
    }
    found
}

/// The byte that fills the page, which must be the same all over.
fn fill(client: &mut Client, query: &str, page: u64) -> u8 {
    let range = format!("bytes={}-{}", page * PAGE, (page + 1) * PAGE - 1);
    let target = format!("/disks/vm{query}");
    let body = client.call(&Request::new("GET", &target).header("x-ms-range", &range)).expect(206).body;
    assert_eq!(body.len() as u64, PAGE);
    assert!(body.iter().all(|byte| *byte == body[0]), "page {page} is mixed");
    body[0]
}

fn allocated_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    let sizes = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => allocated_bytes(&path),
            Ok(found) => found.blocks() * 512,
            // Files come and go while the server runs.
            Err(_) => 0,
        }
    });
    sizes.sum()
}

const LAST: u64 = SIZE / PAGE - 1;

/// Whether every change is told. After a crash, neighbours of pages that were written last may be told as written too.
fn tell(told: &[(u64, u64, bool)], changed: &[(u64, u64, bool)]) -> bool {
    let cleared =
        |ranges: &[(u64, u64, bool)]| ranges.iter().filter(|range| !range.2).copied().collect::<Vec<_>>();
    let covers = |(first, count, _): (u64, u64, bool)| {
        told.iter().any(|range| range.2 && range.0 <= first && first + count <= range.0 + range.1)
    };
    let near = |range: &(u64, u64, bool)| range.1 <= 128;
    let written = changed.iter().filter(|range| range.2);
    cleared(told) == cleared(changed) && written.copied().all(covers) && told.iter().all(near)
}

fn check(client: &mut Client, (one, two): (&str, &str), crashed: bool) {
    let middle = 50 * GIB / PAGE;
    let written = [(0, 2, true), (middle, 8, true), (LAST, 1, true)];
    assert_eq!(list(client, &format!("&snapshot={one}")), written);
    let now = [
        (1, 1, true),
        (middle, 3, true),
        (middle + 4, 4, true),
        (2 * middle - 8192, 1, true),
        (LAST, 1, true),
    ];
    assert_eq!(list(client, ""), now);
    assert_eq!(list(client, &format!("&snapshot={two}")), now);
    let changed =
        [(0, 1, false), (middle + 2, 1, true), (middle + 3, 1, false), (2 * middle - 8192, 1, true)];
    for (query, changed) in [
        (format!("&prevsnapshot={one}"), &changed[..]),
        (format!("&prevsnapshot={one}&snapshot={two}"), &changed[..]),
        (format!("&prevsnapshot={two}"), &[]),
    ] {
        let told = list(client, &query);
        if crashed {
            assert!(tell(&told, changed), "{told:?} does not tell {changed:?}");
        } else {
            assert_eq!(told, changed);
        }
    }
    let old = format!("?snapshot={one}");
    for (page, before, after) in [
        (0, 1, 0),
        (1, 1, 1),
        (2, 0, 0),
        (middle + 2, 2, 4),
        (middle + 3, 2, 0),
        (middle + 4, 2, 2),
        (LAST, 3, 3),
    ] {
        assert_eq!((fill(client, &old, page), fill(client, "", page)), (before, after), "page {page}");
    }
}

#[test]
fn a_disk_of_100_gib_costs_what_is_written_to_it_and_snapshots_tell_what_has_changed() {
    let mut node = Node::start();
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("disks")).expect(201);
    let create = Request::new("PUT", "/disks/vm")
        .header("x-ms-blob-type", "PageBlob")
        .header("x-ms-blob-content-length", &SIZE.to_string());
    client.call(&create).expect(201);
    let middle = 50 * GIB / PAGE;
    write(&mut client, 0, 2, 1);
    write(&mut client, middle, 8, 2);
    write(&mut client, LAST, 1, 3);
    let one = snapshot(&mut client);
    write(&mut client, middle + 2, 1, 4);
    write(&mut client, 2 * middle - 8192, 1, 5);
    client.call(&pages("clear", 0, 1)).expect(201);
    client.call(&pages("clear", middle + 3, 1)).expect(201);
    let two = snapshot(&mut client);
    check(&mut client, (&one, &two), false);
    let taken = allocated_bytes(node.folder());
    assert!(taken < FOLDER_BYTES_MAX, "{taken} bytes are taken");

    node.kill();
    node.restart();
    let mut client = Client::new(&node, Service::Blob);
    check(&mut client, (&one, &two), true);
}
