//! The `Date` of responses over HTTP/2 that have none (RFC 9110 section 6.6.1); over HTTP/1.1 the
//! engine adds it.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderValue;

/// The text of the current second, of one thread.
#[derive(Debug, Default)]
pub(crate) struct Dates(RefCell<Option<(u64, HeaderValue)>>);

impl Dates {
    /// As of now.
    pub(crate) fn now(&self) -> HeaderValue {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut kept = self.0.borrow_mut();
        match &*kept {
            Some((of, text)) if *of == second => text.clone(),
            _ => {
                let text = httpdate::fmt_http_date(now);
                // It is ASCII.
                let text = HeaderValue::from_str(&text)
                    .unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
                *kept = Some((second, text.clone()));
                text
            }
        }
    }
}
