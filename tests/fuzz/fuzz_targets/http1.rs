//! The framing of HTTP/1.1: heads and bodies of requests, one behind the other.
//!
//! Whatever the bytes, the parsers answer; they never panic, hang or eat memory. And what they make of them does not
//! depend on the pieces in which they came: two readings of the same bytes are how requests are smuggled. The two files
//! are the server's own, which has no library that a fuzzer could call.
#![no_main]

use bytes::BytesMut;
use decoder::{Decoded, Decoder};
use head::HeadReader;

#[path = "../../../src/listener/http1/decoder.rs"]
mod decoder;
#[path = "../../../src/listener/http1/head.rs"]
mod head;

/// What is read of the bytes when they come in pieces of so many.
fn read(data: &[u8], piece: usize) -> Vec<String> {
    let (mut input, mut heads, mut said) = (BytesMut::new(), HeadReader::default(), Vec::new());
    let (mut body, mut content) = (None::<Decoder>, Vec::new());
    for part in data.chunks(piece) {
        input.extend_from_slice(part);
        loop {
            let Some(decoder) = &mut body else {
                match heads.read(&mut input) {
                    Ok(None) => break,
                    Ok(Some(head)) => {
                        body = Some(Decoder::new(head.coming));
                        let head::Head { request, coming, keeps, awaits_word } = head;
                        said.push(format!("{request:?} {coming:?} {keeps} {awaits_word}"));
                    }
                    Err(refusal) => {
                        said.push(format!("{refusal:?} {}", refusal.0));
                        return said;
                    }
                }
                continue;
            };
            assert!(decoder.awaited() > 0 || decoder.is_over(), "a body that awaits nothing is over");
            match decoder.decode(&mut input) {
                Ok(Decoded::More) => break,
                Ok(Decoded::Data(bytes)) => content.extend_from_slice(&bytes),
                Ok(Decoded::End) => {
                    assert_eq!((decoder.is_over(), decoder.left()), (true, Some(0)));
                    said.push(format!("{:?}", std::mem::take(&mut content)));
                    body = None;
                }
                Err(malformed) => {
                    said.push(format!("{malformed} behind {content:?}"));
                    return said;
                }
            }
        }
    }
    said
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let piece = data.first().map_or(1, |byte| usize::from(byte % 32) + 1);
    // So that a head that is refused only when it is whole is whole.
    let data = [data, b"\r\n\r\n"].concat();
    assert_eq!(read(&data, data.len()), read(&data, piece));
});
