//! RFC 7541: the compression of heads.

use super::*;
use crate::support::frames::*;

/// A request whose block ends so.
fn with(end: &[u8]) -> Vec<u8> {
    frame(HEADERS, ALL, 1, &[&head("GET", &[])[..], end].concat())
}

#[test]
fn heads_are_decompressed_as_rfc_7541_says() {
    let fault = &[Connection(COMPRESSION), Connection(PROTOCOL)];
    // `:method GET`, `:scheme http`, `:path /` and the name of `:authority` are in the table.
    let indexed = [&[0x82, 0x86, 0x84, 0x41, 8][..], b"app.test"].concat();
    let compressed = [
        &[0x82, 0x86, 0x84, 0x41, 0x86][..],
        &[0x1d, 0x75, 0xf4, 0x98, 0x5b, 0x7f],
    ]
    .concat();
    let first = frame(HEADERS, ALL, 1, &with_indexing("x-a", "b"));
    let second = frame(HEADERS, ALL, 3, &[&indexed[..], &[0xbf]].concat());
    let small = [0x3f, 0xe1, 0x1f];
    let mut cases = vec![
        case(
            "2.3.3",
            "an index beyond both tables",
            &[&with(&[0xfe])],
            fault,
        ),
        case(
            "2.3.3",
            "a name's index beyond both tables",
            &[&with(&[0x7e, 1, b'a'])],
            fault,
        ),
        case(
            "2.3.2",
            "what was indexed is there again",
            &[&first, &second],
            &[Response(200)],
        ),
        case(
            "4.2",
            "the size of the table within a block",
            &[&with(&[0x20])],
            fault,
        ),
        case(
            "5.1",
            "a number that never ends",
            &[&with(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
            fault,
        ),
        case(
            "5.2",
            "a text longer than its block",
            &[&with(&[0, 1, b'a', 9, b'b'])],
            fault,
        ),
        case(
            "5.2",
            "a compressed text padded with more than 7 bits",
            &[&with(&[0, 1, b'a', 0x82, 0xf8, 0xff])],
            fault,
        ),
        case(
            "5.2",
            "a compressed text padded with zeros",
            &[&with(&[0, 1, b'a', 0x81, 0x18])],
            fault,
        ),
        case(
            "5.2",
            "the end of texts within a text",
            &[&with(&[0, 1, b'a', 0x84, 0xff, 0xff, 0xff, 0xff])],
            fault,
        ),
        case("6.1", "index 0", &[&with(&[0x80])], fault),
        case(
            "6.1",
            "fields of the table",
            &[&frame(HEADERS, ALL, 1, &indexed)],
            &[Response(200)],
        ),
        case(
            "6.3",
            "a table larger than announced",
            &[&frame(
                HEADERS,
                ALL,
                1,
                &[&[0x3f, 0xe2, 0x1f][..], &indexed].concat(),
            )],
            fault,
        ),
        case(
            "6.3",
            "the table at its size, at the beginning",
            &[&frame(HEADERS, ALL, 1, &[&small[..], &indexed].concat())],
            &[Response(200)],
        ),
        case(
            "6.3",
            "no table at all",
            &[&frame(HEADERS, ALL, 1, &[&[0x20][..], &indexed].concat())],
            &[Response(200)],
        ),
    ];
    // A host that nobody has, should the text be read otherwise than it was written.
    cases.push(case(
        "5.2",
        "a compressed text",
        &[&frame(HEADERS, ALL, 1, &compressed)],
        &[Response(200), Response(404), Response(400)],
    ));
    check(cases);
}

/// A request with a field that the table is to remember (section 6.2.1).
fn with_indexing(name: &str, value: &str) -> Vec<u8> {
    let mut block = head("GET", &[]);
    block.extend([0x40, name.len() as u8]);
    block.extend(name.as_bytes());
    block.push(value.len() as u8);
    block.extend(value.as_bytes());
    block
}
