//! Where things are in the feed's container, and the documents that say so.
//!
//! | blob | what it is |
//! |---|---|
//! | `meta/segments.json` | up to which segment the feed can be read |
//! | `idx/segments/1601/01/01/0000/meta.json` | a segment of no time, which is there from the beginning |
//! | `idx/segments/YYYY/MM/DD/hh00/meta.json` | the segment of an hour in which something changed |
//! | `log/00/YYYY/MM/DD/hh00/NNNNN.avro` | its events: append blobs, read one after another |
//!
//! # Up to where
//! The page says that a segment dated after `lastConsumable` is not to be read, and the clients of the vendor do not
//! agree on that date itself: for Java and .NET it is the last one to read, for JavaScript the first one not to, and
//! Python does not look. So it names the newest segment while that is open, and the hour behind it when it is finished.
//! Then nobody is told of less than there is: were it to stay, the last hour before an account falls silent would be
//! read by some clients only. The hour it names may have no segment, which is nothing to any of them.

use crate::time;
use storage_engine::blob::CHANGE_FEED;
use storage_engine::clock::Timestamp;

/// The blob that says up to where the feed can be read.
pub(super) const SEGMENTS: &str = "meta/segments.json";
/// How the names of all segments' blobs begin.
pub(super) const INDEX: &str = "idx/segments/";

const HOUR_SECONDS: u64 = 3600;
const HOUR_TICKS: u64 = HOUR_SECONDS * Timestamp::TICKS_PER_SECOND;

/// An hour, by its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Hour(Timestamp);

impl Hour {
    /// The hour of the segment that every feed begins with: before all that can change.
    pub(super) fn first() -> Self {
        Self(time::parse_iso8601("1601-01-01").unwrap_or_default())
    }

    /// The hour of a moment.
    pub(super) const fn of(moment: Timestamp) -> Self {
        Self(Timestamp::from_ticks(moment.ticks() - moment.ticks() % HOUR_TICKS))
    }

    /// The hour of the segment's blob with this name; none if it is another blob.
    pub(super) fn of_segment(name: &str) -> Option<Self> {
        let path = name.strip_prefix(INDEX)?.strip_suffix("/meta.json")?;
        let (date, hour) = path.rsplit_once('/')?;
        let hour = hour.strip_suffix("00")?;
        time::parse_iso8601(&format!("{}T{hour}:00Z", date.replace('/', "-"))).map(Self)
    }

    /// When it is over.
    pub(super) fn end(self) -> Timestamp {
        Timestamp::from_ticks(self.0.ticks().saturating_add(HOUR_TICKS))
    }

    /// The one behind it.
    pub(super) fn next(self) -> Self {
        Self(self.end())
    }

    /// `YYYY/MM/DD/hh00`
    fn path(self) -> String {
        let text = time::iso8601(self.0);
        let (date, time) = text.split_once('T').unwrap_or_default();
        format!("{}/{}00", date.replace('-', "/"), time.get(..2).unwrap_or_default())
    }

    /// The name of its segment's blob.
    pub(super) fn segment(self) -> String {
        format!("{INDEX}{}/meta.json", self.path())
    }

    /// How the names of its logs begin.
    pub(super) fn logs(self) -> String {
        format!("log/00/{}/", self.path())
    }

    /// The name of one of its logs.
    pub(super) fn log(self, number: u32) -> String {
        format!("{}{number:05}.avro", self.logs())
    }
}

/// Up to the millisecond, as the service's documents have it.
fn milliseconds(moment: Timestamp) -> String {
    let text = time::iso8601(moment);
    format!("{}Z", text.get(..23).unwrap_or(&text))
}

fn diagnostics(now: Timestamp) -> String {
    format!(r#"{{"version":0,"lastModifiedTime":"{}","data":{{}}}}"#, milliseconds(now))
}

/// The document that says that the feed can be read up to this segment.
pub(super) fn segments(last: Hour, now: Timestamp) -> String {
    let last = milliseconds(last.0);
    format!(r#"{{"version":0,"lastConsumable":"{last}","storageDiagnostics":{}}}"#, diagnostics(now))
}

/// Up to which segment the feed can be read; none if the document is not one of [`segments`].
pub(super) fn last_consumable(document: &[u8]) -> Option<Hour> {
    let document: serde_json::Value = serde_json::from_slice(document).ok()?;
    let last = time::parse_iso8601(document.get("lastConsumable")?.as_str()?)?;
    Some(Hour::of(last))
}

/// The document of a segment.
pub(super) fn manifest(hour: Hour, finalized: bool, now: Timestamp) -> String {
    let begin = milliseconds(hour.0);
    let status = if finalized { "Finalized" } else { "Publishing" };
    let none = hour == Hour::first();
    let (shards, paths) =
        if none { (0, String::new()) } else { (1, format!("\"{CHANGE_FEED}/{}\"", hour.logs())) };
    format!(
        r#"{{"version":0,"begin":"{begin}","intervalSecs":{HOUR_SECONDS},"status":"{status}","config":{{"version":0,"configVersionEtag":"0x1","numShards":{shards},"recordsFormat":"avro","formatSchemaVersion":{},"shardDistFnVersion":1}},"chunkFilePaths":[{paths}],"storageDiagnostics":{}}}"#,
        super::record::SCHEMA_VERSION,
        diagnostics(now)
    )
}

/// How far a segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// There is none.
    Absent,
    /// More may come to it.
    Publishing,
    /// Nothing more comes to it.
    Finalized,
}

impl Status {
    /// As the segment's document has it. One that cannot be read is not written to.
    pub(super) fn read(document: &[u8]) -> Self {
        let document = serde_json::from_slice::<serde_json::Value>(document).ok();
        let status = document.as_ref().and_then(|document| document.get("status")?.as_str());
        if status == Some("Publishing") { Self::Publishing } else { Self::Finalized }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(text: &str) -> Hour {
        Hour::of(time::parse_iso8601(text).unwrap())
    }

    #[test]
    fn names_are_those_of_the_page_and_lead_back() {
        let hour = hour("2019-02-22T18:59:59.9999999Z");
        assert_eq!(hour.segment(), "idx/segments/2019/02/22/1800/meta.json");
        assert_eq!(hour.log(7), "log/00/2019/02/22/1800/00007.avro");
        assert_eq!(Hour::of_segment(&hour.segment()), Some(hour));
        assert_eq!(time::iso8601(hour.end()), "2019-02-22T19:00:00.0000000Z");
        assert_eq!(Hour::first().segment(), "idx/segments/1601/01/01/0000/meta.json");
        for other in ["idx/segments/x/meta.json", "idx/segments/2019/02/22/1830/meta.json", SEGMENTS] {
            assert_eq!(Hour::of_segment(other), None, "{other}");
        }
    }

    #[test]
    fn documents_are_json_that_says_what_was_said() {
        let (now, hour) = (Timestamp::from_unix_seconds(1_600_000_000), hour("2019-02-22T18:00:00Z"));
        assert_eq!(last_consumable(segments(hour, now).as_bytes()), Some(hour));
        assert!(segments(hour, now).contains("\"lastConsumable\":\"2019-02-22T18:00:00.000Z\""));
        let read = |document: String| serde_json::from_str::<serde_json::Value>(&document).unwrap();
        let manifest_of = |finalized| read(manifest(hour, finalized, now));
        assert_eq!(manifest_of(false)["status"], "Publishing");
        assert_eq!(manifest_of(true)["chunkFilePaths"][0], "$blobchangefeed/log/00/2019/02/22/1800/");
        let status = |finalized| Status::read(manifest(hour, finalized, now).as_bytes());
        assert_eq!((status(false), status(true)), (Status::Publishing, Status::Finalized));
        let first = read(manifest(Hour::first(), true, now));
        assert_eq!(
            (&first["chunkFilePaths"], first["begin"].as_str()),
            (&serde_json::json!([]), Some("1601-01-01T00:00:00.000Z"))
        );
        assert_eq!(last_consumable(b"{}"), None);
        assert_eq!(Status::read(b"not json"), Status::Finalized);
    }
}
