//! The filter on one stream.

use super::parse::count;
use nuncio_base::HeaderName;
use nuncio_codec::End;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter, LocalReply};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The filter's configuration.
#[derive(Clone, Debug)]
pub struct CdnLoopSpec {
    /// What this proxy is called.
    pub cdn_id: Arc<[u8]>,
    /// How often a request may have been here before.
    pub max_occurrences: u32,
}

impl HttpFilterSpec for CdnLoopSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(LocalCdnLoop {
            spec: self.clone(),
            header: HeaderName::new("cdn-loop"),
        })))
    }
}

struct LocalCdnLoop {
    spec: CdnLoopSpec,
    header: HeaderName,
}

impl HttpFilterFactory for LocalCdnLoop {
    type Filter = CdnLoopFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(self: &Rc<Self>) -> CdnLoopFilter {
        CdnLoopFilter(Rc::clone(self))
    }
}

/// The filter.
pub struct CdnLoopFilter(Rc<LocalCdnLoop>);

impl HttpFilter for CdnLoopFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let LocalCdnLoop { spec, header } = &*self.0;
        let headers = cx.request_headers();
        let mut all = Vec::new();
        for value in headers.get_all(header) {
            all.extend_from_slice(value);
            all.push(b',');
        }
        let reply = match count(&all, &spec.cdn_id) {
            Ok(count) if count <= spec.max_occurrences => {
                all.extend_from_slice(&spec.cdn_id);
                headers.set(header, &all);
                return HeadersStatus::Continue;
            }
            Ok(_) => LocalReply::new(
                502,
                "The server has detected a loop between CDNs.",
                "cdn_loop_detected",
            ),
            Err(_) => LocalReply::new(
                400,
                "Invalid CDN-Loop header in request.",
                "invalid_cdn_loop_header",
            ),
        };
        cx.local_reply(reply);
        HeadersStatus::StopIteration
    }
}
