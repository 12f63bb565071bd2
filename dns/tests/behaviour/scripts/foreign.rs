//! ALIAS: addresses of another name under a name of ours.

use windrose_model::{DnsName, RData, RrSet, Ttl};

use super::play::play;
use crate::world::{draft, table_of};

fn aliases() -> windrose_routing::Table {
    let name = |text: &str| DnsName::parse(text).unwrap();
    let mut draft = draft();
    let zone = draft.zones.get_mut(&name("example.com")).unwrap();
    let mut alias = |owner: &str, seconds: u32, target: &str| {
        let set = RrSet::single(Ttl::new(seconds).unwrap(), &RData::alias(&name(target)));
        zone.records.insert(name(owner), set);
    };
    alias("out.example.com", 60, "cdn.example.org");
    alias("longer.example.com", 600, "cdn.example.org");
    alias("unknown.example.com", 60, "nobody.example.org");
    alias("steered.example.com", 600, "shop.example.com");
    alias("static.example.com", 60, "www.example.com");
    alias("behind.example.com", 600, "outside-too.example.com");
    alias("outside-too.example.com", 30, "cdn.example.org");
    alias("missing.example.com", 60, "nothing.example.com");
    alias("ring-a.example.com", 60, "ring-b.example.com");
    alias("ring-b.example.com", 60, "ring-a.example.com");
    table_of(draft, &[])
}

#[test]
fn a_foreign_name_is_answered_as_it_was_resolved_under_our_own() {
    play(
        &aliases(),
        "
        # No CNAME is shown: the owner may be an apex (RFC 1034 section 3.6.2). The TTL is the least
        # of the record's and of what was resolved.
        ? Out.example.com A
        NOERROR aa rd Out.example.com. A
        Out.example.com. 60 A 203.0.113.1
        Out.example.com. 60 A 203.0.113.2
        ? longer.example.com A
        NOERROR aa rd longer.example.com. A
        longer.example.com. 120 A 203.0.113.1
        longer.example.com. 120 A 203.0.113.2
        # It has no IPv6 address, and no other types.
        ? out.example.com AAAA
        NOERROR aa rd out.example.com. AAAA
        authority example.com. 60 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? out.example.com TXT
        NOERROR aa rd out.example.com. TXT
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        # What was never resolved is a failure, not an empty answer that would be remembered.
        ? unknown.example.com A
        SERVFAIL rd unknown.example.com. A
        ? unknown.example.com TXT
        NOERROR aa rd unknown.example.com. TXT
        authority example.com. 300 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ",
    );
}

#[test]
fn a_name_of_ours_is_followed_in_the_table() {
    play(
        &aliases(),
        "
        ? steered.example.com A from=10.9.9.9
        NOERROR aa rd steered.example.com. A
        steered.example.com. 30 A 192.0.2.1
        ? static.example.com AAAA
        NOERROR aa rd static.example.com. AAAA
        static.example.com. 60 AAAA 2001:db8::80
        ? behind.example.com A
        NOERROR aa rd behind.example.com. A
        behind.example.com. 30 A 203.0.113.1
        behind.example.com. 30 A 203.0.113.2
        ? missing.example.com A
        NOERROR aa rd missing.example.com. A
        authority example.com. 60 SOA ns1.example.net. hostmaster.example.net. 7 3600 600 604800 300
        ? ring-a.example.com A
        SERVFAIL rd ring-a.example.com. A
        ",
    );
}
