//! A body on its way into the engine: framing off, counted, checked.
//!
//! Checks that need the whole body are made when the engine has staged it and before a verb names it; a body
//! that fails one is dropped together with what was staged, so nothing of it is ever seen.

use crate::body::{Incoming, Payload};
use crate::checksum::{self, Checksums, Md5Sum, verify_md5};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::header;
use crate::md5::{Lanes, Lost, Md5Stream};
use crate::structured::{self, Decoder};
use bytes::Bytes;
use storage_engine::chunk::{Staged, Upload};

/// A body being received.
#[derive(Debug)]
pub(crate) struct Receiving {
    incoming: Incoming,
    /// Boxed, as most bodies have none: what receives is moved through every future of its operation.
    framing: Option<Box<Framing>>,
    /// Bytes of data that the client announced.
    announced: Option<u64>,
    bytes_max: u64,
    received: u64,
    checksums: Checksums,
    /// The MD5 to keep, if the client gave it apart from the body's.
    kept_md5: Option<Md5Sum>,
    md5: Option<Md5Stream>,
}

#[derive(Debug)]
struct Framing {
    header: String,
    decoder: Decoder,
    input: Bytes,
}

/// What a whole body turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Received {
    /// Its MD5, if it was computed.
    pub(crate) md5: Option<Md5Sum>,
    /// Its CRC-64.
    pub(crate) crc64: u64,
    /// Whether the client gave the MD5.
    pub(crate) md5_given: bool,
    /// The header of its framing.
    pub(crate) structured: Option<String>,
}

impl Received {
    /// Tells the checksum that the client used, or the CRC-64, and the framing: what every part of a blob is
    /// answered with.
    pub(crate) fn tell(&self, headers: &mut http::HeaderMap) {
        let (name, value) = match self.md5.filter(|_| self.md5_given) {
            Some(md5) => (header::CONTENT_MD5, checksum::md5_text(md5)),
            None => (header::X_MS_CONTENT_CRC64, checksum::crc64_text(self.crc64)),
        };
        let structured = self.structured.iter().map(|text| (header::X_MS_STRUCTURED_BODY, text.clone()));
        for (name, value) in structured.chain([(name, value)]) {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}

impl Receiving {
    /// Judges what is said of a body of at most `bytes_max` bytes of data.
    ///
    /// # Errors
    /// `RequestBodyTooLarge`, those of [`Checksums::read`], `InvalidHeaderValue`, `MissingRequiredHeader`.
    pub(crate) fn decode(head: &Head, body: Payload, bytes_max: u64) -> Result<Self, StorageError> {
        let checksums = Checksums::read(head)?;
        let structured = structured::asked(head)?;
        let announced = match &structured {
            None => head.content_length()?,
            Some(text) if checksums != Checksums::default() => {
                // Of the message or of the data? Clients never send both.
                return Err(StorageError::invalid_header(header::X_MS_STRUCTURED_BODY, text));
            }
            Some(_) => {
                head.required(header::X_MS_STRUCTURED_CONTENT_LENGTH)?;
                head.number(header::X_MS_STRUCTURED_CONTENT_LENGTH)?
            }
        };
        if announced.is_some_and(|announced| announced > bytes_max) {
            return Err(StorageError::too_large(bytes_max));
        }
        let framing = structured
            .map(|header| Box::new(Framing { header, decoder: Decoder::new(), input: Bytes::new() }));
        let md5 = checksums.md5.map(|_| Md5Stream::new(announced));
        let incoming = body.stream();
        Ok(Self { incoming, framing, announced, bytes_max, received: 0, checksums, kept_md5: None, md5 })
    }

    /// The source of a copy, of this length, which has to have these checksums.
    pub(crate) fn of_source(incoming: Incoming, length: u64, checksums: Checksums) -> Self {
        Self {
            incoming,
            framing: None,
            announced: Some(length),
            bytes_max: length,
            received: 0,
            checksums,
            kept_md5: None,
            md5: checksums.md5.map(|_| Md5Stream::new(Some(length))),
        }
    }

    /// Computes the MD5 in any case, and compares it with `given` too.
    pub(crate) fn keeping_md5(mut self, given: Option<Md5Sum>) -> Self {
        self.md5 = Some(Md5Stream::new(self.announced));
        self.kept_md5 = given;
        self
    }

    /// Bytes of data that the client announced, if it did.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.announced
    }

    /// Has the MD5 computed beside those of other uploads.
    pub(super) fn share(&mut self, lanes: &Lanes) {
        self.md5.iter_mut().for_each(|md5| md5.share(lanes));
    }

    /// The next bytes of data; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        let Some(piece) = self.next_unframed().await? else {
            self.md5.iter().for_each(Md5Stream::flush);
            return Ok(None);
        };
        self.received += piece.len() as u64;
        if self.received > self.bytes_max {
            return Err(StorageError::too_large(self.bytes_max));
        }
        if let Some(md5) = &mut self.md5 {
            md5.update(piece.clone()).await.map_err(lost)?;
        }
        Ok(Some(piece))
    }

    async fn next_unframed(&mut self) -> Result<Option<Bytes>, StorageError> {
        let Some(framing) = &mut self.framing else { return self.incoming.next().await };
        loop {
            if let Some(piece) = framing.decoder.next(&mut framing.input)? {
                return Ok(Some(piece));
            }
            match self.incoming.next().await? {
                Some(input) => framing.input = input,
                None => return framing.decoder.finish().map(|()| None),
            }
        }
    }

    /// Judges the whole body, of which `crc64` was computed.
    pub(super) async fn finish(mut self, crc64: u64) -> Result<Received, StorageError> {
        if self.announced.is_some_and(|announced| announced != self.received) {
            return Err(StorageError::new(ErrorCode::InvalidInput)
                .with("Reason", "The body does not have the length that was announced."));
        }
        let md5 = match self.md5.take() {
            Some(md5) => Some(md5.finish().await.map_err(lost)?),
            None => None,
        };
        self.checksums.verify(md5, crc64)?;
        if let (Some(given), Some(md5)) = (self.kept_md5, md5) {
            verify_md5(given, md5)?;
        }
        let md5_given = self.checksums.md5.is_some();
        Ok(Received { md5, crc64, md5_given, structured: self.framing.map(|framing| framing.header) })
    }

    /// Writes all of the body; its MD5 is computed beside those of other uploads.
    async fn write(&mut self, upload: &mut Upload, lanes: &Lanes) -> Result<(), StorageError> {
        self.share(lanes);
        while let Some(piece) = self.next().await? {
            upload.write(piece).await.map_err(engine)?;
        }
        Ok(())
    }
}

/// Stages a body that becomes a blob of its own.
///
/// # Errors
/// What the body fails; the engine's.
pub(crate) async fn stage(
    mut body: Receiving,
    mut upload: Upload,
    lanes: &Lanes,
) -> Result<(Staged, Received), StorageError> {
    body.write(&mut upload, lanes).await?;
    let staged = upload.finish().await.map_err(engine)?;
    let received = body.finish(staged.crc64).await?;
    Ok((staged, received))
}

/// Stages a body that becomes a block.
///
/// # Errors
/// What the body fails; the engine's.
pub(crate) async fn stage_block(
    mut body: Receiving,
    mut upload: Upload,
    lanes: &Lanes,
) -> Result<(Staged, Received), StorageError> {
    body.write(&mut upload, lanes).await?;
    let staged = upload.finish_in_chunks().await.map_err(engine)?;
    let received = body.finish(staged.crc64).await?;
    Ok((staged, received))
}

fn lost(error: Lost) -> StorageError {
    StorageError::new(ErrorCode::InternalError).caused_by(error)
}

fn engine(error: storage_engine::EngineError) -> StorageError {
    StorageError::from_engine(error, Intent::Write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::target::ServiceKind;
    use crate::testing;

    const HELLO: &[u8] = b"\x01\x2c\0\0\0\0\0\0\0\x01\0\x01\0\x01\0\x05\0\0\0\0\0\0\0hello\
        \x57\x42\x52\x06\x70\x85\x77\x33\x57\x42\x52\x06\x70\x85\x77\x33";

    fn receiving(headers: &[(&str, &str)], body: &'static [u8], max: u64) -> Result<Receiving, StorageError> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/c/b", headers);
        let body = Payload::Stream(Incoming::new(Body::full(body), 1 << 20));
        Receiving::decode(&head, body, max)
    }

    async fn receive(mut body: Receiving) -> Result<(Vec<u8>, Received), StorageError> {
        let mut data = Vec::new();
        while let Some(piece) = body.next().await? {
            data.extend_from_slice(&piece);
        }
        let crc64 = checksum::crc64(&data);
        Ok((data, body.finish(crc64).await?))
    }

    async fn code(headers: &[(&str, &str)], body: &'static [u8]) -> ErrorCode {
        match receiving(headers, body, 100) {
            Err(error) => error.code,
            Ok(body) => receive(body).await.unwrap_err().code,
        }
    }

    #[tokio::test]
    async fn md5_is_computed_only_where_it_is_needed() {
        let (data, received) = receive(receiving(&[], b"hello", 5).unwrap()).await.unwrap();
        assert_eq!((data.as_slice(), received.md5), (&b"hello"[..], None));
        let kept = receiving(&[], b"hello", 5).unwrap().keeping_md5(None);
        assert_eq!(receive(kept).await.unwrap().1.md5, Some(checksum::md5(b"hello")));
        let given = receiving(&[("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")], b"hello", 5).unwrap();
        assert!(receive(given).await.unwrap().1.md5_given);
    }

    #[tokio::test]
    async fn a_body_that_is_not_what_was_said_is_refused() {
        let md5 = [("content-md5", "XUFAKrxLKna5cZ2REBfFkg==")];
        assert_eq!(code(&md5, b"hallo").await, ErrorCode::Md5Mismatch);
        let crc = [("x-ms-content-crc64", "iJh5CoYUi64=")];
        assert_eq!(code(&crc, b"hallo").await, ErrorCode::Crc64Mismatch);
        assert_eq!(code(&[("content-length", "6")], b"hello").await, ErrorCode::InvalidInput);
        assert_eq!(code(&[("content-length", "101")], b"").await, ErrorCode::RequestBodyTooLarge);
        let kept = receiving(&[], b"hello", 5).unwrap().keeping_md5(Some([7; 16]));
        assert_eq!(receive(kept).await.unwrap_err().code, ErrorCode::Md5Mismatch);
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
        let body = receiving(&[], b"hello", 4).unwrap();
        assert_eq!(receive(body).await.unwrap_err().code, ErrorCode::RequestBodyTooLarge);
    }

    #[tokio::test]
    async fn a_structured_body_counts_by_its_data() {
        let framed = [
            ("x-ms-structured-body", "XSM/1.0; properties=crc64"),
            ("x-ms-structured-content-length", "5"),
            ("content-length", "44"),
        ];
        let (data, received) = receive(receiving(&framed, HELLO, 5).unwrap()).await.unwrap();
        assert_eq!(data, b"hello");
        assert_eq!(received.structured.as_deref(), Some("XSM/1.0; properties=crc64"));
        let cut = HELLO.split_at(40).0;
        assert_eq!(
            receive(receiving(&framed, cut, 5).unwrap()).await.unwrap_err().code,
            ErrorCode::InvalidInput
        );
        let one = [framed[0], ("x-ms-structured-content-length", "4")];
        assert_eq!(code(&one, HELLO).await, ErrorCode::InvalidInput);
        assert_eq!(code(&framed[..1], HELLO).await, ErrorCode::MissingRequiredHeader);
        let both = [framed[0], framed[1], ("x-ms-content-crc64", "iJh5CoYUi64=")];
        assert_eq!(code(&both, HELLO).await, ErrorCode::InvalidHeaderValue);
    }
}
