//! One copy on its way: a connection of the mirrors' own, a response that is read and thrown away.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Instant;

use http::{HeaderValue, Request, Version, header};
use http_body::Body;
use windrose_telemetry::Mirrored;

use super::{Copied, Copy};
use crate::download::Download;
use crate::multiplex;
use crate::upload::UploadBody;
use crate::upstream::Sender;

/// Octets of a response that are read before its connection is closed instead.
const RESPONSE_OCTETS: u64 = 1 << 20;

/// A copy that got no response.
struct Failed;

impl Copy {
    /// Sends it, and does not wait.
    pub(super) fn send(mut self, body: Option<Copied>) {
        let request = self.request(body);
        tokio::task::spawn_local(async move {
            let recorder = &self.worker.recorder;
            let group = self.in_flight.group();
            // Boxed: large, and a task of its own anyway.
            let sent = Box::pin(self.exchange(request));
            let what = match tokio::time::timeout(self.timeout, sent).await {
                Ok(Ok(status)) => Mirrored::of_status(status),
                Ok(Err(Failed)) => Mirrored::Failed,
                Err(_) => Mirrored::Timeout,
            };
            recorder.mirrored(group, what);
        });
    }

    /// The status of the response, once the response is through.
    async fn exchange(&self, mut request: Request<UploadBody>) -> Result<u16, Failed> {
        let (worker, upstream) = (&self.worker, self.in_flight.upstream());
        loop {
            // What was announced as one client's serves no other.
            let is_own = self.beginning.header.is_some();
            let idle = if is_own { None } else { upstream.pool().take() };
            let was_idle = idle.is_some();
            let mut link = match idle {
                Some(link) => link,
                None => {
                    let (beginning, room) = (self.beginning.clone(), || Ok((None, None)));
                    let linking = upstream.link(worker, self.timeout, beginning, false, room);
                    linking.await.map_err(|_| Failed)?
                }
            };
            let mut response = match &mut link.sender {
                Sender::Http1(sender) => match sender.try_send_request(request).await {
                    Ok(response) => response.map(Download::Http1),
                    Err(mut error) => match error.take_message() {
                        // Its connection had been closed meanwhile.
                        Some(unsent) if was_idle => {
                            request = unsent;
                            continue;
                        }
                        _ => return Err(Failed),
                    },
                },
                Sender::Http2(seat) => {
                    let sent = multiplex::exchange(seat, request).await;
                    sent.map_err(|_| Failed)?
                }
            };
            let status = response.status().as_u16();
            let again = response.version() == Version::HTTP_11;
            if discard(response.body_mut()).await && again && !is_own {
                let at_most = worker.settings.upstream_idle_connections;
                upstream.pool().put(link, Instant::now(), at_most);
            }
            return Ok(status);
        }
    }

    fn request(&mut self, body: Option<Copied>) -> Request<UploadBody> {
        let mut headers = std::mem::take(&mut self.headers);
        if body.as_ref().is_some_and(Copied::is_chunked) {
            let chunked = HeaderValue::from_static("chunked");
            headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        let mut request = Request::new(body.map_or(UploadBody::Empty, UploadBody::Copied));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = crate::attempt::origin_form(self.uri.clone());
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        request
    }
}

/// Reads a body to its end; false if that is too far, or never comes.
async fn discard(body: &mut Download) -> bool {
    let mut left = RESPONSE_OCTETS;
    loop {
        match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok(frame)) => {
                let octets = frame.data_ref().map_or(0, |data| data.len() as u64);
                match left.checked_sub(octets) {
                    Some(rest) => left = rest,
                    None => return false,
                }
            }
        }
    }
}
