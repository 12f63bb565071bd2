//! What a call of gRPC wants beyond HTTP/2: its own statuses, where we answer or only look on, and its
//! deadline. Pure. Messages are never read. The words are those of "gRPC over HTTP/2" and of its
//! "HTTP to gRPC Status Code Mapping".

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};

use crate::refusal::Refusal;
use crate::reply::Reply;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Digits of a timeout, at most.
const DIGITS: usize = 8;

/// `DEADLINE_EXCEEDED`.
pub(crate) const DEADLINE: u8 = 4;
/// `RESOURCE_EXHAUSTED`.
pub(crate) const EXHAUSTED: u8 = 8;

/// A call, as its status becomes known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It is none.
    No,
    /// No status has come.
    Open,
    /// It ended with this status.
    Ended(u8),
}

impl Call {
    /// The status it ended with.
    pub(crate) const fn status(self) -> Option<u8> {
        match self {
            Self::Ended(status) => Some(status),
            Self::No | Self::Open => None,
        }
    }
}

/// Whether a request is a call: a POST over HTTP/2 with the content type of gRPC, not of gRPC-Web.
#[inline]
pub(crate) fn is_call(parts: &Parts) -> bool {
    parts.method == Method::POST && parts.version == Version::HTTP_2 && {
        let content = parts.headers.get(header::CONTENT_TYPE);
        content.is_some_and(|content| {
            let rest = content.as_bytes().strip_prefix(b"application/grpc");
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
        })
    }
}

/// The status in the head of a response without messages, or in trailers; `None` if it has none.
pub(crate) fn status(fields: &HeaderMap) -> Option<u8> {
    let value = fields.get(GRPC_STATUS)?;
    // What is no number between 0 and 255 is a status all the same: UNKNOWN.
    Some(
        value
            .to_str()
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(2),
    )
}

/// The HTTP status that says the same of a backend.
pub(crate) const fn as_http(status: u8) -> u16 {
    match status {
        0 => 200,
        1 => 499,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => 500,
    }
}

/// The status of a call that was answered with an HTTP status.
const fn of_http(status: StatusCode) -> u8 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

/// Makes a response that is an error one without messages ("Trailers-Only"), which every client of gRPC
/// understands; the status that it ends with, if it was one.
pub(crate) fn answer(response: &mut Response<Reply>, refusal: Option<Refusal>) -> Option<u8> {
    let http = response.status();
    if !http.is_client_error() && !http.is_server_error() {
        return None;
    }
    let status = match refusal {
        Some(Refusal::Duration | Refusal::UploadStalled) => DEADLINE,
        Some(Refusal::BodyTooLarge) => EXHAUSTED,
        _ => of_http(http),
    };
    let message = match refusal {
        Some(refusal) => refusal.to_string(),
        None => format!("HTTP status {}", http.as_u16()),
    };
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Reply::Empty;
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    end(headers, status, &message);
    Some(status)
}

/// The trailers of a call whose deadline is over.
pub(crate) fn late() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    end(&mut trailers, DEADLINE, &Refusal::Duration.to_string());
    trailers
}

fn end(fields: &mut HeaderMap, status: u8, message: &str) {
    fields.insert(GRPC_STATUS, HeaderValue::from(u16::from(status)));
    if let Ok(message) = HeaderValue::from_maybe_shared(Bytes::from(encoded(message))) {
        fields.insert(GRPC_MESSAGE, message);
    }
}

/// A message with everything encoded that is not printable ASCII, and the percent sign.
fn encoded(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for octet in message.bytes() {
        match octet {
            b'%' | 0..=0x1f | 0x7f.. => {
                let _ = write!(text, "%{octet:02X}");
            }
            _ => text.push(char::from(octet)),
        }
    }
    text
}

/// The time that a client gives its call; none: without end.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let mut values = headers.get_all(GRPC_TIMEOUT).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let time = parse(value.as_bytes()).filter(|_| values.next().is_none());
    time.map(Some).ok_or(Refusal::GrpcTimeoutInvalid)
}

fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if !(1..=DIGITS).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits
        .iter()
        .fold(0_u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    let time = match unit {
        b'H' => Duration::from_secs(number * 3_600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    };
    // Zero means "off" elsewhere.
    Some(time.max(Duration::from_nanos(1)))
}

/// Says how much time is left.
pub(crate) fn write_timeout(headers: &mut HeaderMap, left: Duration) {
    const MOST: u128 = 99_999_999;
    let (number, unit) = match left.as_micros() {
        micros if micros <= MOST => (micros.max(1), 'u'),
        micros if micros / 1_000 <= MOST => (micros / 1_000, 'm'),
        micros if micros / 1_000_000 <= MOST => (micros / 1_000_000, 'S'),
        micros => ((micros / 3_600_000_000).min(MOST), 'H'),
    };
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(format!("{number}{unit}"))) {
        headers.insert(GRPC_TIMEOUT, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Flags;

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.append(GRPC_TIMEOUT, HeaderValue::from_static(text));
            timeout(&headers).ok().flatten()
        };
        let (seconds, millis) = (Duration::from_secs, Duration::from_millis);
        for (text, time) in [
            ("1H", seconds(3_600)),
            ("2M", seconds(120)),
            ("30S", seconds(30)),
            ("100m", millis(100)),
            ("99999999u", Duration::from_micros(99_999_999)),
            ("7n", Duration::from_nanos(7)),
            ("0S", Duration::from_nanos(1)),
            ("99999999H", seconds(99_999_999 * 3_600)),
        ] {
            assert_eq!(of(text), Some(time), "{text}");
        }
        for wrong in [
            "",
            "S",
            "1",
            "1s",
            "-1S",
            "+1S",
            "1.5S",
            " 1S",
            "1 S",
            "123456789S",
            "1SS",
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        let mut twice = HeaderMap::new();
        twice.append(GRPC_TIMEOUT, HeaderValue::from_static("1S"));
        twice.append(GRPC_TIMEOUT, HeaderValue::from_static("2S"));
        assert!(timeout(&twice).is_err());
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
    }

    #[test]
    fn what_is_left_is_written_in_the_finest_unit_that_has_room() {
        for (left, text) in [
            (Duration::from_nanos(1), "1u"),
            (Duration::from_micros(1_500), "1500u"),
            (Duration::from_micros(99_999_999), "99999999u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(1_000_000), "1000000S"),
            (Duration::from_secs(3_600 * 50_000_000), "50000000H"),
            (Duration::from_secs(1 << 40), "99999999H"),
        ] {
            let mut headers = HeaderMap::new();
            write_timeout(&mut headers, left);
            assert_eq!(headers[GRPC_TIMEOUT], text);
            assert!(timeout(&headers).is_ok());
        }
    }

    #[test]
    fn errors_of_our_own_are_statuses_of_grpc() {
        for (refusal, status) in [
            (Refusal::NoApp, "12"),
            (Refusal::NoEndpoint, "14"),
            (Refusal::Overflow, "14"),
            (Refusal::RateLimited, "14"),
            (Refusal::Closed, "14"),
            (Refusal::FirstByte, "14"),
            (Refusal::Duration, "4"),
            (Refusal::BodyTooLarge, "8"),
            (Refusal::CertificateNeeded, "7"),
            (Refusal::GrpcTimeoutInvalid, "13"),
            (Refusal::Misdirected, "2"),
        ] {
            let mut response = refusal.respond(Flags::default());
            assert!(answer(&mut response, Some(refusal)).is_some());
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()[GRPC_STATUS], status, "{refusal}");
            assert_eq!(response.headers()["content-type"], "application/grpc");
            assert!(matches!(response.body(), Reply::Empty));
        }
        let mut fine = Response::new(Reply::Empty);
        assert_eq!(answer(&mut fine, None), None);
    }

    #[test]
    fn a_message_is_printable_and_loses_nothing() {
        assert_eq!(encoded("50 % of \u{fc}\n"), "50 %25 of %C3%BC%0A");
    }
}
