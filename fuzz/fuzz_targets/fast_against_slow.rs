//! The fast path against the slow path: same packet, same Table, same draw, same octets.
#![no_main]

#[path = "../../dns/tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../dns/tests/world/mod.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::fast_against_slow(data));
