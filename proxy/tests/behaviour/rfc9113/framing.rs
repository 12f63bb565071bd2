//! Sections 4 and 6: frames and their fields.

use super::*;
use crate::support::frames::*;

#[test]
fn frames_are_read_as_section_4_says() {
    let get = request(1, &[]);
    let big = vec![0; 16_385];
    let mut reserved = request(1, &[]);
    reserved[5] |= 0x80;
    let split = frame(HEADERS, END_STREAM, 1, &head("GET", &[]));
    check(vec![
        case(
            "4.1",
            "a frame of an unknown kind is ignored",
            &[&frame(22, 0, 0, &[0; 8]), &get],
            &[Response(200)],
        ),
        case(
            "4.1",
            "flags that mean nothing are ignored",
            &[&frame(PING, 0x16, 0, &[0; 8])],
            &[Nothing],
        ),
        case(
            "4.1",
            "the reserved bit of a stream's number is ignored",
            &[&reserved],
            &[Response(200)],
        ),
        case(
            "4.2",
            "DATA beyond the largest frame",
            &[&upload(1, &[]), &frame(DATA, 1, 1, &big)],
            &[Stream(FRAME_SIZE), Connection(FRAME_SIZE)],
        ),
        case(
            "4.2",
            "HEADERS beyond the largest frame",
            &[&frame(HEADERS, ALL, 1, &big)],
            &[Connection(FRAME_SIZE)],
        ),
        case(
            "4.3",
            "a block that is cut short",
            &[&frame(HEADERS, ALL, 1, &[0x40])],
            &[Connection(COMPRESSION), Connection(PROTOCOL)],
        ),
        case(
            "4.3",
            "PRIORITY within a block",
            &[&split, &frame(PRIORITY, 0, 1, &[0; 5])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "4.3",
            "HEADERS of another stream within a block",
            &[&split, &request(3, &[])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "5.5",
            "an unknown frame within a block",
            &[&split, &frame(22, 0, 1, &[0; 8])],
            &[Connection(PROTOCOL)],
        ),
    ]);
}

#[test]
fn frames_that_carry_messages_keep_to_section_6() {
    let post = upload(1, &[]);
    let split = frame(HEADERS, END_STREAM, 1, &head("GET", &[]));
    let tail = frame(CONTINUATION, END_HEADERS, 1, &block(&[("x-a", "b")]));
    let more = frame(CONTINUATION, 0, 1, &block(&[("x-a", "b")]));
    let padded = [&[4][..], &head("GET", &[]), &[0; 4]].concat();
    check(vec![
        case(
            "6.1",
            "DATA of no stream",
            &[&post, &frame(DATA, 1, 0, b"a")],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.1",
            "padding longer than its frame",
            &[&post, &frame(DATA, PADDED | 1, 1, &[9, b'a', 0])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.1",
            "DATA with padding",
            &[&post, &frame(DATA, PADDED | 1, 1, &[2, b'a', 0, 0])],
            &[Response(200)],
        ),
        case(
            "6.2",
            "HEADERS of no stream",
            &[&frame(HEADERS, ALL, 0, &head("GET", &[]))],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.2",
            "padding longer than its block",
            &[&frame(HEADERS, ALL | PADDED, 1, &[200, 0x82])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.2",
            "HEADERS with padding",
            &[&frame(HEADERS, ALL | PADDED, 1, &padded)],
            &[Response(200)],
        ),
        case(
            "6.3",
            "PRIORITY of no stream",
            &[&frame(PRIORITY, 0, 0, &[0; 5])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.3",
            "PRIORITY of another length",
            &[&request(1, &[]), &frame(PRIORITY, 0, 1, &[0; 4])],
            &[
                Stream(FRAME_SIZE),
                Connection(FRAME_SIZE),
                Connection(PROTOCOL),
            ],
        ),
        case(
            "6.4",
            "RST_STREAM of no stream",
            &[&reset(0, 8)],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.4",
            "RST_STREAM of a stream that never was",
            &[&reset(1, 8)],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.4",
            "RST_STREAM of another length",
            &[&post, &frame(RST_STREAM, 0, 1, &[0; 3])],
            &[Connection(FRAME_SIZE), Connection(PROTOCOL)],
        ),
        case(
            "6.6",
            "PUSH_PROMISE from a client",
            &[&frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.10",
            "a block in many frames",
            &[&split, &more, &more, &more, &tail],
            &[Response(200)],
        ),
        case(
            "6.10",
            "CONTINUATION behind the end of a block",
            &[&split, &tail, &tail],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.10",
            "CONTINUATION of no stream",
            &[&split, &frame(CONTINUATION, END_HEADERS, 0, &[])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.10",
            "CONTINUATION of another stream",
            &[&split, &frame(CONTINUATION, END_HEADERS, 3, &[])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.10",
            "CONTINUATION behind DATA",
            &[&post, &frame(DATA, 1, 1, b"a"), &tail],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.10",
            "CONTINUATION before anything",
            &[&tail],
            &[Connection(PROTOCOL)],
        ),
    ]);
}

#[test]
fn frames_of_the_connection_keep_to_section_6() {
    let get = request(1, &[]);
    let ping = |flags, stream, length| frame(PING, flags, stream, &[0; 8][..length]);
    let nothing = &[Nothing];
    check(vec![
        case(
            "6.5",
            "SETTINGS that acknowledge and say something",
            &[&frame(SETTINGS, ACK, 0, &[0; 6])],
            &[Connection(FRAME_SIZE), Connection(PROTOCOL)],
        ),
        case(
            "6.5",
            "SETTINGS of a stream",
            &[&frame(SETTINGS, 0, 1, &[])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.5",
            "SETTINGS that do not come in sixes",
            &[&frame(SETTINGS, 0, 0, &[0; 5])],
            &[Connection(FRAME_SIZE), Connection(PROTOCOL)],
        ),
        case(
            "6.5.2",
            "ENABLE_PUSH neither 0 nor 1",
            &[&settings(&[(2, 2)])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.5.2",
            "INITIAL_WINDOW_SIZE too large",
            &[&settings(&[(4, 1 << 31)])],
            &[Connection(FLOW_CONTROL), Connection(PROTOCOL)],
        ),
        case(
            "6.5.2",
            "MAX_FRAME_SIZE too small",
            &[&settings(&[(5, 16_383)])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.5.2",
            "MAX_FRAME_SIZE too large",
            &[&settings(&[(5, 1 << 24)])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.5.2",
            "an unknown setting is ignored",
            &[&settings(&[(0xff, 1)]), &get],
            &[Response(200)],
        ),
        case(
            "6.5.3",
            "an acknowledgement of nothing",
            &[&frame(SETTINGS, ACK, 0, &[])],
            &[Connection(PROTOCOL), Nothing],
        ),
        case("6.7", "PING is answered", &[&ping(0, 0, 8)], nothing),
        case(
            "6.7",
            "an answer to no PING is ignored",
            &[&ping(ACK, 0, 8)],
            nothing,
        ),
        case(
            "6.7",
            "PING of a stream",
            &[&ping(0, 1, 8)],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.7",
            "PING of another length",
            &[&ping(0, 0, 6)],
            &[Connection(FRAME_SIZE), Connection(PROTOCOL)],
        ),
        case(
            "6.8",
            "GOAWAY of a stream",
            &[&frame(GOAWAY, 0, 1, &[0; 8])],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.8",
            "after GOAWAY of the client its streams are finished",
            &[&get, &frame(GOAWAY, 0, 0, &[0; 8])],
            &[Response(200)],
        ),
        case(
            "6.9",
            "WINDOW_UPDATE by nothing, of the connection",
            &[&window_update(0, 0)],
            &[Connection(PROTOCOL)],
        ),
        case(
            "6.9",
            "WINDOW_UPDATE by nothing, of a stream",
            &[&upload(1, &[]), &window_update(1, 0)],
            &[Stream(PROTOCOL), Connection(PROTOCOL)],
        ),
        case(
            "6.9",
            "WINDOW_UPDATE of another length",
            &[&frame(WINDOW_UPDATE, 0, 0, &[0; 3])],
            &[Connection(FRAME_SIZE), Connection(PROTOCOL)],
        ),
        case(
            "6.9.1",
            "a window of the connection too large",
            &[&window_update(0, 0x7fff_ffff)],
            &[Connection(FLOW_CONTROL)],
        ),
        case(
            "6.9.1",
            "a window of a stream too large",
            &[&upload(1, &[]), &window_update(1, 0x7fff_ffff)],
            &[Stream(FLOW_CONTROL), Connection(FLOW_CONTROL)],
        ),
        case(
            "6.9.2",
            "settings that make a window too large",
            &[
                &upload(1, &[]),
                &window_update(1, 0x7fff_0000),
                &settings(&[(4, 0x7fff_ffff)]),
            ],
            &[Connection(FLOW_CONTROL)],
        ),
        case(
            "7",
            "RST_STREAM with an unknown code",
            &[&upload(1, &[]), &reset(1, 0xff)],
            nothing,
        ),
        case(
            "7",
            "GOAWAY with an unknown code",
            &[&frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 0xff])],
            &[Connection(NO_ERROR), Connection(0xff), End, Nothing],
        ),
    ]);
}
