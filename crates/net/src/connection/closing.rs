//! How a connection ends: at once, when all is written, or after its peer.

use super::{Connection, Phase, TURN_BYTES};
use crate::filter::{Close, ConnectionEvent};
use nuncio_base::Buffer;
use nuncio_stream_info::CloseType;
use std::task::{Context, Poll, ready};
use std::time::Instant;

impl Connection {
    /// Carries out an order to close as far as it can be; whether that changed the phase.
    pub(super) fn step_close(&mut self, flushed: bool, out: &mut Buffer) -> bool {
        match self.shared.close {
            Some(Close::Reset) => {
                self.shared.info.close_type.set(CloseType::LocalReset);
                self.transport.socket().reset_on_close();
            }
            Some(Close::NoFlush) => {}
            Some(Close::FlushAndDelay) if flushed && !self.shared.delayed_close.is_zero() => {
                for index in 0..usize::from(self.opened) {
                    self.with_filter(index, out, |filter, cx| filter.on_delayed_close(cx));
                }
                let until = self.shared.worker.now() + self.shared.delayed_close;
                self.phase = Phase::Closing(until);
                return true;
            }
            Some(Close::Flush | Close::FlushAndDelay) if flushed => {}
            Some(Close::Flush | Close::FlushAndDelay) | None => return false,
        }
        self.finish(ConnectionEvent::LocalClose, out);
        true
    }

    /// There is no room for what is left: it is given as long as a peer that is to close.
    pub(super) fn start_flushing(&mut self) {
        self.phase = Phase::Closing(self.shared.worker.now() + self.shared.delayed_close);
    }

    /// Goes on writing while that makes progress; ready when the phase is another.
    pub(super) fn flush_until(
        &mut self,
        until: Instant,
        task: &mut Context<'_>,
        out: &mut Buffer,
    ) -> Poll<()> {
        let waiting = out.len();
        let flushed = self.flush(task, out);
        if self.phase == Phase::Done || self.step_close(flushed, out) {
            return Poll::Ready(());
        }
        if out.len() < waiting {
            self.start_flushing();
            return Poll::Ready(());
        }
        if self.shared.delayed_close.is_zero() {
            return Poll::Pending;
        }
        let worker = &self.shared.worker;
        ready!(self.timer.poll(worker, Some(until), task));
        self.tell_of_timeout();
        self.finish(ConnectionEvent::LocalClose, out);
        Poll::Ready(())
    }

    /// Ends the writing direction if a filter asked for it and all is written; a connection that
    /// has ended both ways is over.
    pub(super) fn end_write(&mut self, flushed: bool, task: &mut Context<'_>) {
        if self.shared.end_write && flushed && !self.write_ended {
            // The peer may have gone; reading will tell.
            self.write_ended = !matches!(self.transport.poll_end_write(task), Poll::Pending);
            if self.write_ended && self.read_ended {
                self.shared.close = Some(Close::NoFlush);
                task.waker().wake_by_ref();
            }
        }
    }

    /// Waits for the peer to close, throwing away what it still sends; who closed in the end.
    pub(super) fn linger(
        &mut self,
        until: Instant,
        task: &mut Context<'_>,
    ) -> Poll<ConnectionEvent> {
        let (transport, worker) = (&mut self.transport, &self.shared.worker);
        let mut thrown = 0;
        while thrown < TURN_BYTES {
            let read = worker.with_read_block(|block| {
                let read = transport.poll_read(task, block);
                block.clear();
                read
            });
            match read {
                Poll::Ready(Ok(bytes)) if bytes > 0 => thrown += bytes,
                Poll::Ready(_) => return Poll::Ready(ConnectionEvent::RemoteClose),
                Poll::Pending => return self.await_peer(until, task),
            }
        }
        task.waker().wake_by_ref();
        self.await_peer(until, task)
    }

    fn tell_of_timeout(&mut self) {
        let filters = self.filters.iter_mut().take(self.opened.into());
        filters.for_each(|filter| filter.on_delayed_close_timeout());
    }

    fn await_peer(&mut self, until: Instant, task: &Context<'_>) -> Poll<ConnectionEvent> {
        ready!(self.timer.poll(&self.shared.worker, Some(until), task));
        self.tell_of_timeout();
        Poll::Ready(ConnectionEvent::LocalClose)
    }
}
