//! What the fuzz targets check, one function each, so that `corpus.rs` replays what they found on
//! stable.

use windrose_proxy::sni::{Hello, HelloReader};

/// A ClientHello means the same in whatever pieces it comes; what it names could be a host.
#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
pub fn hello(data: &[u8]) {
    let Some((piece, octets)) = data.split_first() else {
        return;
    };
    let whole = HelloReader::default().read(octets);
    let mut reader = HelloReader::default();
    let pieces = octets.chunks(usize::from(*piece).max(1));
    let apart = pieces.into_iter().find_map(|piece| reader.read(piece));
    assert_eq!(whole, apart, "in pieces of {piece}");
    if let Some(Hello::Tls(Some(name))) = whole {
        assert!((1..=255).contains(&name.len()), "{name:?}");
        assert!(name.is_ascii(), "{name:?}");
        assert!(!name.bytes().any(|b| b.is_ascii_uppercase()), "{name:?}");
    }
}
