//! Shared access signatures: paths, fields, and what is behind one that holds.
//!
//! Whatever the bytes, the parser answers; it never panics, hangs or eats memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::sas(data));
