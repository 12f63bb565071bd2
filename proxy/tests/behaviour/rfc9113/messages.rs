//! Section 8: HTTP in frames.

use super::*;
use crate::support::HOST;
use crate::support::frames::*;

const MALFORMED: &[Seen] = &[Stream(PROTOCOL), Connection(PROTOCOL), Response(400)];

/// A request of just these fields.
fn of(fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, ALL, 1, &block(fields))
}

#[test]
fn fields_keep_to_section_8_2() {
    let with = |name, value| request(1, &[(name, value)]);
    let malformed = |section, what, field: (&'static str, &'static str)| {
        case(section, what, &[&with(field.0, field.1)], MALFORMED)
    };
    check(vec![
        malformed("8.2.1", "a capital in a name", ("X-Test", "ok")),
        malformed("8.2.1", "a space in a name", ("x test", "ok")),
        malformed("8.2.1", "a colon in a name", ("x:test", "ok")),
        malformed("8.2.1", "a control in a name", ("x\ttest", "ok")),
        malformed(
            "8.2.1",
            "an octet beyond ASCII in a name",
            ("x-\u{e9}", "ok"),
        ),
        malformed("8.2.1", "a name of no octet", ("", "ok")),
        malformed("8.2.1", "NUL in a value", ("x-test", "o\0k")),
        malformed("8.2.1", "CR in a value", ("x-test", "o\rk")),
        malformed("8.2.1", "LF in a value", ("x-test", "ok\nhost: evil")),
        malformed("8.2.1", "a space before a value", ("x-test", " ok")),
        malformed("8.2.1", "a tab behind a value", ("x-test", "ok\t")),
        malformed("8.2.2", "connection", ("connection", "keep-alive")),
        malformed("8.2.2", "keep-alive", ("keep-alive", "timeout=5")),
        malformed(
            "8.2.2",
            "proxy-connection",
            ("proxy-connection", "keep-alive"),
        ),
        malformed(
            "8.2.2",
            "transfer-encoding",
            ("transfer-encoding", "chunked"),
        ),
        malformed("8.2.2", "upgrade", ("upgrade", "websocket")),
        malformed("8.2.2", "te that is not trailers", ("te", "gzip")),
        malformed(
            "8.2.2",
            "te with trailers and more",
            ("te", "trailers, deflate;q=0.5"),
        ),
        case(
            "8.2.2",
            "te: trailers",
            &[&with("te", "trailers")],
            &[Response(200)],
        ),
        case(
            "8.2.3",
            "crumbs of a cookie",
            &[&request(1, &[("cookie", "a=b"), ("cookie", "c=d")])],
            &[Response(200)],
        ),
    ]);
}

#[test]
fn control_data_keeps_to_section_8_3() {
    const METHOD: (&str, &str) = (":method", "GET");
    const SCHEME: (&str, &str) = (":scheme", "http");
    const PATH: (&str, &str) = (":path", "/");
    const AUTHORITY: (&str, &str) = (":authority", HOST);
    const FIELD: (&str, &str) = ("x-test", "ok");
    let malformed = |what, fields: &[(&str, &str)]| case("8.3", what, &[&of(fields)], MALFORMED);
    check(vec![
        case(
            "8.3",
            "all four",
            &[&of(&[METHOD, SCHEME, PATH, AUTHORITY])],
            &[Response(200)],
        ),
        case(
            "8.3.1",
            "host in place of :authority",
            &[&of(&[METHOD, SCHEME, PATH, ("host", HOST)])],
            &[Response(200)],
        ),
        malformed(
            "an unknown name",
            &[METHOD, SCHEME, PATH, AUTHORITY, (":test", "ok")],
        ),
        malformed(
            "the name of responses",
            &[METHOD, SCHEME, PATH, AUTHORITY, (":status", "200")],
        ),
        malformed("behind a field", &[METHOD, SCHEME, AUTHORITY, FIELD, PATH]),
        malformed(
            ":protocol, which was not announced",
            &[
                (":method", "CONNECT"),
                SCHEME,
                PATH,
                AUTHORITY,
                (":protocol", "websocket"),
            ],
        ),
        malformed("no :method", &[SCHEME, PATH, AUTHORITY]),
        malformed("no :scheme", &[METHOD, PATH, AUTHORITY]),
        malformed("no :path", &[METHOD, SCHEME, AUTHORITY]),
        malformed(
            "no :path and no :authority",
            &[METHOD, SCHEME, ("host", HOST)],
        ),
        malformed(
            "an empty :path",
            &[METHOD, SCHEME, (":path", ""), AUTHORITY],
        ),
        malformed(
            "a :path without a slash",
            &[METHOD, SCHEME, (":path", "x"), AUTHORITY],
        ),
        malformed(
            "a :path that is a query",
            &[METHOD, SCHEME, (":path", "?x"), AUTHORITY],
        ),
        malformed(
            "a :path that is a URL",
            &[METHOD, SCHEME, (":path", "http://app.test/"), AUTHORITY],
        ),
        malformed(
            "a space in :path",
            &[METHOD, SCHEME, (":path", "/a b"), AUTHORITY],
        ),
        malformed(
            "CR LF in :path",
            &[METHOD, SCHEME, (":path", "/ HTTP/1.1\r\nx: y"), AUTHORITY],
        ),
        malformed(
            "an asterisk with GET",
            &[METHOD, SCHEME, (":path", "*"), AUTHORITY],
        ),
        malformed("two of :method", &[METHOD, METHOD, SCHEME, PATH, AUTHORITY]),
        malformed("two of :scheme", &[METHOD, SCHEME, SCHEME, PATH, AUTHORITY]),
        malformed("two of :path", &[METHOD, SCHEME, PATH, PATH, AUTHORITY]),
        malformed(
            "two of :authority",
            &[METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY],
        ),
        malformed(
            "a method that is no token",
            &[(":method", "GET /x HTTP/1.1"), SCHEME, PATH, AUTHORITY],
        ),
        malformed(
            "an empty method",
            &[(":method", ""), SCHEME, PATH, AUTHORITY],
        ),
        malformed(
            "another scheme",
            &[METHOD, (":scheme", "https"), PATH, AUTHORITY],
        ),
        malformed(
            "a scheme that is none",
            &[METHOD, (":scheme", "h t"), PATH, AUTHORITY],
        ),
        malformed(
            "user information",
            &[METHOD, SCHEME, PATH, (":authority", "u@app.test")],
        ),
        malformed(
            "an authority with a path",
            &[METHOD, SCHEME, PATH, (":authority", "app.test/x")],
        ),
        malformed(
            "an empty authority",
            &[METHOD, SCHEME, PATH, (":authority", "")],
        ),
        malformed("no authority at all", &[METHOD, SCHEME, PATH]),
        malformed(
            "host that disagrees",
            &[METHOD, SCHEME, PATH, AUTHORITY, ("host", "other.test")],
        ),
        malformed(
            "two of host",
            &[
                METHOD,
                SCHEME,
                PATH,
                AUTHORITY,
                ("host", HOST),
                ("host", HOST),
            ],
        ),
        case(
            "8.3.1",
            "an asterisk with OPTIONS",
            &[&of(&[
                (":method", "OPTIONS"),
                SCHEME,
                (":path", "*"),
                AUTHORITY,
            ])],
            &[Response(200)],
        ),
        case(
            "8.5",
            "CONNECT",
            &[&of(&[(":method", "CONNECT"), AUTHORITY])],
            &[Response(499)],
        ),
        case(
            "8.5",
            "CONNECT with a path",
            &[&of(&[(":method", "CONNECT"), SCHEME, PATH, AUTHORITY])],
            MALFORMED,
        ),
    ]);
}

#[test]
fn a_message_is_framed_as_section_8_1_says() {
    let data = |flags, octets: &[u8]| frame(DATA, flags, 1, octets);
    let announced = |length| upload(1, &[("content-length", length)]);
    let trailers = |flags, fields| frame(HEADERS, flags, 1, &block(fields));
    let malformed = MALFORMED;
    check(vec![
        case(
            "8.1",
            "a second HEADERS that is not the end",
            &[&upload(1, &[]), &trailers(END_HEADERS, &[("x-a", "b")])],
            malformed,
        ),
        case(
            "8.1",
            "trailers",
            &[
                &upload(1, &[]),
                &data(0, b"a"),
                &trailers(ALL, &[("x-a", "b")]),
            ],
            &[Response(200)],
        ),
        case(
            "8.1",
            "a field of a connection in trailers",
            &[&upload(1, &[]), &trailers(ALL, &[("connection", "close")])],
            malformed,
        ),
        case(
            "8.1",
            "capitals in trailers",
            &[&upload(1, &[]), &trailers(ALL, &[("X-a", "b")])],
            malformed,
        ),
        case(
            "8.1.1",
            "less data than announced",
            &[&announced("2"), &data(1, b"a")],
            malformed,
        ),
        case(
            "8.1.1",
            "more data than announced",
            &[&announced("1"), &data(1, b"ab")],
            malformed,
        ),
        case(
            "8.1.1",
            "more data than announced, in two",
            &[&announced("1"), &data(0, b"a"), &data(1, b"b")],
            malformed,
        ),
        case(
            "8.1.1",
            "less data than announced, then trailers",
            &[
                &announced("2"),
                &data(0, b"a"),
                &trailers(ALL, &[("x-a", "b")]),
            ],
            malformed,
        ),
        case(
            "8.1.1",
            "a length without data",
            &[&request(1, &[("content-length", "1")])],
            malformed,
        ),
        case(
            "8.1.1",
            "a length that is no number",
            &[&announced("+1"), &data(1, b"a")],
            malformed,
        ),
        case(
            "8.1.1",
            "two lengths",
            &[
                &upload(1, &[("content-length", "1"), ("content-length", "1")]),
                &data(1, b"a"),
            ],
            malformed,
        ),
        case(
            "8.1.1",
            "two lengths that differ",
            &[
                &upload(1, &[("content-length", "1"), ("content-length", "2")]),
                &data(1, b"a"),
            ],
            malformed,
        ),
        case(
            "8.1.1",
            "as much data as announced",
            &[&announced("2"), &data(0, b"a"), &data(1, b"b")],
            &[Response(200)],
        ),
        case(
            "8.4",
            "PUSH_PROMISE from a client",
            &[
                &request(1, &[]),
                &frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]),
            ],
            &[Connection(PROTOCOL)],
        ),
    ]);
}
