//! A downstream connection: one future that reads, runs the network filters and writes.
//!
//! An idle connection is small on purpose: its buffers exist only while something is in them.

mod closing;

use crate::filter::{Close, ConnCx, ConnectionEvent, FilterStatus, NetworkFilter, Shared};
use crate::transport::Transport;
use nuncio_base::Buffer;
use nuncio_stream_info::wanted::ROUND_TRIP_TIME;
use nuncio_stream_info::{CloseType, ConnectionInfo};
use nuncio_worker::{Timer, Worker};
use std::any::Any;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How much one connection reads in one turn before others get theirs.
const TURN_BYTES: usize = 256 * 1024;

/// What a connection is configured with.
#[derive(Clone, Debug)]
pub struct ConnectionSettings {
    /// Soft limit of its buffers in bytes (`per_connection_buffer_limit_bytes`).
    pub buffer_limit: usize,
    /// How long [`Close::FlushAndDelay`] waits for the peer to close first.
    pub delayed_close: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Open,
    /// Is to close: writes what it still has, then waits for the peer to close.
    Closing(Instant),
    Done,
}

/// A connection and its filters. Whatever `guard` is, it is dropped when the connection ends: the
/// listener counts by it.
pub struct Connection {
    transport: Transport,
    filters: Box<[Box<dyn NetworkFilter>]>,
    shared: Shared,
    input: Option<Box<Buffer>>,
    out: Option<Box<Buffer>>,
    phase: Phase,
    /// How many filters know of the connection.
    opened: u8,
    half_close: bool,
    read_ended: bool,
    write_ended: bool,
    timer: Timer,
    _guard: Option<Box<dyn Any>>,
}

impl Connection {
    /// A connection over `transport`; nothing happens before it is polled.
    pub fn new(
        transport: Transport,
        filters: Vec<Box<dyn NetworkFilter>>,
        worker: Rc<Worker>,
        info: Rc<ConnectionInfo>,
        settings: &ConnectionSettings,
        guard: Option<Box<dyn Any>>,
    ) -> Self {
        let shared = Shared {
            worker,
            info,
            buffer_limit: settings.buffer_limit,
            delayed_close: settings.delayed_close,
            read_disabled: 0,
            end_write: false,
            close: None,
            settled: false,
            resume_from: None,
            calls: None,
        };
        Self {
            transport,
            half_close: filters.iter().any(|filter| filter.half_close()),
            filters: filters.into(),
            shared,
            input: None,
            out: None,
            phase: Phase::New,
            opened: 0,
            read_ended: false,
            write_ended: false,
            timer: Timer::default(),
            _guard: guard,
        }
    }

    fn turn(&mut self, task: &mut Context<'_>, input: &mut Buffer, out: &mut Buffer) -> Poll<()> {
        if ROUND_TRIP_TIME.is_wanted() {
            self.note_round_trip_time();
        }
        let mut moved = 0;
        let mut first = true;
        let mut drained = false;
        loop {
            match self.phase {
                Phase::Done => return Poll::Ready(()),
                Phase::Closing(until) if out.is_empty() && self.transport.is_flushed() => {
                    let event = ready!(self.linger(until, task));
                    self.finish(event, out);
                }
                Phase::Closing(until) => match self.flush_until(until, task, out) {
                    Poll::Ready(()) => continue,
                    Poll::Pending => return Poll::Pending,
                },
                Phase::New | Phase::Open => {}
            }
            let waiting = out.len();
            let flushed = self.flush(task, out);
            if self.phase == Phase::Done || self.step_close(flushed, out) {
                continue;
            }
            if self.shared.close.is_some() {
                self.start_flushing();
                continue;
            }
            self.end_write(flushed, task);
            moved += waiting.saturating_sub(out.len());
            if moved >= TURN_BYTES {
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            let got = self.take_in(task, input, out, &mut drained);
            moved += got.unwrap_or(0);
            // Filters that wanted no second turn, and have nothing new to look at, get none.
            let idle = self.shared.settled && flushed && got.is_none() && !first;
            if self.phase == Phase::Done {
                continue;
            }
            if idle {
                return Poll::Pending;
            }
            first = false;
            let waiting = out.len();
            self.shared.settled = false;
            self.poll_filters(task, input, out);
            let ordered = self.shared.close.is_some()
                || (self.shared.end_write && !self.write_ended && out.is_empty());
            // Filters that let reading go on again: nobody else asks the socket.
            let resumed = got.is_none() && !drained && self.may_read(input);
            let settled = got.is_none() && !resumed && !ordered && out.len() <= waiting;
            if settled && self.phase != Phase::Done {
                return Poll::Pending;
            }
        }
    }

    #[cold]
    fn note_round_trip_time(&self) {
        let time = self.transport.socket().round_trip_time();
        let micros = time.and_then(|time| u32::try_from(time.as_micros()).ok());
        let told = micros.and_then(NonZeroU32::new);
        self.shared.info.round_trip_time.set(told);
    }

    /// Writes what waits; whether all of it went, or goes at the end of the turn.
    fn flush(&mut self, task: &mut Context<'_>, out: &mut Buffer) -> bool {
        let transport = &mut self.transport;
        if self.shared.close.is_none() {
            let worker = &self.shared.worker;
            if !out.is_empty() && transport.write_late(worker, out) {
                return true;
            }
            if out.is_empty() && !transport.is_stuck() {
                return true;
            }
        } else if out.is_empty() && transport.is_flushed() {
            return true;
        }
        match self.transport.poll_write(task, out) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(_)) => {
                self.finish(ConnectionEvent::RemoteClose, out);
                false
            }
            Poll::Pending => false,
        }
    }

    /// Whether more may be read behind what is in `input`.
    fn may_read(&self, input: &Buffer) -> bool {
        let is_open = !self.read_ended && self.shared.read_disabled == 0;
        is_open && input.len() < self.shared.buffer_limit
    }

    /// Reads once and shows the filters what came; how many bytes, or `None` where nothing did.
    /// A socket that is `drained` brings no more in the same turn of the task.
    fn take_in(
        &mut self,
        task: &mut Context<'_>,
        input: &mut Buffer,
        out: &mut Buffer,
        drained: &mut bool,
    ) -> Option<usize> {
        if self.phase == Phase::New {
            self.phase = Phase::Open;
            self.run_filters(0, input, out);
            return Some(0);
        }
        if *drained || !self.may_read(input) {
            return None;
        }
        let (transport, worker) = (&mut self.transport, &self.shared.worker);
        let result = worker.with_read_block(|block| {
            let result = transport.poll_read(task, block);
            if !block.is_empty() {
                input.push(block.split().freeze());
            }
            result
        });
        match result {
            Poll::Pending => {
                *drained = true;
                None
            }
            Poll::Ready(Ok(0)) => {
                self.read_ended = true;
                if self.half_close {
                    self.run_filters(0, input, out);
                    if self.write_ended {
                        self.shared.close = Some(Close::NoFlush);
                    }
                } else {
                    self.finish(ConnectionEvent::RemoteClose, out);
                }
                Some(0)
            }
            Poll::Ready(Ok(bytes)) => {
                self.run_filters(0, input, out);
                Some(bytes)
            }
            Poll::Ready(Err(error)) => {
                if error.kind() == std::io::ErrorKind::ConnectionReset {
                    self.shared.info.close_type.set(CloseType::RemoteReset);
                }
                self.finish(ConnectionEvent::RemoteClose, out);
                Some(0)
            }
        }
    }

    /// Shows the filters from `first` on what is in `input`, until one stops.
    fn run_filters(&mut self, first: usize, input: &mut Buffer, out: &mut Buffer) {
        for index in first..self.filters.len() {
            let Self {
                filters,
                shared,
                transport,
                ..
            } = self;
            let mut cx = ConnCx {
                shared,
                transport,
                out,
                index,
            };
            let filter = &mut filters[index];
            if usize::from(self.opened) <= index {
                self.opened += 1;
                if filter.on_new_connection(&mut cx) == FilterStatus::StopIteration {
                    return;
                }
            }
            let data = !input.is_empty() || self.read_ended;
            if data
                && filter.on_data(&mut cx, input, self.read_ended) == FilterStatus::StopIteration
            {
                return;
            }
            if self.shared.close.is_some() {
                return;
            }
        }
    }

    /// Gives every filter its turn, and finished calls theirs.
    fn poll_filters(&mut self, task: &mut Context<'_>, input: &mut Buffer, out: &mut Buffer) {
        while self.phase != Phase::Done {
            self.poll_calls(task, out);
            for index in 0..usize::from(self.opened) {
                self.with_filter(index, out, |filter, cx| filter.poll(cx, task));
            }
            let Some(from) = self.shared.resume_from.take() else {
                return;
            };
            // Filters that begin now have their turn too.
            self.run_filters(usize::from(from), input, out);
        }
    }

    fn poll_calls(&mut self, task: &mut Context<'_>, out: &mut Buffer) {
        loop {
            let Some(calls) = &mut self.shared.calls else {
                return;
            };
            let Poll::Ready((index, done)) = calls.poll_next(task) else {
                return;
            };
            self.with_filter(index, out, done);
        }
    }

    /// Calls a filter back.
    fn with_filter(
        &mut self,
        index: usize,
        out: &mut Buffer,
        call: impl FnOnce(&mut dyn NetworkFilter, &mut ConnCx<'_>),
    ) {
        let (shared, transport) = (&mut self.shared, &mut self.transport);
        let mut cx = ConnCx {
            shared,
            transport,
            out,
            index,
        };
        call(&mut *self.filters[index], &mut cx);
    }

    /// Tells the filters what happened.
    fn event(&mut self, event: ConnectionEvent, out: &mut Buffer) {
        for index in 0..usize::from(self.opened) {
            self.with_filter(index, out, |filter, cx| filter.on_event(cx, event));
        }
    }

    fn finish(&mut self, event: ConnectionEvent, out: &mut Buffer) {
        self.event(event, out);
        self.phase = Phase::Done;
    }
}

impl Future for Connection {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let worker = Rc::clone(&this.shared.worker);
        worker.tick();
        let mut input = this.input.take().unwrap_or_else(|| worker.take_buffer());
        let mut out = this.out.take().unwrap_or_else(|| worker.take_buffer());
        let result = this.turn(task, &mut input, &mut out);
        this.input = worker.keep_or_give(input);
        this.out = worker.keep_or_give(out);
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if matches!(self.phase, Phase::Open | Phase::Closing(_)) {
            // The worker ends: filters learn of it, so that logs and stats are complete.
            self.event(ConnectionEvent::LocalClose, &mut Buffer::new());
        }
        self.timer.disarm(&self.shared.worker);
    }
}

// A proxy holds very many idle connections; what one costs is guarded here and measured by the
// benchmark's s10.
const _: () = assert!(size_of::<Connection>() <= 200);
