//! Arbitrary octets to the DNS answerer: the fast path, and the slow path as a second opinion.
#![no_main]

#[path = "../../dns/tests/world/mod.rs"]
mod world;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use windrose_dns::{Scratch, Transport, respond, respond_slowly};
use windrose_routing::Table;

static TABLE: LazyLock<Table> = LazyLock::new(world::table);

fuzz_target!(|data: &[u8]| {
    let source = world::ip("10.1.2.3");
    let mut out = [0; 65_535];
    let mut scratch = Scratch::new();
    for (transport, most) in [(Transport::Udp, 1_232), (Transport::Tcp, 65_535)] {
        let asked = world::asked(source, 1, transport);
        let fast = respond(&TABLE, data, &mut scratch, &asked, &mut out);
        if let Some(reply) = fast {
            assert!((12..=most).contains(&reply.len));
            assert_eq!(out[..2], data[..2]);
        }
        let slow = respond_slowly(&TABLE, data, &asked, &mut out);
        assert_eq!(fast.is_some(), slow.is_some());
        if let Some(reply) = slow {
            assert!((12..=most).contains(&reply.len));
        }
    }
});
