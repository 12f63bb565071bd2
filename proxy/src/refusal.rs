//! Every way in which we answer a request ourselves, and the one place that turns it into a
//! response.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use windrose_model::PathFault;
use windrose_telemetry::HttpEvent;

use crate::flags::Flags;
use crate::reply::Reply;

/// Why a request gets an answer of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the request has no Host header")]
    HostMissing,
    #[error("the request has more than one Host header")]
    HostRepeated,
    #[error("the Host header is not a host name with an optional port")]
    HostInvalid,
    #[error("the Host header and the request target name different hosts")]
    HostDisagrees,
    #[error("the request has a Content-Length that is repeated or no number")]
    LengthInvalid,
    #[error("the request has both Content-Length and Transfer-Encoding")]
    LengthAndEncoding,
    #[error("the only Transfer-Encoding understood is chunked")]
    EncodingUnknown,
    #[error("the Transfer-Encoding header is repeated")]
    EncodingRepeated,
    #[error("the request target is neither a path nor an absolute http URI")]
    TargetInvalid,
    #[error("the request target is too long")]
    TargetTooLong,
    #[error("{0}")]
    Path(PathFault),
    #[error("a header value begins or ends with a space")]
    FieldInvalid,
    #[error("the request has too many header fields")]
    TooManyFields,
    #[error("the request body is not framed as it has to be")]
    BodyInvalid,
    #[error("the request body is larger than allowed here")]
    BodyTooLarge,
    #[error("the method CONNECT is not served here")]
    Connect,
    #[error("the method TRACE is not served here")]
    Trace,
    #[error("a field name has an underscore")]
    Underscore,
    #[error("the Upgrade header is not a list of protocols")]
    UpgradeInvalid,
    #[error("a request to switch protocols must not have a body")]
    UpgradeWithBody,
    #[error(
        "a WebSocket handshake is a GET with one Sec-WebSocket-Key of 16 octets in base 64 and one Sec-WebSocket-Version"
    )]
    WebSocketInvalid,
    #[error("the grpc-timeout is not up to eight digits and a unit")]
    GrpcTimeoutInvalid,
    #[error("this connection is not for this host")]
    Misdirected,
    #[error("this host is served over HTTPS only")]
    HttpsOnly(u16),
    #[error("this host wants a certificate of its clients, over HTTPS")]
    CertificateNeeded,
    #[error("no app has this host")]
    NoApp,
    #[error("too many requests")]
    RateLimited,
    #[error("this node is overloaded")]
    Overloaded,
    #[error("no endpoint serves this app now")]
    NoEndpoint,
    #[error("this fault was injected on purpose")]
    Injected(StatusCode),
    #[error("no cluster has room for this request")]
    Overflow,
    #[error("no endpoint could be reached")]
    Unreachable,
    #[error("the backend takes no further requests now")]
    Declined,
    #[error("the backend closed the connection before its response")]
    Closed,
    #[error("the backend sent an invalid response")]
    Garbage,
    #[error("the backend did not answer in time")]
    FirstByte,
    #[error("the request took longer than allowed")]
    Duration,
    #[error("the request body stopped moving")]
    UploadStalled,
}

impl Refusal {
    /// The status code and the flag of its kind.
    pub(crate) const fn status(self) -> (StatusCode, Flags) {
        match self {
            Self::HostMissing
            | Self::HostRepeated
            | Self::HostInvalid
            | Self::HostDisagrees
            | Self::LengthInvalid
            | Self::LengthAndEncoding
            | Self::EncodingRepeated
            | Self::TargetInvalid
            | Self::UpgradeInvalid
            | Self::UpgradeWithBody
            | Self::WebSocketInvalid
            | Self::GrpcTimeoutInvalid
            | Self::FieldInvalid
            | Self::Underscore
            | Self::BodyInvalid
            | Self::Path(_) => (StatusCode::BAD_REQUEST, Flags::BAD_REQUEST),
            Self::EncodingUnknown => (StatusCode::NOT_IMPLEMENTED, Flags::BAD_REQUEST),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Flags::BAD_REQUEST),
            Self::TargetTooLong => (StatusCode::URI_TOO_LONG, Flags::BAD_REQUEST),
            Self::TooManyFields => (
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                Flags::BAD_REQUEST,
            ),
            Self::Connect | Self::Trace => (StatusCode::METHOD_NOT_ALLOWED, Flags::BAD_REQUEST),
            Self::Misdirected => (StatusCode::MISDIRECTED_REQUEST, Flags::BAD_REQUEST),
            Self::HttpsOnly(_) => (StatusCode::PERMANENT_REDIRECT, Flags::NONE),
            Self::CertificateNeeded => (StatusCode::FORBIDDEN, Flags::BAD_REQUEST),
            Self::NoApp => (StatusCode::NOT_FOUND, Flags::NO_ROUTE),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, Flags::RATE_LIMITED),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, Flags::OVERLOADED),
            Self::NoEndpoint => (StatusCode::SERVICE_UNAVAILABLE, Flags::NO_ENDPOINT),
            Self::Injected(status) => (status, Flags::FAULT_INJECTED),
            Self::Overflow => (StatusCode::SERVICE_UNAVAILABLE, Flags::OVERFLOW),
            Self::Unreachable => (StatusCode::SERVICE_UNAVAILABLE, Flags::CONNECT_FAILURE),
            Self::Declined => (StatusCode::SERVICE_UNAVAILABLE, Flags::CLOSED),
            Self::Closed => (StatusCode::BAD_GATEWAY, Flags::CLOSED),
            Self::Garbage => (StatusCode::BAD_GATEWAY, Flags::PROTOCOL),
            Self::FirstByte => (StatusCode::GATEWAY_TIMEOUT, Flags::TIMEOUT),
            Self::Duration => (
                StatusCode::GATEWAY_TIMEOUT,
                Flags::TIMEOUT.and(Flags::DURATION),
            ),
            Self::UploadStalled => (StatusCode::REQUEST_TIMEOUT, Flags::STREAM_IDLE),
        }
    }

    /// What a request is counted as that never found its app.
    pub(crate) const fn event(self) -> HttpEvent {
        match self {
            Self::NoApp => HttpEvent::NoApp,
            Self::Overloaded => HttpEvent::Overloaded,
            Self::Misdirected => HttpEvent::Misdirected,
            Self::HttpsOnly(_) => HttpEvent::HttpsOnly,
            Self::CertificateNeeded => HttpEvent::CertificateNeeded,
            _ => HttpEvent::BadRequest,
        }
    }

    /// Whether the connection can no longer be trusted to be in step with its client.
    const fn closes(self) -> bool {
        matches!(
            self,
            Self::LengthInvalid
                | Self::LengthAndEncoding
                | Self::EncodingUnknown
                | Self::EncodingRepeated
                | Self::HostRepeated
                | Self::Connect
                | Self::UpgradeInvalid
                | Self::UpgradeWithBody
                | Self::WebSocketInvalid
                | Self::UploadStalled
                | Self::BodyTooLarge
                | Self::BodyInvalid
        )
    }

    /// The response: a line of text for people, flags for tools.
    pub(crate) fn respond(self, more: Flags) -> Response<Reply> {
        let (status, flags) = self.status();
        let mut response = Response::new(Reply::text(Bytes::from(format!("{self}\n"))));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        flags.and(more).write(headers);
        if matches!(self, Self::Connect | Self::Trace) {
            headers.insert(
                header::ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            );
        }
        if self == Self::Overloaded {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.closes() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
