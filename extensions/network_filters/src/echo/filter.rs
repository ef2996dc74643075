//! The filter.

use nuncio_base::Buffer;
use nuncio_net::{
    ConnCx, ConnectionEvent, FilterStatus, LocalNetworkFilterFactory, NetworkFilter,
    NetworkFilterFactory, NewConnection,
};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::task::Context;

/// Makes echo filters; there is nothing to configure.
pub struct EchoFactory;

impl NetworkFilterFactory for EchoFactory {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalNetworkFilterFactory for EchoFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Echo {
            paused: false,
            echoed: 0,
        })
    }
}

struct Echo {
    /// Whether reading waits for the client to read.
    paused: bool,
    echoed: u64,
}

impl NetworkFilter for Echo {
    fn on_data(&mut self, cx: &mut ConnCx<'_>, data: &mut Buffer, _end: bool) -> FilterStatus {
        self.echoed += data.len() as u64;
        cx.out().append(data);
        if !self.paused && cx.write_blocked() {
            self.paused = true;
            cx.read_disable(true);
        }
        FilterStatus::StopIteration
    }

    fn poll(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        if self.paused && !cx.write_blocked() {
            self.paused = false;
            cx.read_disable(false);
            // The turn may be over without another read.
            task.waker().wake_by_ref();
        }
    }

    fn on_event(&mut self, cx: &mut ConnCx<'_>, _event: ConnectionEvent) {
        let echoed = self.echoed;
        cx.info().summarize(|stream| {
            stream.bytes_received = echoed;
            stream.bytes_sent = echoed;
        });
    }
}
