//! Sizes, flags and options of EDNS, read by both paths.
#![no_main]

#[path = "../../dns/tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../dns/tests/world/mod.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::edns(data));
