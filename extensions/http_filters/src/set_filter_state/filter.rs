//! The filter on one stream.

use nuncio_codec::End;
use nuncio_config::filter_state_value::FilterStateValue;
use nuncio_http::factory::{HttpFilterFactory, HttpFilterSpec, Local, LocalFilter};
use nuncio_http::format_cx::with_format_cx;
use nuncio_http::{Cx, HeadersStatus, Hooks, HttpFilter};
use nuncio_stream_info::LifeSpan;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// The filter's configuration.
#[derive(Clone, Debug)]
pub struct SetFilterStateSpec {
    /// What is left with the request's headers, in order.
    pub objects: Arc<[FilterStateValue]>,
    /// Whether the route is looked for anew afterwards.
    pub clear_route_cache: bool,
}

impl HttpFilterSpec for SetFilterStateSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(Local(Rc::new(self.clone())))
    }
}

impl HttpFilterFactory for SetFilterStateSpec {
    type Filter = SetFilterStateFilter;

    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(self: &Rc<Self>) -> SetFilterStateFilter {
        SetFilterStateFilter(Rc::clone(self))
    }
}

/// The filter.
pub struct SetFilterStateFilter(Rc<SetFilterStateSpec>);

impl HttpFilter for SetFilterStateFilter {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        for object in self.0.objects.iter() {
            let mut text = Vec::new();
            with_format_cx(cx.state(), |format_cx| {
                object.format.append(format_cx, &mut text);
            });
            object.leave(&mut cx.info().filter_state, LifeSpan::FilterChain, text);
        }
        if self.0.clear_route_cache {
            cx.clear_route();
        }
        HeadersStatus::Continue
    }
}
