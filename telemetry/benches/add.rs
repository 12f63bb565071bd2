//! What one addition costs: `cargo bench -p windrose-telemetry`.
#![allow(clippy::print_stdout, reason = "a bench prints its numbers")]

use std::hint::black_box;
use std::time::Instant;

use windrose_telemetry::{Bank, Metrics};

const TURNS: u32 = 20_000_000;

fn main() {
    let bank = Bank::new(32);
    let local = bank.local();
    measure("the loop itself", |i| {
        black_box((black_box(i & 63), black_box(6)));
    });
    measure("add, one cell", |_| {
        local.add(black_box(7), black_box(6), 1)
    });
    measure("add, 64 slots in turn", |i| {
        local.add(black_box(i & 63), black_box(6), 1)
    });
    let durations = Metrics::new().http_duration.local();
    measure("record a duration", |i| {
        durations.record(
            black_box(i & 63),
            std::time::Duration::from_micros(u64::from(i & 0xffff)),
        );
    });
}

fn measure(what: &str, turn: impl Fn(u32)) {
    (0..1_000).for_each(&turn);
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        (0..TURNS).for_each(&turn);
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(TURNS));
    }
    println!("{what}: {best:.2} ns (best of 5)");
}
