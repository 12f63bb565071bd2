//! One attempt to have one endpoint answer a request.

use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use http::request::Parts;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header,
};
use windrose_model::Timeouts;
use windrose_telemetry::Http2Event;

use crate::connection::Client;
use crate::course::Failure;
use crate::download::Download;
use crate::grpc;
use crate::hop;
use crate::inbound::Inbound;
use crate::links;
use crate::multiplex::{self, NoSeat};
use crate::unanswered::{Unanswered, Why};
use crate::upgrade;
use crate::upload::{Upload, UploadBody};
use crate::upstream::{InFlight, Sender, UpstreamLink};

/// A request on its way out; it can be sent again as long as its head and body are kept.
#[derive(Debug)]
pub(crate) struct Outbound {
    pub(crate) method: Method,
    uri: Uri,
    /// `None` while an attempt has them.
    headers: Option<HeaderMap>,
    kept: KeptFields,
    /// `None` for a request without a body.
    pub(crate) upload: Option<Upload>,
    /// Protocols that the backend may switch to; `None` for most.
    pub(crate) offer: Option<HeaderValue>,
    /// No connection of a pool: one broke under this request, and what broke it may have broken the
    /// others.
    pub(crate) afresh: bool,
    /// When a call of gRPC is over that its client set an end to: its backend is told what is left.
    pub(crate) deadline: Option<Instant>,
    /// The client takes trailers.
    pub(crate) trailers: bool,
}

/// A copy of a head for another attempt; empty if there is none. A list in memory of the connection
/// costs a third of a cloned map.
pub(crate) type KeptFields = Vec<(HeaderName, HeaderValue)>;

/// A response head, and the connection its body comes from.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Download>,
    pub(crate) link: UpstreamLink,
}

impl Outbound {
    pub(crate) fn new(
        mut parts: Parts,
        upload: Option<Upload>,
        offer: Option<HeaderValue>,
        mut scratch: KeptFields,
    ) -> Self {
        scratch.clear();
        if let Some(protocols) = &offer {
            upgrade::write(&mut parts.headers, protocols.clone());
        }
        if upload.as_ref().is_some_and(Upload::is_chunked) {
            // Said by ourselves: the engine takes it for granted that GET has no body.
            let chunked = HeaderValue::from_static("chunked");
            parts.headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        Self {
            method: parts.method,
            uri: origin_form(parts.uri),
            headers: Some(parts.headers),
            kept: scratch,
            upload,
            offer,
            afresh: false,
            deadline: None,
            trailers: false,
        }
    }

    /// Whether another attempt could be made.
    pub(crate) fn is_replayable(&self) -> bool {
        (self.headers.is_some() || !self.kept.is_empty())
            && self.upload.as_ref().is_none_or(Upload::is_replayable)
    }

    /// No attempt will follow: gives back the memory, and the body with nothing kept.
    pub(crate) fn settle(mut self) -> (Option<Upload>, KeptFields) {
        if let Some(upload) = &self.upload {
            upload.settle();
        }
        self.kept.clear();
        (self.upload, self.kept)
    }

    /// The request for one attempt; `keep` a copy of the head for another one.
    fn request(&mut self, keep: bool) -> Request<UploadBody> {
        let mut headers = match self.headers.take() {
            Some(headers) => {
                if keep && self.kept.is_empty() {
                    let fields = headers.iter().map(|(n, v)| (n.clone(), v.clone()));
                    self.kept.extend(fields);
                }
                headers
            }
            None => {
                let mut headers = HeaderMap::with_capacity(self.kept.len());
                for (name, value) in &self.kept {
                    headers.append(name, value.clone());
                }
                headers
            }
        };
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            grpc::write_timeout(&mut headers, left);
        }
        let body = self
            .upload
            .as_ref()
            .map_or(UploadBody::Empty, Upload::attempt);
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        request
    }

    /// What a second try beside the first sends.
    #[cold]
    pub(crate) fn twin(&self) -> Option<Box<Twin>> {
        let fields = || self.kept.iter().map(|(n, v)| (n.clone(), v.clone()));
        let headers = match &self.headers {
            Some(headers) => headers.clone(),
            None if self.kept.is_empty() => return None,
            None => {
                let mut headers = HeaderMap::with_capacity(self.kept.len());
                headers.extend(fields().map(|(name, value)| (Some(name), value)));
                headers
            }
        };
        Some(Box::new(Twin {
            method: self.method.clone(),
            uri: self.uri.clone(),
            headers,
            upload: self.upload.clone(),
        }))
    }

    /// All of the request has left.
    pub(crate) fn is_uploaded(&self) -> bool {
        self.upload.as_ref().is_none_or(Upload::is_ended)
    }

    fn client_failed(&self) -> bool {
        self.upload.as_ref().is_some_and(Upload::client_failed)
    }

    /// Its body is awaited.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.upload.as_ref().is_some_and(Upload::waits_for_client)
    }
}

/// A request that is sent a second time while the first is under way.
pub(crate) struct Twin {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    upload: Option<Upload>,
}

impl Twin {
    /// Itself, if its body is there as a whole.
    pub(crate) fn request(self: Box<Self>) -> Option<Request<UploadBody>> {
        let Self {
            method,
            uri,
            headers,
            upload,
        } = *self;
        let body = match upload {
            None => UploadBody::Empty,
            Some(upload) => UploadBody::Copied(upload.copied()?),
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        Some(request)
    }
}

/// How long an answer may take before we look whether control has given up the endpoint meanwhile.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sends the request over an idle connection or a new one and waits for the response head.
///
/// `keep`: another attempt may follow this one even after it was sent. `give_up` is asked once a
/// second whether to make that attempt now instead of waiting on.
pub(crate) async fn attempt(
    client: &Client,
    in_flight: &InFlight,
    timeouts: &Timeouts,
    outbound: &mut Outbound,
    began: Instant,
    keep: bool,
    give_up: impl Fn() -> bool,
) -> Result<Answer, Failure> {
    let upstream = in_flight.upstream();
    let mut now = began;
    let switching = outbound.offer.is_some();
    // A request to switch goes over a connection of its own: one of the pool may be closing, and
    // whether the request reached the backend then could not be told.
    let pooled = !switching && !outbound.afresh;
    while pooled && let Some(link) = links::take(client, upstream) {
        match send(client, link, timeouts, outbound, now, true, &give_up).await {
            Ok(answer) => return Ok(answer),
            // Nothing was sent on a connection that the other side had closed: as if it had not
            // been in the pool.
            Err(Failure::NotSent) if outbound.is_replayable() => now = Instant::now(),
            Err(failure) => return Err(failure),
        }
    }
    let link = connect(client, in_flight, timeouts, switching).await?;
    // The time of an attempt includes that.
    let since = match timeouts.per_try.is_zero() {
        true => Instant::now(),
        false => began,
    };
    send(client, link, timeouts, outbound, since, keep, &give_up).await
}

/// With the time of an attempt in those of its parts: to connect, and from the end of the request to
/// the head of the response. An upload that moves is not the endpoint's delay.
pub(crate) fn with_per_try(timeouts: Timeouts) -> Timeouts {
    let least = |time: Duration| match (time.is_zero(), timeouts.per_try.is_zero()) {
        (_, true) => time,
        (true, false) => timeouts.per_try,
        (false, false) => time.min(timeouts.per_try),
    };
    Timeouts {
        connect: least(timeouts.connect),
        first_byte: least(timeouts.first_byte),
        ..timeouts
    }
}

async fn connect(
    client: &Client,
    in_flight: &InFlight,
    timeouts: &Timeouts,
    switching: bool,
) -> Result<UpstreamLink, Failure> {
    let worker = &client.worker;
    let began = Instant::now();
    client.watch.pause(began);
    let upstream = in_flight.upstream();
    let beginning = client.beginning(upstream.pool().to().manner);
    let room = || in_flight.connection();
    let connecting = upstream.link(worker, timeouts.connect, beginning, switching, room);
    // Boxed: rare, and large for a future that every exchange carries.
    let connecting = Box::pin(connecting);
    match client.watch.within(connecting).await {
        Some(Ok(link)) => {
            worker
                .recorder
                .connected(in_flight.group(), began.elapsed());
            Ok(link)
        }
        Some(Err(NoSeat::Full)) => Err(Failure::Full),
        Some(Err(NoSeat::Unreachable)) => Err(Failure::NotSent),
        None if client.watch.is_gone() => Err(Failure::ClientGone),
        None => Err(Failure::Duration),
    }
}

async fn send(
    client: &Client,
    mut link: UpstreamLink,
    timeouts: &Timeouts,
    outbound: &mut Outbound,
    now: Instant,
    keep: bool,
    give_up: &impl Fn() -> bool,
) -> Result<Answer, Failure> {
    let watch = &client.watch;
    let (sent, received) = (link.meter.sent(), link.meter.received());
    let request = outbound.request(keep || !link.gives_back());
    match &outbound.upload {
        None => watch.expect_answer(now, patience(timeouts, Duration::ZERO)),
        // All of it is kept from an attempt before.
        Some(upload) if upload.is_ended() => watch.expect_answer(now, timeouts.first_byte),
        Some(_) => watch.expect_body(now),
    }
    let answer = match &mut link.sender {
        Sender::Http1(sender) => {
            let sending = pin!(sender.try_send_request(request));
            let sent = wait(client, timeouts, outbound, now, give_up, sending).await?;
            sent.map(|response| response.map(Download::Http1))
                .map_err(Unanswered::from)
        }
        Sender::Http2(seat) => {
            // Boxed: an exchange over HTTP/1 carries no room for it.
            let sending = Box::pin(multiplex::exchange(seat, request));
            wait(client, timeouts, outbound, now, give_up, sending).await?
        }
    };
    let why = match answer {
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            // A switch that was not asked for, or to what was not offered, is none.
            let offer = outbound.offer.as_ref();
            let granted = offer.and_then(|offer| upgrade::granted(response.headers(), offer));
            return match granted {
                Some(_) => Ok(Answer { response, link }),
                None => Err(Failure::Garbage),
            };
        }
        Ok(response) if !hop::is_content_plain(response.headers()) => {
            return Err(Failure::Garbage);
        }
        Ok(response) => return Ok(Answer { response, link }),
        Err(unanswered) => {
            if let Some(headers) = unanswered.headers {
                outbound.headers = Some(headers);
            }
            unanswered.why
        }
    };
    Err(if outbound.client_failed() && watch.is_spoilt() {
        Failure::Malformed
    } else if outbound.client_failed() {
        Failure::ClientGone
    } else if outbound.upload.as_ref().is_some_and(Upload::is_too_large) {
        Failure::TooLarge
    } else if why == Why::Unprocessed {
        client.worker.recorder.http2(Http2Event::Unprocessed);
        Failure::Unprocessed
    } else if link.meter.sent() == sent {
        Failure::NotSent
    } else if why == Why::Garbage {
        Failure::Garbage
    } else if link.reused && link.meter.received() == received {
        Failure::Stale
    } else {
        Failure::Closed
    })
}

/// Waits for the answer to a request that is being sent.
async fn wait<T>(
    client: &Client,
    timeouts: &Timeouts,
    outbound: &Outbound,
    now: Instant,
    give_up: &impl Fn() -> bool,
    mut sending: impl Future<Output = T> + Unpin,
) -> Result<T, Failure> {
    loop {
        if let Some(answer) = client.watch.within(&mut sending).await {
            return Ok(answer);
        }
        let late = Instant::now();
        let waited = late.saturating_duration_since(now);
        still_waiting(client, timeouts, outbound, late, waited)?;
        if give_up() {
            return Err(Failure::GivenUp);
        }
        client.watch.expect_answer(late, patience(timeouts, waited));
    }
}

/// How long to wait for an answer before looking again, after so much waiting.
pub(crate) fn patience(timeouts: &Timeouts, waited: Duration) -> Duration {
    if timeouts.first_byte.is_zero() {
        PATIENCE
    } else {
        timeouts.first_byte.saturating_sub(waited).min(PATIENCE)
    }
}

/// A deadline passed: which one, or none that ends the attempt.
fn still_waiting(
    client: &Client,
    timeouts: &Timeouts,
    outbound: &Outbound,
    now: Instant,
    waited: Duration,
) -> Result<(), Failure> {
    if client.watch.is_gone() {
        Err(Failure::ClientGone)
    } else if client.watch.is_over(now) {
        Err(Failure::Duration)
    } else if outbound.waits_for_client() {
        Err(Failure::UploadStalled)
    } else if outbound.upload.is_some() {
        // The upload set the deadline, and in full.
        Err(Failure::FirstByte)
    } else if !timeouts.first_byte.is_zero() && waited >= timeouts.first_byte {
        Err(Failure::FirstByte)
    } else {
        Ok(())
    }
}

/// Path and query only: the form that servers expect.
pub(crate) fn origin_form(uri: Uri) -> Uri {
    if uri.authority().is_none() {
        return uri;
    }
    let mut parts = http::uri::Parts::default();
    parts.path_and_query = uri.path_and_query().cloned();
    Uri::from_parts(parts).unwrap_or_default()
}

/// A request body as the attempts share it; `most` octets of it.
pub(crate) fn upload(
    client: &Client,
    body: Inbound,
    timeouts: &Timeouts,
    most: u64,
) -> Option<Upload> {
    use http_body::Body;
    if body.is_end_stream() {
        return None;
    }
    let keep = client.worker.settings.replay_bytes;
    let watch = Rc::clone(&client.watch);
    Some(Upload::new(body, watch, timeouts.first_byte, keep, most))
}
