//! The filter.

use nuncio_base::Buffer;
use nuncio_config::filter_state_value::FilterStateValue;
use nuncio_http::format_cx::with_headers;
use nuncio_net::{
    ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_stream_info::{LifeSpan, StreamInfo, Timings};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// What is left, and when.
#[derive(Clone)]
pub struct SetFilterStateSpec {
    /// With a new connection, and once its handshake is over: filters are there from then on.
    pub at_start: [Arc<[FilterStateValue]>; 2],
    /// With the first bytes.
    pub on_data: Arc<[FilterStateValue]>,
}

impl NetworkFilterFactory for SetFilterStateSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(Local {
            spec: self.clone(),
            worker: Rc::clone(worker),
        })
    }
}

struct Local {
    spec: SetFilterStateSpec,
    worker: Rc<Worker>,
}

impl LocalNetworkFilterFactory for Local {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Filter {
            at_start: self.spec.at_start.clone(),
            on_data: Some(Arc::clone(&self.spec.on_data)),
            worker: Rc::clone(&self.worker),
        })
    }
}

struct Filter {
    at_start: [Arc<[FilterStateValue]>; 2],
    /// There until the first bytes.
    on_data: Option<Arc<[FilterStateValue]>>,
    worker: Rc<Worker>,
}

impl Filter {
    fn leave(&self, values: &[FilterStateValue], cx: &ConnCx<'_>) {
        if values.is_empty() {
            return;
        }
        let connection = cx.info();
        let timings = Timings::new(connection.start_time, connection.start);
        let mut info = StreamInfo::new(Rc::clone(connection), timings);
        info.metadata.clone_from(&connection.metadata.borrow());
        for value in values {
            let mut text = Vec::new();
            with_headers(&self.worker, &info, None, None, |format_cx| {
                value.format.append(format_cx, &mut text);
            });
            let mut state = connection.filter_state.borrow_mut();
            value.leave(&mut state, LifeSpan::Connection, text);
        }
    }
}

impl NetworkFilter for Filter {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        self.at_start
            .iter()
            .for_each(|values| self.leave(values, cx));
        FilterStatus::Continue
    }

    fn on_data(&mut self, cx: &mut ConnCx<'_>, _data: &mut Buffer, _end: bool) -> FilterStatus {
        if let Some(values) = self.on_data.take() {
            self.leave(&values, cx);
        }
        FilterStatus::Continue
    }
}
