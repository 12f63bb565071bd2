//! Section 5: streams and their states.

use super::*;
use crate::support::frames::*;

#[test]
fn a_stream_takes_what_its_state_allows() {
    let data = frame(DATA, END_STREAM, 1, b"a");
    let get = request(1, &[]);
    let post = upload(1, &[]);
    let again = request(1, &[]);
    let tail = frame(CONTINUATION, END_HEADERS, 1, &[]);
    let closed = &[
        Stream(STREAM_CLOSED),
        Connection(STREAM_CLOSED),
        Connection(PROTOCOL),
    ];
    check(vec![
        case("5.1", "idle: DATA", &[&data], &[Connection(PROTOCOL)]),
        case(
            "5.1",
            "idle: RST_STREAM",
            &[&reset(1, 8)],
            &[Connection(PROTOCOL)],
        ),
        case(
            "5.1",
            "idle: WINDOW_UPDATE",
            &[&window_update(1, 100)],
            &[Connection(PROTOCOL)],
        ),
        case(
            "5.1",
            "idle: CONTINUATION",
            &[&tail],
            &[Connection(PROTOCOL)],
        ),
        case(
            "5.1",
            "idle: PRIORITY is ignored",
            &[&frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])],
            &[Nothing],
        ),
        case("5.1", "half-closed: DATA", &[&get, &data], closed),
        case("5.1", "half-closed: HEADERS", &[&get, &again], closed),
        case("5.1", "half-closed: CONTINUATION", &[&get, &tail], closed),
        case(
            "5.1",
            "half-closed: WINDOW_UPDATE",
            &[&get, &window_update(1, 9)],
            &[Response(200)],
        ),
        case(
            "5.1",
            "half-closed: PRIORITY",
            &[&get, &frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 9])],
            &[Response(200)],
        ),
        case(
            "5.1",
            "closed by RST_STREAM: DATA",
            &[&post, &reset(1, 8), &data],
            closed,
        ),
        case(
            "5.1",
            "closed by RST_STREAM: HEADERS",
            &[&post, &reset(1, 8), &again],
            closed,
        ),
        case(
            "5.1",
            "closed by RST_STREAM: CONTINUATION",
            &[&post, &reset(1, 8), &tail],
            closed,
        ),
        case(
            "5.1",
            "closed by RST_STREAM: WINDOW_UPDATE",
            &[&post, &reset(1, 8), &window_update(1, 9)],
            &[Nothing],
        ),
        case(
            "5.1.1",
            "a number that is even",
            &[&request(2, &[])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "5.1.1",
            "a number below one that was used",
            &[&upload(5, &[]), &request(3, &[])],
            &[Connection(PROTOCOL), Connection(STREAM_CLOSED)],
        ),
        case(
            "5.3.1",
            "HEADERS that depend on themselves",
            &[&frame(
                HEADERS,
                ALL | PRIORITIZED,
                1,
                &[&[0, 0, 0, 1, 0][..], &head("GET", &[])].concat(),
            )],
            &[Stream(PROTOCOL), Connection(PROTOCOL)],
        ),
        case(
            "5.3.1",
            "PRIORITY that depends on itself",
            &[&get, &frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0])],
            &[Stream(PROTOCOL), Connection(PROTOCOL), Response(200)],
        ),
        case(
            "5.3.2",
            "HEADERS with a priority",
            &[&frame(
                HEADERS,
                ALL | PRIORITIZED,
                1,
                &[&[0, 0, 0, 3, 0][..], &head("GET", &[])].concat(),
            )],
            &[Response(200)],
        ),
        case(
            "5.4.1",
            "a connection error ends the connection",
            &[&frame(PING, 0, 3, &[0; 8])],
            &[Connection(PROTOCOL)],
        ),
    ]);
}

#[test]
fn more_streams_than_announced_are_refused_or_a_fault() {
    let mut sent = Vec::new();
    for number in 0..101 {
        sent.extend(upload(2 * number + 1, &[]));
    }
    check(vec![case(
        "5.1.2",
        "streams beyond the limit",
        &[&sent],
        &[Stream(REFUSED), Connection(PROTOCOL), Stream(PROTOCOL)],
    )]);
}
