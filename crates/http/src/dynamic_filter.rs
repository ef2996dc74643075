//! A filter of a chain whose configuration, and type, is delivered and may change: each new stream
//! gets the newest (Envoy's "Extension configuration discovery").

use crate::cx::Cx;
use crate::factory::{HttpFilterSpec, LocalFilter};
use crate::filter::{HeadersStatus, Hooks, HttpFilter};
use crate::local_reply::LocalReply;
use nuncio_codec::End;
use nuncio_stream_info::ResponseFlag;
use nuncio_worker::{Current, Published, Worker};
use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// What was delivered last.
#[derive(Clone, Default)]
pub struct DeliveredFilter {
    /// Another number for each filter.
    pub number: u64,
    /// The filter; none as long as none was delivered.
    pub spec: Option<Arc<dyn HttpFilterSpec>>,
}

/// A filter that is delivered.
pub struct DynamicFilterSpec {
    /// The filter.
    pub current: Published<DeliveredFilter>,
    /// What delivers it ends when this is dropped by all.
    pub provider: Option<Arc<dyn Any + Send + Sync>>,
}

impl HttpFilterSpec for DynamicFilterSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalFilter> {
        Rc::new(LocalDynamic {
            current: self.current.on(worker),
            worker: Rc::clone(worker),
            known: RefCell::new((0, Rc::new(Missing))),
        })
    }
}

struct LocalDynamic {
    current: Current<DeliveredFilter>,
    worker: Rc<Worker>,
    /// This worker's part of the filter with the number.
    known: RefCell<(u64, Rc<dyn LocalFilter>)>,
}

impl LocalDynamic {
    fn local(&self) -> Rc<dyn LocalFilter> {
        let current = self.current.get();
        let mut known = self.known.borrow_mut();
        if known.0 != current.number {
            let local = match &current.spec {
                Some(spec) => spec.localize(&self.worker),
                None => Rc::new(Missing),
            };
            *known = (current.number, local);
        }
        Rc::clone(&known.1)
    }
}

impl LocalFilter for LocalDynamic {
    fn hooks(&self) -> Hooks {
        self.local().hooks()
    }

    fn create(&self) -> Box<dyn HttpFilter> {
        self.local().create()
    }

    fn renew(&self, filter: &mut Box<dyn HttpFilter>) {
        self.local().renew(filter);
    }

    fn changes(&self) -> bool {
        true
    }
}

/// Stands in for a filter that was not delivered: no request passes.
struct Missing;

impl LocalFilter for Missing {
    fn hooks(&self) -> Hooks {
        Hooks::REQUEST_HEADERS
    }

    fn create(&self) -> Box<dyn HttpFilter> {
        Box::new(Self)
    }

    fn renew(&self, filter: &mut Box<dyn HttpFilter>) {
        *filter = self.create();
    }
}

impl HttpFilter for Missing {
    fn request_headers(&mut self, cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        let reply = LocalReply::new(500, "", "");
        cx.local_reply(reply.flag(ResponseFlag::NoFilterConfigFound));
        HeadersStatus::StopIteration
    }
}
