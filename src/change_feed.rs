//! The task that keeps change feeds up to date while the server runs.
//!
//! What it does is [`api::ChangeFeed`]'s business; this only calls it again and again, at once while there is more to do
//! and else after a rest. It may be cut off anywhere: what it began is a commit that takes effect whole or not at all, and
//! the next process goes on from what is in the store.

use api::ChangeFeed;
use std::time::Duration;
use storage_engine::EngineError;
use tokio::task::JoinHandle;

/// How long to rest when there is nothing to do: with it, how late a feed tells of a change.
const REST: Duration = Duration::from_millis(500);

/// The running task.
pub(crate) struct FeedTask(JoinHandle<()>);

impl FeedTask {
    /// Starts it.
    pub(crate) fn start(mut feed: ChangeFeed) -> Self {
        Self(tokio::spawn(async move {
            loop {
                match feed.once().await {
                    Ok(0) => tokio::time::sleep(REST).await,
                    Ok(_) => {}
                    Err(EngineError::Closed) => return,
                    Err(error) => {
                        tracing::warn!(%error, "change feeds are not up to date; trying again later");
                        tokio::time::sleep(REST).await;
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
