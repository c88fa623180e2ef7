//! Content on its way out of the engine.
//!
//! A body has the length that was announced or it fails: when stored bytes turn out damaged midway, the
//! connection is cut, and the client never takes a part for the whole. The first piece is read before the
//! head is answered, so that a small blob needs no stream, and damage at its beginning is an honest 500.

use crate::body::{Body, BodyError};
use crate::structured;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use storage_engine::EngineError;
use storage_engine::blob::BlobReader;

/// A body and its bytes on the wire.
#[derive(Debug)]
pub(crate) struct Framed {
    /// The body.
    pub(crate) body: Body,
    /// Its bytes, framing included.
    pub(crate) length: u64,
}

/// The `length` bytes that `reader` gives, in a framing if `structured`.
///
/// # Errors
/// The engine's, of the first piece.
pub(crate) async fn body(
    mut reader: BlobReader,
    length: u64,
    structured: bool,
) -> Result<Framed, EngineError> {
    let Some(first) = reader.next().await? else { return Ok(body_of(Vec::new(), length, structured)) };
    if first.len() as u64 == length {
        return Ok(body_of(vec![first], length, structured));
    }
    let rest = stream::try_unfold(reader, |mut reader| async move {
        let piece = reader.next().await.map_err(BodyError::from)?;
        Ok(piece.map(|piece| (piece, reader)))
    });
    Ok(framed(stream::iter([Ok(first)]).chain(rest), length, structured))
}

/// The `length` bytes of `pieces`, in a framing if `structured`.
pub(crate) fn body_of(mut pieces: Vec<Bytes>, length: u64, structured: bool) -> Framed {
    match pieces.pop() {
        None if length == 0 && !structured => Framed { body: Body::empty(), length },
        Some(only) if pieces.is_empty() && !structured && only.len() as u64 == length => {
            Framed { body: Body::full(only), length }
        }
        last => {
            pieces.extend(last);
            framed(stream::iter(pieces.into_iter().map(Ok)), length, structured)
        }
    }
}

/// All that `reader` gives: for small ranges that have to be known before the head is answered.
///
/// # Errors
/// The engine's.
pub(crate) async fn collect(mut reader: BlobReader) -> Result<Vec<Bytes>, EngineError> {
    let mut pieces = Vec::new();
    while let Some(piece) = reader.next().await? {
        pieces.push(piece);
    }
    Ok(pieces)
}

fn framed<S>(pieces: S, length: u64, structured: bool) -> Framed
where
    S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
{
    if structured {
        let framed = structured::encoded_length(length);
        let body = Body::stream(Exact::new(structured::encode(pieces, length), framed));
        return Framed { body, length: framed };
    }
    Framed { body: Body::stream(Exact::new(pieces, length)), length }
}

/// A stream that has exactly so many bytes, or fails.
struct Exact<S> {
    stream: Pin<Box<S>>,
    left: u64,
}

impl<S> Exact<S> {
    fn new(stream: S, length: u64) -> Self {
        Self { stream: Box::pin(stream), left: length }
    }
}

impl<S: Stream<Item = Result<Bytes, BodyError>>> http_body::Body for Exact<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let piece = ready!(self.stream.as_mut().poll_next(context));
        Poll::Ready(match piece {
            Some(Ok(piece)) => match self.left.checked_sub(piece.len() as u64) {
                Some(left) => {
                    self.left = left;
                    Some(Ok(Frame::data(piece)))
                }
                None => Some(Err("the content is longer than announced".into())),
            },
            Some(Err(error)) => Some(Err(error)),
            None if self.left > 0 => Some(Err("the content is shorter than announced".into())),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use http_body_util::BodyExt as _;

    async fn read(framed: Framed) -> Result<Bytes, BodyError> {
        assert_eq!(framed.body.size_hint().exact(), Some(framed.length));
        framed.body.collect().await.map(http_body_util::Collected::to_bytes)
    }

    fn pieces(texts: &[&'static str]) -> Vec<Bytes> {
        texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
    }

    #[tokio::test]
    async fn pieces_come_out_whole_and_with_their_length() {
        for (texts, whole) in [(&[][..], ""), (&["hello"], "hello"), (&["he", "l", "lo"], "hello")] {
            let body = body_of(pieces(texts), whole.len() as u64, false);
            assert_eq!(read(body).await.unwrap(), whole);
        }
    }

    #[tokio::test]
    async fn a_body_of_another_length_than_announced_fails() {
        for (texts, length) in [(&["he", "llo"][..], 6), (&["he", "llo"], 4), (&["hello"], 6), (&[], 1)] {
            assert!(read(body_of(pieces(texts), length, false)).await.is_err(), "{texts:?} {length}");
        }
    }

    #[tokio::test]
    async fn damage_midway_ends_the_body_with_an_error() {
        let damaged = [Ok(Bytes::from_static(b"he")), Err(BodyError::from(EngineError::corrupt("chunk")))];
        assert!(read(framed(stream::iter(damaged), 5, false)).await.is_err());
    }

    #[tokio::test]
    async fn a_framing_is_counted() {
        let body = body_of(pieces(&["hel", "lo"]), 5, true);
        assert_eq!(body.length, 44);
        assert_eq!(read(body).await.unwrap().len(), 44);
        assert_eq!(read(body_of(Vec::new(), 0, true)).await.unwrap().len(), 39);
    }
}
