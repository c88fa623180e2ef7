//! The writer of page and append blobs: pages written and cleared anywhere, a blob that is cut and grown, a log that
//! grows at its end.
//!
//! Each blob is compared as a whole with what was acknowledged. The write in flight may be there or not, but not in
//! part: pages of one area are one write to the engine, however many they are.

use super::Writer;
use crate::client::{Client, Request, Service, request};
use crate::random::Random;

const PAGE: usize = 512;
/// Most pages of the disk: less than an area.
const PAGES: usize = 1024;
/// Most pages of one write.
const WRITTEN_MAX: usize = 200;
/// When the log is begun anew.
const LOG_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blob {
    Disk,
    Log,
}

impl Blob {
    fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Log => "log",
        }
    }
}

pub(super) struct DiskWriter {
    container: String,
    random: Random,
    disk: Vec<u8>,
    log: Vec<u8>,
    in_flight: Option<(Blob, Vec<u8>)>,
    acknowledged: u64,
}

impl DiskWriter {
    pub(super) fn new(number: u64, seed: u64) -> Self {
        Self {
            container: format!("disks-{number}"),
            random: Random::new(seed),
            disk: vec![0; PAGES * PAGE],
            log: Vec::new(),
            in_flight: None,
            acknowledged: 0,
        }
    }

    fn put(&self, blob: Blob, query: &str) -> Request {
        Request::new("PUT", &format!("/{}/{}{query}", self.container, blob.name()))
    }

    fn create(&self, blob: Blob) -> Request {
        let request = self.put(blob, "");
        match blob {
            Blob::Disk => request
                .header("x-ms-blob-type", "PageBlob")
                .header("x-ms-blob-content-length", &(PAGES * PAGE).to_string()),
            Blob::Log => request.header("x-ms-blob-type", "AppendBlob"),
        }
    }

    /// One write, or `None` when the server is gone.
    fn write(&mut self, client: &mut Client) -> Option<()> {
        match self.random.below(20) {
            0..=7 => self.write_pages(client),
            8..=10 => self.clear_pages(client),
            11 => self.resize(client),
            12 if self.random.below(8) == 0 => {
                let request = self.create(Blob::Disk);
                self.commit(client, &request, 201, Blob::Disk, vec![0; PAGES * PAGE])
            }
            _ if self.log.len() > LOG_BYTES_MAX => {
                let request = self.create(Blob::Log);
                self.commit(client, &request, 201, Blob::Log, Vec::new())
            }
            _ => self.append(client),
        }
    }

    /// First byte and number of bytes of some pages of the disk.
    fn some_pages(&mut self) -> (usize, usize) {
        let pages = self.disk.len() / PAGE;
        let first = self.random.index(pages);
        let count = 1 + self.random.index(WRITTEN_MAX.min(pages - first));
        (first * PAGE, count * PAGE)
    }

    fn page_request(&self, kind: &str, (first, length): (usize, usize)) -> Request {
        self.put(Blob::Disk, "?comp=page")
            .header("x-ms-page-write", kind)
            .header("x-ms-range", &format!("bytes={first}-{}", first + length - 1))
    }

    fn write_pages(&mut self, client: &mut Client) -> Option<()> {
        let (first, length) = self.some_pages();
        let bytes = self.random.bytes(length);
        let mut after = self.disk.clone();
        after[first..first + length].copy_from_slice(&bytes);
        let request = self.page_request("update", (first, length)).body(bytes);
        self.commit(client, &request, 201, Blob::Disk, after)
    }

    fn clear_pages(&mut self, client: &mut Client) -> Option<()> {
        let (first, length) = self.some_pages();
        let mut after = self.disk.clone();
        after[first..first + length].fill(0);
        let request = self.page_request("clear", (first, length));
        self.commit(client, &request, 201, Blob::Disk, after)
    }

    fn resize(&mut self, client: &mut Client) -> Option<()> {
        let length = (1 + self.random.index(PAGES)) * PAGE;
        let mut after = self.disk.clone();
        after.resize(length, 0);
        let request =
            self.put(Blob::Disk, "?comp=properties").header("x-ms-blob-content-length", &length.to_string());
        self.commit(client, &request, 200, Blob::Disk, after)
    }

    fn append(&mut self, client: &mut Client) -> Option<()> {
        let length = if self.random.below(4) == 0 { 64 << 10 } else { 3000 };
        let length = 1 + self.random.index(length);
        let bytes = self.random.bytes(length);
        let request = self
            .put(Blob::Log, "?comp=appendblock")
            .header("x-ms-blob-condition-appendpos", &self.log.len().to_string())
            .body(bytes.clone());
        let after = [self.log.as_slice(), bytes.as_slice()].concat();
        self.commit(client, &request, 201, Blob::Log, after)
    }

    fn commit(
        &mut self,
        client: &mut Client,
        request: &Request,
        status: u16,
        blob: Blob,
        after: Vec<u8>,
    ) -> Option<()> {
        self.in_flight = Some((blob, after));
        client.send(request).ok()?.expect(status);
        self.acknowledged += 1;
        if let Some((blob, after)) = self.in_flight.take() {
            self.settle(blob, after);
        }
        Some(())
    }

    fn settle(&mut self, blob: Blob, after: Vec<u8>) {
        match blob {
            Blob::Disk => self.disk = after,
            Blob::Log => self.log = after,
        }
    }
}

impl Writer for DiskWriter {
    fn service(&self) -> Service {
        Service::Blob
    }

    fn prepare(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Blob, endpoint);
        client.call(&request::create_container(&self.container)).expect(201);
        for blob in [Blob::Disk, Blob::Log] {
            client.call(&self.create(blob)).expect(201);
        }
    }

    fn load(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Blob, endpoint);
        while self.write(&mut client).is_some() {}
    }

    fn verify(&mut self, endpoint: &str) {
        let mut client = Client::at(Service::Blob, endpoint);
        let mut in_flight = self.in_flight.take();
        for blob in [Blob::Disk, Blob::Log] {
            let found = client.call(&request::get_blob(&self.container, blob.name())).expect(200).body;
            if let Some((_, after)) =
                in_flight.take_if(|(written, after)| *written == blob && *after == found)
            {
                self.settle(blob, after);
            }
            let expected = if blob == Blob::Disk { &self.disk } else { &self.log };
            let differs = found.iter().zip(expected).position(|(found, expected)| found != expected);
            assert!(
                found == *expected,
                "{}/{} has {} bytes instead of {}, and differs at {differs:?}",
                self.container,
                blob.name(),
                found.len(),
                expected.len()
            );
        }
    }

    fn acknowledged(&self) -> u64 {
        self.acknowledged
    }
}
