//! Why a request got no response over the connection it was sent on, whichever version of HTTP that
//! speaks.

use http::{HeaderMap, Request};
use hyper::client::conn::TrySendError;

use crate::upload::UploadBody;

/// A request without a response.
#[derive(Debug)]
pub(crate) struct Unanswered {
    /// The head, if it comes back.
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) why: Why,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The endpoint says that it has not looked at the request.
    Unprocessed,
    /// What came was no response.
    Garbage,
    /// The connection ended, the stream was reset, or the body failed.
    Broken,
}

impl From<Why> for Unanswered {
    fn from(why: Why) -> Self {
        Self { headers: None, why }
    }
}

impl From<TrySendError<Request<UploadBody>>> for Unanswered {
    fn from(mut error: TrySendError<Request<UploadBody>>) -> Self {
        let request = error.take_message();
        let why = match error.into_error().is_parse() {
            true => Why::Garbage,
            false => Why::Broken,
        };
        Self {
            headers: request.map(|request| request.into_parts().0.headers),
            why,
        }
    }
}
