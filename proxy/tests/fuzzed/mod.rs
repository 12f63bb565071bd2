//! What the fuzz targets check, one function each, so that `corpus.rs` replays what they found on
//! stable.

use windrose_proxy::proxy_protocol::{HeaderReader, MAX_HEADER};
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

/// A PROXY header means the same in whatever pieces it comes, and ends at the same octet; nothing
/// beyond the bound is taken.
#[allow(unreachable_pub, reason = "shared with the fuzz targets")]
pub fn proxy_header(data: &[u8]) {
    let Some((piece, octets)) = data.split_first() else {
        return;
    };
    let (taken, whole) = HeaderReader::default().read(octets);
    assert!(taken <= octets.len().min(MAX_HEADER));
    let mut reader = HeaderReader::default();
    let mut taken_apart = 0;
    let apart = octets.chunks(usize::from(*piece).max(1)).find_map(|piece| {
        let (taken, end) = reader.read(piece);
        taken_apart += taken;
        assert!(end.is_some() || taken == piece.len());
        end
    });
    assert_eq!(whole, apart, "in pieces of {piece}");
    if let Some(Ok(header)) = whole {
        assert_eq!(taken, taken_apart, "in pieces of {piece}");
        // Nothing that was not taken had a part in it.
        let (again, same) = HeaderReader::default().read(&octets[..taken]);
        assert_eq!((again, same), (taken, Some(Ok(header))));
    }
}
