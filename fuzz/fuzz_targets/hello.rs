//! TLS ClientHellos, in pieces.
#![no_main]

#[path = "../../proxy/tests/fuzzed/mod.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::hello(data));
