//! Writes the rest to the upstream after the client has gone.
//!
//! What the upstream sends is thrown away, and its end is waited for a moment: a socket that is
//! closed with something unread is reset, and what it had still to send is lost.

use super::factory::LocalTcpProxy;
use super::relay::Rest;
use nuncio_net::splice::Moved;
use nuncio_upstream::TcpConnection;
use nuncio_worker::Timer;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How long the host may take to close once it has everything.
const LINGER: Duration = Duration::from_secs(1);

/// How many reads are thrown away before others get their turn.
const READS_PER_TURN: usize = 8;

/// One upstream connection that still has something to get; a task of its own. It ends when all is
/// written, the host fails, or nothing moves for the idle timeout.
pub(super) struct Flush {
    local: Rc<LocalTcpProxy>,
    upstream: TcpConnection,
    rest: Rest,
    last_activity: Instant,
    /// Once all is written: when to give up waiting for the host's end.
    linger_until: Option<Instant>,
    host_ended: bool,
    timer: Timer,
}

impl Flush {
    pub fn new(local: Rc<LocalTcpProxy>, upstream: TcpConnection, rest: Rest) -> Self {
        local.stats.upstream_flush_total().inc();
        local.stats.upstream_flush_active().inc();
        Self {
            upstream,
            rest,
            last_activity: local.worker.now(),
            linger_until: None,
            host_ended: false,
            timer: Timer::default(),
            local,
        }
    }

    /// Ready when all is written.
    ///
    /// # Errors
    /// Where nothing more can be.
    fn write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let transport = &mut self.upstream.transport;
        let before = self.rest.bytes.len();
        let mut written = match before {
            0 => Poll::Ready(Ok(())),
            _ => transport.poll_write(task, &mut self.rest.bytes),
        };
        let mut moved = Moved {
            taken: 0,
            given: (before - self.rest.bytes.len()) as u64,
        };
        if let (Poll::Ready(Ok(())), Some(splice), Some(socket)) =
            (&written, &mut self.rest.splice, transport.raw())
        {
            written = splice.drain(task, socket, &mut moved);
        }
        if moved.given > 0 {
            self.upstream.guard.sent(moved.given);
            self.last_activity = self.local.worker.now();
        }
        ready!(written)?;
        transport.poll_end_write(task)
    }

    /// Throws away what the host sends; ready at its end.
    fn discard(&mut self, task: &mut Context<'_>) -> Poll<()> {
        for _ in 0..READS_PER_TURN {
            let (transport, worker) = (&mut self.upstream.transport, &self.local.worker);
            let read = worker.with_read_block(|block| {
                let read = transport.poll_read(task, block);
                block.clear();
                read
            });
            match ready!(read) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Future for Flush {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.local.worker.tick();
        if this.linger_until.is_none() {
            match this.write(task) {
                Poll::Ready(Ok(())) => {
                    this.linger_until = Some(this.local.worker.now() + LINGER);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        let ended = this.host_ended || this.discard(task).is_ready();
        this.host_ended = ended;
        if ended && this.linger_until.is_some() {
            return Poll::Ready(());
        }
        let idle_timeout = this.local.spec.idle_timeout;
        let idle_at = idle_timeout.map(|timeout| this.last_activity + timeout);
        let deadline = this.linger_until.or(idle_at);
        let passed = this.timer.poll(&this.local.worker, deadline, task);
        if passed.is_ready() && this.linger_until.is_none() {
            this.local.stats.idle_timeout().inc();
        }
        passed
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.timer.disarm(&self.local.worker);
        self.local.stats.upstream_flush_active().dec();
    }
}
