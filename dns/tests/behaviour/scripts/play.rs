//! Plays a script: what is asked, and the whole response as hickory-proto reads it.

use std::fmt::Write as _;

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::{RData, Record, RecordType};
use windrose_dns::{Asked, Manners, Scratch, Transport, respond};
use windrose_model::DnsName;
use windrose_routing::Table;

use crate::world::{Ask, asked, ip};

/// Plays a script with the usual manners.
pub(crate) fn play(table: &Table, script: &str) {
    play_with(table, &Manners::default(), script);
}

/// Plays a script.
pub(crate) fn play_with(table: &Table, manners: &Manners, script: &str) {
    let lines = script.lines().map(str::trim);
    let mut steps: Vec<(&str, String)> = Vec::new();
    for line in lines.filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if let Some(question) = line.strip_prefix("? ") {
            steps.push((question, String::new()));
        } else {
            let (_, wanted) = steps.last_mut().expect("a script begins with a question");
            let words: Vec<_> = line.split_whitespace().collect();
            writeln!(wanted, "{}", words.join(" ")).unwrap();
        }
    }
    assert!(!steps.is_empty());
    for (question, wanted) in steps {
        let got = ask_with(table, manners, question);
        assert!(got == wanted, "? {question}\nwanted:\n{wanted}got:\n{got}");
    }
}

/// Asks one question with the usual manners.
pub(crate) fn ask(table: &Table, question: &str) -> String {
    ask_with(table, &Manners::default(), question)
}

/// Asks one question; the response as the scripts write it.
pub(crate) fn ask_with(table: &Table, manners: &Manners, question: &str) -> String {
    let mut words = question.split_whitespace();
    let name = words.next().unwrap();
    let mut ask = Ask::new(
        name,
        match words.next().unwrap() {
            "IXFR" => 251, // not among the texts hickory-proto reads
            text if text.starts_with("TYPE") => text[4..].parse().unwrap(),
            text => text.parse::<RecordType>().unwrap().into(),
        },
    );
    let (mut source, mut transport, mut draw) = (ip("8.8.8.8"), Transport::Udp, 0);
    let mut now = 1_767_225_600;
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        ask = match key {
            "edns" => ask.edns(value.parse().unwrap()),
            "do" | "version" | "z" => {
                let (size, extended, options) = ask.opt.take().unwrap();
                let bits = match key {
                    "do" => 0x8000,
                    "z" => 0x7fff,
                    _ => value.parse::<u32>().unwrap() << 16,
                };
                ask.opt = Some((size, extended | bits, options));
                ask
            }
            "subnet" => ask.subnet(value),
            "option" => {
                let (code, data) = value.split_once(':').unwrap_or((value, ""));
                ask.option(code.parse().unwrap(), &octets(data))
            }
            "questions" => Ask {
                questions: value.parse().unwrap(),
                ..ask
            },
            "now" => {
                now = value.parse().unwrap();
                ask
            }
            "class" => Ask {
                class: value.parse().unwrap(),
                ..ask
            },
            "flags" => Ask {
                flags: u16::from_str_radix(value, 16).unwrap(),
                ..ask
            },
            "from" => {
                source = ip(value);
                ask
            }
            "tcp" => {
                transport = Transport::Tcp;
                ask
            }
            "draw" => {
                draw = value.parse().unwrap();
                ask
            }
            _ => panic!("unknown word {word}"),
        };
    }
    let mut out = vec![0; 65_535];
    let reply = respond(
        table,
        &ask.wire(),
        &mut Scratch::new(),
        &Asked {
            now,
            manners,
            ..asked(source, draw, transport)
        },
        &mut out,
    )
    .unwrap();
    render(&out[..reply.len])
}

/// A response as the scripts write it.
pub(crate) fn render(bytes: &[u8]) -> String {
    let message = Message::from_vec(bytes).unwrap();
    let head = &message.metadata;
    let code = u16::from(head.response_code);
    let mut text = match code {
        16 => "BADVERS".to_owned(),
        23 => "BADCOOKIE".to_owned(),
        _ => windrose_telemetry::rcode_label(code.into()).to_owned(),
    };
    for (flag, set) in [
        ("aa", head.authoritative),
        ("tc", head.truncation),
        ("rd", head.recursion_desired),
        ("ra", head.recursion_available),
        ("ad", head.authentic_data),
        ("cd", head.checking_disabled),
    ] {
        if set {
            write!(text, " {flag}").unwrap();
        }
    }
    for query in &message.queries {
        write!(text, " {} ", query.name()).unwrap();
        match query.query_type() {
            RecordType::Unknown(number) => write!(text, "TYPE{number}").unwrap(),
            known => write!(text, "{known}").unwrap(),
        }
    }
    text.push('\n');
    for (section, records) in [
        ("", &message.answers),
        ("authority ", &message.authorities),
        ("additional ", &message.additionals),
    ] {
        for record in records {
            writeln!(text, "{section}{}", line(record)).unwrap();
        }
    }
    if let Some(edns) = &message.edns {
        write!(
            text,
            "opt {} version {}",
            edns.max_payload(),
            edns.version()
        )
        .unwrap();
        if edns.flags().dnssec_ok {
            text.push_str(" do");
        }
        for (_, option) in &edns.options().options {
            match option {
                EdnsOption::Subnet(s) => {
                    write!(
                        text,
                        " subnet {}/{} scope {}",
                        s.addr(),
                        s.source_prefix(),
                        s.scope_prefix()
                    )
                    .unwrap();
                }
                EdnsOption::NSID(id) => {
                    write!(text, " nsid {}", String::from_utf8_lossy(id.as_ref())).unwrap();
                }
                EdnsOption::Unknown(10, data) => write!(text, " cookie {}", hex(data)).unwrap(),
                EdnsOption::Unknown(11, data) => write!(text, " keepalive {}", hex(data)).unwrap(),
                EdnsOption::Unknown(15, data) => {
                    write!(text, " ede {}", u16::from_be_bytes([data[0], data[1]])).unwrap();
                    let reason = String::from_utf8_lossy(&data[2..]);
                    if !reason.is_empty() {
                        write!(text, " {reason}").unwrap();
                    }
                }
                EdnsOption::Unknown(19, data) => {
                    write!(text, " zone version {}", hex(data)).unwrap();
                }
                other => write!(text, " {other:?}").unwrap(),
            }
        }
        text.push('\n');
    }
    text
}

fn octets(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|b| format!("{b:02x}")).collect()
}

fn line(record: &Record) -> String {
    // Types that hickory-proto does not read: DNAME as a name, others in hex.
    let data = match &record.data {
        RData::Unknown { code, rdata } if u16::from(*code) == 39 => {
            format!("{}.", DnsName::from_wire(&rdata.anything).unwrap())
        }
        RData::Unknown { rdata, .. } => hex(&rdata.anything),
        known => known.to_string(),
    };
    let (name, ttl, rtype) = (&record.name, record.ttl, record.record_type());
    let text = format!("{name} {ttl} {rtype} {data}");
    text.trim_end().to_owned()
}
