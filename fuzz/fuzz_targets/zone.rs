//! Master files.
#![no_main]

#[path = "../../config/tests/fuzzed/mod.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::zone(data));
