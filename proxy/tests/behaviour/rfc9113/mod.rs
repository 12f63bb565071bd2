//! What RFC 9113 and RFC 7541 ask of a server, section by section: frames that a client sends, and how
//! we must react.

mod compression;
mod framing;
mod messages;
mod streams;

use crate::support::Node;
use crate::support::backend::Backend;
use crate::support::frames::{
    GOAWAY, HEADERS, PING, RST_STREAM, Raw, SETTINGS, frame, request, window_update,
};
use crate::support::run;

const NO_ERROR: u32 = 0;
const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const REFUSED: u32 = 7;
const COMPRESSION: u32 = 9;

/// A reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// RST_STREAM with this code. Where a stream error is due, a connection error will do as well.
    Stream(u32),
    /// GOAWAY with this code, then the end.
    Connection(u32),
    /// The end without a word.
    End,
    /// A response with this status.
    Response(u16),
    /// Nothing, and the connection goes on.
    Nothing,
}
use Seen::{Connection, End, Nothing, Response, Stream};

/// What is sent once settings are exchanged, and the reactions that are right.
struct Case {
    section: &'static str,
    what: &'static str,
    sent: Vec<u8>,
    right: Vec<Seen>,
}

fn case(section: &'static str, what: &'static str, sent: &[&[u8]], right: &[Seen]) -> Case {
    Case {
        section,
        what,
        sent: sent.concat(),
        right: right.to_vec(),
    }
}

/// Marks the end of what is sent: a PING with these octets is answered if all before it was taken.
const MARK: &[u8; 8] = b"the mark";

/// Holds every case against a node, each over a connection of its own.
fn check(cases: Vec<Case>) {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        let mut wrong = Vec::new();
        for case in cases {
            let mut raw = Raw::connect(node.address).await;
            let sent = [&case.sent[..], &frame(PING, 0, 0, MARK)].concat();
            raw.try_write(&sent).await;
            let seen = reaction(&mut raw).await;
            if !case.right.contains(&seen) {
                let Case {
                    section,
                    what,
                    right,
                    ..
                } = case;
                wrong.push(format!("{section} {what}: {seen:?}, not {right:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(node.get("/").await.status, 200);
    });
}

/// The first reaction of weight. The mark alone is none if a response is still to come.
async fn reaction(raw: &mut Raw) -> Seen {
    let mut marked = false;
    loop {
        let frame =
            match tokio::time::timeout(std::time::Duration::from_millis(200), raw.next()).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return End,
                Err(_) if marked => return Nothing,
                Err(_) => continue,
            };
        match frame.kind {
            GOAWAY => {
                let code = frame.code();
                while raw.next().await.is_some() {}
                return Connection(code);
            }
            RST_STREAM => return Stream(frame.code()),
            HEADERS => return Response(status(&frame.payload)),
            PING if frame.payload == MARK => marked = true,
            _ => {}
        }
    }
}

/// `:status` comes first, from the static table or as a literal of three digits after its name's index.
fn status(block: &[u8]) -> u16 {
    const KNOWN: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    // A table that was made smaller is told first (RFC 7541 section 4.2).
    let from = block.iter().position(|b| b & 0xe0 != 0x20).unwrap();
    match block[from] {
        indexed @ 0x88..=0x8e => KNOWN[usize::from(indexed - 0x88)],
        _ => match &block[from + 1..] {
            // Three digits, compressed (RFC 7541 appendix B): 4 and 5 begin with 011010 and 011011.
            [_, first, ..] if first >> 2 == 0b01_1010 => 499,
            [_, first, ..] if first >> 2 == 0b01_1011 => 599,
            other => panic!("no status: {other:?}"),
        },
    }
}

#[test]
fn a_connection_begins_with_the_preface_and_settings() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = Node::before(&backend);
        // 3.4: what only begins like it is no HTTP/2, and no HTTP/1.1 either.
        let mut raw = Raw::bare(node.address).await;
        raw.write(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n").await;
        assert_eq!(raw.next().await, None);
        // 3.4: no other frame before SETTINGS of the client. Ours come unasked.
        let mut raw = Raw::bare(node.address).await;
        raw.write(crate::support::frames::PREFACE).await;
        let ours = raw.next().await.unwrap();
        assert_eq!((ours.kind, ours.flags, ours.stream), (SETTINGS, 0, 0));
        // 6.5.2: streams are limited, heads are limited, and settings come in sixes.
        let ids: Vec<_> = ours.payload.chunks(6).map(|s| s[1]).collect();
        assert!(ids.contains(&3) && ids.contains(&6), "{ids:?}");
        // 6.5.3: settings are acknowledged, and applied in order before that.
        let twice = crate::support::frames::settings(&[(4, 1), (4, 3)]);
        raw.write(&[&twice[..], &request(1, &[])].concat()).await;
        let acknowledged = raw.until(SETTINGS).await.unwrap();
        assert_eq!((acknowledged.flags, acknowledged.payload.len()), (1, 0));
        let data = raw.until(0).await.unwrap();
        assert_eq!(data.payload.len(), 3, "as much as the second value allows");
        // 6.9.2: a window that became negative stays shut until it is positive.
        raw.write(&crate::support::frames::settings(&[(4, 1)]))
            .await;
        raw.until(SETTINGS).await.unwrap();
        raw.write(&[&window_update(1, 2)[..], &frame(PING, 0, 0, MARK)].concat())
            .await;
        assert_eq!(raw.next().await.unwrap().kind, PING, "and no DATA");
        raw.write(&window_update(1, 5)).await;
        assert_eq!(raw.until(0).await.unwrap().payload.len(), 5);
    });
}
