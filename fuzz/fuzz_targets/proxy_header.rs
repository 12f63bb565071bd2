//! PROXY headers, in pieces.
#![no_main]

#[path = "../../proxy/tests/fuzzed/mod.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::proxy_header(data));
