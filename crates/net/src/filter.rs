//! Network filters: what a connection's bytes pass through (Envoy's `network/filter.h`).

use crate::pending_calls::{CallId, PendingCalls};
use crate::transport::Transport;
use nuncio_base::Buffer;
use nuncio_stream_info::ConnectionInfo;
use nuncio_worker::Worker;
use std::any::Any;
use std::future::Future;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

/// What a filter says of the data it was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FilterStatus {
    /// On to the next filter.
    Continue,
    /// No further; the data stays in the buffer until [`ConnCx::continue_reading`].
    StopIteration,
}

/// How a connection is closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Close {
    /// Once everything is written, and the peer has closed or a delay has passed, so that the peer
    /// can read the end of what it was sent before a reset meets it.
    FlushAndDelay,
    /// Once everything is written.
    Flush,
    /// At once; what is not written is lost.
    NoFlush,
    /// At once, by a TCP reset.
    Reset,
}

/// What happened to the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionEvent {
    /// The peer closed, or the network failed.
    RemoteClose,
    /// This side closed.
    LocalClose,
}

/// A filter on one connection. Drop is the end: timers and calls the filter started go with it.
pub trait NetworkFilter: Any {
    /// The connection is there; nothing was read yet.
    fn on_new_connection(&mut self, _cx: &mut ConnCx<'_>) -> FilterStatus {
        FilterStatus::Continue
    }

    /// Data was read; what a filter leaves in `data` goes on to the next. `end`: the peer will send
    /// no more.
    fn on_data(&mut self, _cx: &mut ConnCx<'_>, _data: &mut Buffer, _end: bool) -> FilterStatus {
        FilterStatus::Continue
    }

    /// The connection's turn: a filter that drives something of its own (an upstream connection,
    /// deadlines) does it here, with the task's waker.
    fn poll(&mut self, _cx: &mut ConnCx<'_>, _task: &mut Context<'_>) {}

    /// All was written that the filter wanted to be before it closed; now the peer is given time
    /// to close first ([`Close::FlushAndDelay`]). [`on_event`](Self::on_event) follows.
    fn on_delayed_close(&mut self, _cx: &mut ConnCx<'_>) {}

    /// Something happened to the connection.
    fn on_event(&mut self, _cx: &mut ConnCx<'_>, _event: ConnectionEvent) {}

    /// The peer was given time to read the rest, or to close, and did not.
    fn on_delayed_close_timeout(&mut self) {}

    /// Whether the peer may end its direction and still be answered.
    fn half_close(&self) -> bool {
        false
    }
}

/// What a finished call does with the filter that made it.
pub type ConnDone = Box<dyn FnOnce(&mut dyn NetworkFilter, &mut ConnCx<'_>)>;

/// The parts of a connection that filters reach; they outlive a turn.
pub(crate) struct Shared {
    pub worker: Rc<Worker>,
    pub info: Rc<ConnectionInfo>,
    /// Soft limit on what waits to be written, and on what is read ahead.
    pub buffer_limit: usize,
    /// How long [`Close::FlushAndDelay`] waits for the peer.
    pub delayed_close: Duration,
    pub read_disabled: u16,
    pub end_write: bool,
    pub close: Option<Close>,
    /// A terminal filter has nothing to do until it is woken, data comes or space is made.
    pub settled: bool,
    /// The filter behind which reading goes on.
    pub resume_from: Option<u8>,
    pub calls: Option<Box<PendingCalls<ConnDone>>>,
}

/// What a filter may see, order and wait for. Orders are carried out after its callback returns.
pub struct ConnCx<'a> {
    pub(crate) shared: &'a mut Shared,
    pub(crate) transport: &'a mut Transport,
    pub(crate) out: &'a mut Buffer,
    pub(crate) index: usize,
}

impl ConnCx<'_> {
    /// The worker this connection lives on.
    pub fn worker(&self) -> &Rc<Worker> {
        &self.shared.worker
    }

    /// The connection's facts.
    pub fn info(&self) -> &Rc<ConnectionInfo> {
        &self.shared.info
    }

    /// The connection's transport, for a terminal filter that moves bytes by itself (`splice`).
    pub fn transport(&mut self) -> &mut Transport {
        self.transport
    }

    /// What is to be written: a terminal filter adds to it. It is sent when the callback returns.
    pub fn out(&mut self) -> &mut Buffer {
        self.out
    }

    /// Whether so much waits to be written that no more should be made.
    pub fn write_blocked(&self) -> bool {
        self.out.len() >= self.shared.buffer_limit
    }

    /// The soft limit of this connection's buffers, in bytes.
    pub fn buffer_limit(&self) -> usize {
        self.shared.buffer_limit
    }

    /// Stops or resumes reading; counted, so that several may hold it.
    pub fn read_disable(&mut self, disable: bool) {
        let count = &mut self.shared.read_disabled;
        *count = if disable {
            *count + 1
        } else {
            count.saturating_sub(1)
        };
    }

    /// Ends the writing direction once everything is written.
    pub fn end_write(&mut self) {
        self.shared.end_write = true;
    }

    /// Closes the connection; of several orders the hardest counts.
    pub fn close(&mut self, close: Close) {
        self.shared.close = self.shared.close.max(Some(close));
    }

    /// Sets how long [`Close::FlushAndDelay`] waits for the peer to close first; zero: not at all.
    pub fn set_delayed_close(&mut self, delay: Duration) {
        self.shared.delayed_close = delay;
    }

    /// Whether the connection is being closed.
    pub fn is_closing(&self) -> bool {
        self.shared.close.is_some()
    }

    /// Says, in a terminal filter's [`NetworkFilter::poll`], that everything was done and whatever
    /// comes next wakes the task: writing what was made needs no second turn then.
    pub fn settled(&mut self) {
        self.shared.settled = true;
    }

    /// Goes on behind a filter that stopped the iteration.
    pub fn continue_reading(&mut self) {
        self.shared.resume_from = u8::try_from(self.index + 1).ok();
    }

    /// Shows this filter what was read before it could take it.
    pub fn show_pending(&mut self) {
        self.shared.resume_from = u8::try_from(self.index).ok();
    }

    /// Waits for `future` and then calls `then` on this filter, unless the connection ends before.
    pub fn call<F: NetworkFilter, T: 'static>(
        &mut self,
        future: impl Future<Output = T> + 'static,
        then: fn(&mut F, &mut ConnCx<'_>, T),
    ) -> CallId {
        let index = self.index;
        self.shared
            .calls
            .get_or_insert_default()
            .add(index, async move {
                let value = future.await;
                let done: ConnDone = Box::new(move |filter, cx| {
                    match (filter as &mut dyn Any).downcast_mut::<F>() {
                        Some(filter) => then(filter, cx, value),
                        None => nuncio_base::bug!("a call came back to another filter"),
                    }
                });
                done
            })
    }

    /// Forgets a call.
    pub fn cancel(&mut self, call: CallId) {
        if let Some(calls) = &mut self.shared.calls {
            calls.cancel(call);
        }
    }
}
