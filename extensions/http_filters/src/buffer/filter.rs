//! The filter on one stream.

use nuncio_base::{Buffer, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, DataStatus, Direction, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_worker::Worker;
use std::rc::Rc;

/// The filter's configuration.
#[derive(Clone, Copy, Debug)]
pub struct BufferSpec {
    /// How many bytes of a request are buffered.
    pub max_request_bytes: usize,
}

/// The filter's configuration at a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferRouteSpec {
    /// Requests pass as they come.
    Disabled,
    /// Another limit, in bytes.
    Limit(usize),
}

impl HttpFilterSpec for BufferSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(*self)))
    }
}

impl HttpFilterFactory for BufferSpec {
    type Filter = BufferFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST
    }

    fn create(self: &Rc<Self>) -> BufferFilter {
        BufferFilter {
            limit: self.max_request_bytes,
            length: 0,
            enabled: false,
        }
    }
}

/// The filter.
pub struct BufferFilter {
    limit: usize,
    /// Body bytes so far.
    length: usize,
    enabled: bool,
}

impl BufferFilter {
    /// All of the body is here: its length is known.
    fn complete(&self, cx: &mut Cx<'_>) {
        let headers = cx.request_headers();
        if self.enabled && !headers.contains(names::CONTENT_LENGTH) {
            let mut digits = itoa::Buffer::new();
            headers.append(names::CONTENT_LENGTH, digits.format(self.length).as_bytes());
        }
    }
}

impl HttpFilter for BufferFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        if end.is_end() {
            return HeadersStatus::Continue;
        }
        match cx.route_spec::<BufferRouteSpec>().as_deref() {
            Some(BufferRouteSpec::Disabled) => return HeadersStatus::Continue,
            Some(BufferRouteSpec::Limit(limit)) => self.limit = *limit,
            None => {}
        }
        self.enabled = true;
        cx.set_buffer_limit(self.limit);
        HeadersStatus::StopIteration
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if !self.enabled {
            return DataStatus::Continue;
        }
        self.length += data.len();
        if !end.is_end() {
            return DataStatus::StopIterationAndBuffer;
        }
        if self.length > self.limit {
            cx.fail_too_large(Direction::Request);
            return DataStatus::StopIterationNoBuffer;
        }
        self.complete(cx);
        DataStatus::Continue
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.complete(cx);
        TrailersStatus::Continue
    }
}
