//! Logs and metrics. One JSON line per request and one per event, on standard error, written by a thread of
//! its own; metrics in the Prometheus text form.

use api::{Observer, Summary};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use serde::Serialize;
use std::io::Write;
use tracing_subscriber::EnvFilter;

mod lines;

use lines::{LineWriter, Lines};

/// Bounds of the histogram of durations, in seconds.
const BOUNDS_SECONDS: [f64; 12] =
    [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

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
    registry: Registry,
    lines: Option<LineWriter>,
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: &'a str,
    level: &'static str,
    message: &'static str,
    service: &'static str,
    operation: &'static str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    elapsed_us: u128,
    account: &'a str,
    method: &'a str,
    path: &'a str,
    request_id: &'a str,
    peer: Option<std::net::SocketAddr>,
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
        Self { requests, durations, registry, lines }
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
        let line = Line {
            timestamp: &api::time::iso8601(summary.answered),
            // 501 says what we do not do, as the service does; all else of 5xx is a failure of ours.
            level: if status >= 500 && status != 501 { "ERROR" } else { "INFO" },
            message: "request",
            service,
            operation,
            status,
            error: summary.error,
            cause: summary.cause.as_deref(),
            elapsed_us: summary.elapsed.as_micros(),
            account: summary.account,
            method: summary.method,
            path: summary.path,
            request_id: summary.request_id,
            peer: summary.peer,
        };
        if let Ok(mut text) = serde_json::to_vec(&line) {
            text.push(b'\n');
            // A log that cannot be written is no reason to fail a request.
            let _ = lines.clone().write_all(&text);
        }
    }
}
