//! Logs and metrics. One JSON line per request and one per event, on standard error, written by a thread of
//! its own; metrics in the Prometheus text form.

use api::{Observer, Summary};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::io::Write;
use tracing_subscriber::EnvFilter;

mod lines;

use lines::{LineWriter, Lines};

/// Bounds of the histogram of durations, in seconds.
const BOUNDS_SECONDS: [f64; 12] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

/// As long as a request's line is, unless its address is a long one.
const LINE_BYTES_USUAL: usize = 512;

/// Where lines go. Lines still on their way are written when it is dropped.
pub(crate) struct Log(Lines);

impl Log {
    /// The log on standard error. Events of `LINARITE_LOG`'s level (default `info`) go there from now on.
    pub(crate) fn start() -> std::io::Result<Self> {
        let lines = Lines::start(std::io::stderr())?;
        let filter = EnvFilter::try_from_env("LINARITE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        let writer = lines.writer();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(filter)
            .with_writer(move || writer.clone());
        // A second subscriber in one process (tests) keeps the first; nothing is lost by that.
        let _ = subscriber.try_init();
        Ok(Self(lines))
    }

    /// Where request lines are written.
    pub(crate) fn writer(&self) -> LineWriter {
        self.0.writer()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    operation: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DurationLabels {
    service: &'static str,
    operation: &'static str,
}

/// Counts and logs requests.
pub(crate) struct Telemetry {
    requests: Family<RequestLabels, Counter>,
    durations: Family<DurationLabels, Histogram>,
    damaged_changes: Gauge,
    registry: Registry,
    lines: Option<LineWriter>,
}

impl Telemetry {
    /// Counts requests, and writes a line for each to `lines` if there is one.
    pub(crate) fn new(lines: Option<LineWriter>) -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<DurationLabels, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS_SECONDS));
        let mut registry = Registry::with_prefix("linarite");
        registry.register("requests", "Requests answered", requests.clone());
        registry.register(
            "request_duration_seconds",
            "Time from a request's head to the head of its answer",
            durations.clone(),
        );
        let damaged_changes = Gauge::default();
        registry.register(
            "change_feed_damaged_entries",
            "Changes that cannot be read and are missing in change feeds",
            damaged_changes.clone(),
        );
        Self { requests, durations, damaged_changes, registry, lines }
    }

    /// Shows how many changes cannot be read and are missing in change feeds.
    pub(crate) fn damaged_changes(&self) -> Gauge {
        self.damaged_changes.clone()
    }

    /// All metrics as text.
    pub(crate) fn metrics(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

impl Observer for Telemetry {
    fn answered(&self, summary: &Summary<'_>) {
        let (service, operation, status) = (summary.service.label(), summary.operation, summary.status);
        self.requests.get_or_create(&RequestLabels { service, operation, status }).inc();
        self.durations
            .get_or_create(&DurationLabels { service, operation })
            .observe(summary.elapsed.as_secs_f64());
        let Some(lines) = &self.lines else { return };
        let mut text = Vec::with_capacity(LINE_BYTES_USUAL);
        if write_line(&mut text, summary).is_ok() {
            // A log that cannot be written is no reason to fail a request.
            let _ = lines.clone().write_all(&text);
        }
    }
}

/// One request as a line of JSON. The parts that are the same in every line, or words of our own, are written as they
/// stand; what came from outside goes through the library, which escapes it. A serializer that looks for something to
/// escape in all of it cost as much as finding the blob.
fn write_line(text: &mut Vec<u8>, summary: &Summary<'_>) -> std::io::Result<()> {
    let Summary { operation, status, elapsed, request_id, .. } = summary;
    // 501 says what we do not do, as the service does; all else of 5xx is a failure of ours.
    let level = if *status >= 500 && *status != 501 { "ERROR" } else { "INFO" };
    let (timestamp, service) = (api::time::iso8601(summary.answered), summary.service.label());
    write!(
        text,
        r#"{{"timestamp":"{timestamp}","level":"{level}","message":"request","service":"{service}","operation":"{operation}","status":{status}"#
    )?;
    if let Some(error) = summary.error {
        write!(text, r#","error":"{error}""#)?;
    }
    write!(text, r#","elapsed_us":{},"request_id":"{request_id}""#, elapsed.as_micros())?;
    if let Some(peer) = summary.peer {
        write!(text, r#","peer":"{peer}""#)?;
    }
    let foreign = [("account", summary.account), ("method", summary.method), ("path", summary.path)];
    for (name, value) in foreign.into_iter().chain(summary.cause.as_deref().map(|cause| ("cause", cause))) {
        write!(text, r#","{name}":"#)?;
        serde_json::to_writer(&mut *text, value)?;
    }
    text.extend_from_slice(b"}\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::ServiceKind;
    use std::time::Duration;
    use storage_engine::clock::Timestamp;

    #[test]
    fn a_line_is_json_whatever_the_request_holds() {
        let mut summary = Summary {
            service: ServiceKind::Blob,
            operation: "GetBlob",
            status: 500,
            error: Some("InternalError"),
            cause: Some("a \"cause\"\nof two lines".to_owned()),
            request_id: "id",
            account: "mine",
            method: "GET",
            path: "/mine/c/\"\\\u{1}",
            peer: Some("127.0.0.1:7".parse().unwrap()),
            answered: Timestamp::from_unix_seconds(0),
            elapsed: Duration::from_micros(7),
        };
        let line = |summary: &Summary<'_>| {
            let mut text = Vec::new();
            write_line(&mut text, summary).unwrap();
            assert_eq!(text.iter().position(|byte| *byte == b'\n'), Some(text.len() - 1));
            serde_json::from_slice::<serde_json::Value>(&text).unwrap()
        };
        let told = line(&summary);
        for (name, value) in [
            ("timestamp", "1970-01-01T00:00:00.0000000Z"),
            ("level", "ERROR"),
            ("operation", "GetBlob"),
            ("error", "InternalError"),
            ("cause", "a \"cause\"\nof two lines"),
            ("path", "/mine/c/\"\\\u{1}"),
            ("peer", "127.0.0.1:7"),
        ] {
            assert_eq!(told[name], value, "{name}");
        }
        assert_eq!((told["status"].as_u64(), told["elapsed_us"].as_u64()), (Some(500), Some(7)));
        (summary.error, summary.cause, summary.status) = (None, None, 501);
        let told = line(&summary);
        assert!(told["level"] == "INFO" && told.get("error").is_none() && told.get("cause").is_none());
    }
}
