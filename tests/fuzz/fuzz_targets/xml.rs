//! XML bodies: block lists, service properties, access policies, tags, messages.
//!
//! Whatever the bytes, the parser answers; it never panics, hangs or eats memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::xml(data));
