//! Bodies of others that must not keep us waiting: of requests, and of the answers of servers that we asked.
//!
//! A client that sends a byte now and then holds a connection, of which there are many and which is its own; so
//! anything that comes in a minute is enough. A source of a copy holds one of the few places in which copies run
//! ([`crate::sources`]), and must bring some bytes in each minute. Only time counts in which somebody waits for the
//! body: the disk may be the slow one.

use super::PATIENCE;
use api::body::Stalled;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A body that ends with an error when it was waited for during [`PATIENCE`] and nothing came, or less than it should
/// have. Time in which nobody waits for it does not count.
pub(super) struct Patient<B = Incoming> {
    body: B,
    waiting: Option<Pin<Box<Sleep>>>,
    /// How long it is waited for until there are so many bytes more.
    left: Duration,
    /// Bytes that earn another [`PATIENCE`].
    bytes_min: u64,
    /// Bytes that came since the last such.
    bytes: u64,
}

impl<B> Patient<B> {
    /// Anything that comes is enough.
    pub(super) fn new(body: B) -> Self {
        Self::at_least(0, body)
    }

    /// So many bytes must come.
    pub(super) fn at_least(bytes_min: u64, body: B) -> Self {
        Self { body, waiting: None, left: PATIENCE, bytes_min, bytes: 0 }
    }

    /// So many bytes came.
    fn came(&mut self, bytes: usize) {
        if let Some(waiting) = self.waiting.take() {
            self.left = waiting.deadline().saturating_duration_since(Instant::now());
        }
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.bytes >= self.bytes_min {
            (self.left, self.bytes) = (PATIENCE, 0);
        }
    }
}

impl<B> HttpBody for Patient<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            let bytes = data.map_or(0, Bytes::len);
            self.came(bytes);
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let left = self.left;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Box::new(Stalled)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, Empty, Full};

    fn patient<B>(body: B, bytes_min: u64, left: Duration) -> Patient<B> {
        Patient { left, ..Patient::at_least(bytes_min, body) }
    }

    #[test]
    fn only_as_many_bytes_as_there_should_be_earn_more_time() {
        let left = Duration::from_secs(5);
        let mut body = patient(Empty::<Bytes>::new(), 10, left);
        body.came(9);
        assert_eq!(body.left, left);
        body.came(1);
        assert_eq!((body.left, body.bytes), (PATIENCE, 0));
        let mut body = patient(Empty::<Bytes>::new(), 0, left);
        body.came(0);
        assert_eq!(body.left, PATIENCE, "anything is enough");
    }

    /// A body of which nothing ever comes.
    struct Silent;

    impl HttpBody for Silent {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_body_that_is_waited_for_in_vain_fails() {
        let mut silent = patient(Silent, 0, Duration::ZERO);
        let failed = silent.frame().await.unwrap().unwrap_err();
        assert!(failed.is::<Stalled>());
        let full = patient(Full::new(Bytes::from_static(b"here")), 1 << 20, Duration::ZERO);
        assert_eq!(full.collect().await.unwrap().to_bytes(), "here", "nobody had to wait for it");
    }

    #[tokio::test]
    async fn time_that_was_waited_is_not_given_back_by_a_few_bytes() {
        let mut body = patient(Silent, 10, PATIENCE);
        let waiting = std::future::poll_fn(|context| {
            assert!(Pin::new(&mut body).poll_frame(context).is_pending());
            Poll::Ready(())
        });
        waiting.await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        body.came(9);
        assert!(body.left < PATIENCE && body.waiting.is_none());
    }
}
