//! Documents of stored access policies.
//!
//! Whatever the bytes, the parser answers; it never panics, hangs or eats memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::policies(data));
