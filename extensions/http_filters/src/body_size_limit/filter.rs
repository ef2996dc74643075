//! The filter on one stream.

use nuncio_base::{Buffer, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, DataStatus, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_worker::Worker;
use std::rc::Rc;

/// The filter's configuration.
#[derive(Clone, Copy, Debug)]
pub struct BodySizeLimitSpec {
    /// How many bytes a request's body may have.
    pub max_request_bytes: u64,
}

impl HttpFilterSpec for BodySizeLimitSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(*self)))
    }
}

impl HttpFilterFactory for BodySizeLimitSpec {
    type Filter = BodySizeLimitFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS.and(Hooks::REQUEST_DATA)
    }

    fn create(self: &Rc<Self>) -> BodySizeLimitFilter {
        BodySizeLimitFilter {
            left: self.max_request_bytes,
            refused: false,
        }
    }
}

/// The filter.
pub struct BodySizeLimitFilter {
    /// How many bytes may still come.
    left: u64,
    refused: bool,
}

impl BodySizeLimitFilter {
    fn refuse(&mut self, cx: &mut Cx<'_>, body: &'static str) {
        self.refused = true;
        cx.local_reply(LocalReply::new(413, body, "request_payload_too_large"));
    }
}

impl HttpFilter for BodySizeLimitFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let length = cx.request_headers_ref().get_str(names::CONTENT_LENGTH);
        let length = length.and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.left) {
            self.refuse(cx, "content length too large");
            return HeadersStatus::StopIteration;
        }
        HeadersStatus::Continue
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, _end: End) -> DataStatus {
        if self.refused {
            return DataStatus::StopIterationNoBuffer;
        }
        match self.left.checked_sub(data.len() as u64) {
            Some(left) => {
                self.left = left;
                DataStatus::Continue
            }
            None => {
                self.refuse(cx, "request too long");
                DataStatus::StopIterationNoBuffer
            }
        }
    }
}
