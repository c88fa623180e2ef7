//! The request target and the `Host` header, separated by a line break: service, account, resource, query.
//!
//! Whatever the bytes, the parser answers; it never panics, hangs or eats memory.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::fuzz::target(data));
