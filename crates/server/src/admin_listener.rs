//! The admin's own listener on the main thread: an HTTP connection manager whose last filter
//! answers by the admin's handlers.

use nuncio_base::{Buffer, HeaderName, names};
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::filter::{DataStatus, HeadersStatus, Hooks, HttpFilter, TrailersStatus};
use nuncio_http::Cx;
use nuncio_worker::Worker;
use std::rc::Rc;

/// A request to the admin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdminRequest {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
}

/// The admin's answer.
pub struct AdminAnswer {
    /// The status.
    pub status: u16,
    /// Headers besides `:status`.
    pub headers: Vec<(HeaderName, String)>,
    /// The body, piece by piece; an empty piece is a pause.
    pub body: Box<dyn Iterator<Item = String>>,
}

/// What answers; a service of the main worker.
pub struct AdminService(pub Box<dyn Fn(&AdminRequest) -> AdminAnswer>);

/// The filter that ends the admin's chain.
pub struct AdminFilterSpec;

impl HttpFilterSpec for AdminFilterSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(AdminLocal { service: worker.services().get() })))
    }
}

struct AdminLocal {
    service: Option<Rc<AdminService>>,
}

impl HttpFilterFactory for AdminLocal {
    type Filter = AdminFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST.and(Hooks::POLL)
    }

    fn create(self: &Rc<Self>) -> AdminFilter {
        AdminFilter { service: self.service.clone(), body: Vec::new(), rest: None }
    }
}

struct AdminFilter {
    service: Option<Rc<AdminService>>,
    body: Vec<u8>,
    rest: Option<Box<dyn Iterator<Item = String>>>,
}

impl AdminFilter {
    fn answer(&mut self, cx: &mut Cx<'_>) {
        let text = |value: Option<&[u8]>| {
            String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
        };
        let request = AdminRequest {
            method: text(cx.request_headers().get(names::METHOD)),
            target: text(cx.request_headers().get(names::PATH)),
            body: std::mem::take(&mut self.body),
        };
        let Some(service) = self.service.clone() else { return };
        let answer = (service.0)(&request);
        let mut headers = nuncio_base::HeaderMap::new();
        headers.append(names::STATUS, answer.status.to_string().as_bytes());
        for (name, value) in &answer.headers {
            headers.append(name, value.as_bytes());
        }
        cx.info().response_code_details = Some("admin_filter_response".into());
        cx.respond_headers(headers, End::No);
        self.rest = Some(answer.body);
    }
}

impl HttpFilter for AdminFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        if end.is_end() {
            self.answer(cx);
        }
        HeadersStatus::StopIteration
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        let limit = cx.buffer_limit();
        if self.body.len() + data.len() > limit {
            cx.local_reply(nuncio_http::LocalReply::request_too_large());
            return DataStatus::StopIterationNoBuffer;
        }
        data.slices().for_each(|slice| self.body.extend_from_slice(slice));
        if end.is_end() {
            self.answer(cx);
        }
        DataStatus::StopIterationNoBuffer
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        self.answer(cx);
        TrailersStatus::StopIteration
    }

    fn poll(&mut self, cx: &mut Cx<'_>, task: &mut std::task::Context<'_>) {
        let Some(rest) = &mut self.rest else { return };
        if cx.response_paused() {
            return;
        }
        match rest.next() {
            // A pause: others get their turn.
            Some(piece) if piece.is_empty() => task.waker().wake_by_ref(),
            Some(piece) => cx.respond_data(piece.into(), End::No),
            None => {
                self.rest = None;
                cx.respond_data(Buffer::new(), End::Stream);
            }
        }
    }
}
