//! The multipart body of a batch; the boundary is the first line's.
//!
//! Whatever the bytes, the parser answers; it never panics, hangs or eats memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::batch(data));
