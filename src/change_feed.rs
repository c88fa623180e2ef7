//! The task that keeps change feeds up to date while the server runs.
//!
//! What it does is [`api::ChangeFeed`]'s business; this only calls it again and again, at once while there is more to
//! do and else after a rest. It may be cut off anywhere: what it began is a commit that takes effect whole or not at
//! all, and the next process goes on from what is in the store.
//!
//! What cannot be read of a journal is missing in a feed, which its readers cannot see. So it is not only logged but
//! shown as a metric: a gauge, because it is what is in the journals, which each process finds anew.

use api::ChangeFeed;
use prometheus_client::metrics::gauge::Gauge;
use std::time::Duration;
use storage_engine::EngineError;
use tokio::task::JoinHandle;

/// How long to rest when there is nothing to do: with it, how late a feed tells of a change.
const REST: Duration = Duration::from_millis(500);

/// How long to rest when not even the accounts can be found: what is wrong then is not over in a second.
const REST_AFTER_FAILURE: Duration = Duration::from_mins(1);

/// The running task.
pub(crate) struct FeedTask(JoinHandle<()>);

impl FeedTask {
    /// Starts it. `damaged` shows how many entries of journals cannot be read.
    pub(crate) fn start(mut feed: ChangeFeed, damaged: Gauge) -> Self {
        Self(tokio::spawn(async move {
            loop {
                let done = feed.once().await;
                damaged.set(feed.damaged().try_into().unwrap_or(i64::MAX));
                match done {
                    Ok(0) => tokio::time::sleep(REST).await,
                    Ok(_) => {}
                    Err(EngineError::Closed) => return,
                    Err(error) => {
                        tracing::warn!(%error, "change feeds are not up to date; trying again later");
                        tokio::time::sleep(REST_AFTER_FAILURE).await;
                    }
                }
            }
        }))
    }

    /// Ends it, wherever it is.
    pub(crate) async fn stop(self) {
        self.0.abort();
        if self.0.await.is_err_and(|error| error.is_panic()) {
            tracing::error!("the task of the change feeds panicked");
        }
    }
}
