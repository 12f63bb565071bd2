//! Data of the client subnet option.
#![no_main]

#[path = "../../dns/tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../dns/tests/world/mod.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::subnet(data));
