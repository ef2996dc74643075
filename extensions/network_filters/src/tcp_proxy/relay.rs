//! Carries bytes both ways once the upstream connection is there.

use super::factory::LocalTcpProxy;
use nuncio_base::Buffer;
use nuncio_net::splice::{self, Direction, Moved, Splice, Spliced};
use nuncio_net::{Close, ConnCx};
use nuncio_stream_info::StreamInfo;
use nuncio_upstream::{LocalCluster, TcpConnection};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// How many bytes one connection copies in one turn before others get theirs.
const TURN_BYTES: u64 = 256 * 1024;

/// How the upstream connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum UpstreamEnd {
    /// The network failed, or the host takes nothing any more.
    Closed,
    /// The host reset the connection.
    Reset,
    /// The host has become unhealthy, and its connections are not to outlast that.
    HostFailed,
}

impl From<&io::Error> for UpstreamEnd {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset => Self::Reset,
            _ => Self::Closed,
        }
    }
}

/// Both directions of a proxied connection.
pub(super) struct Relay {
    upstream: TcpConnection,
    cluster: Rc<LocalCluster>,
    /// What the upstream didn't take yet.
    to_upstream: Buffer,
    up: Direction,
    down: Direction,
    /// The client will send no more.
    client_ended: bool,
    /// The upstream was told so.
    upstream_write_ended: bool,
    /// The upstream will send no more.
    upstream_ended: bool,
    /// The client takes nothing any more: it is gone.
    pub client_failed: bool,
    /// Reading from the client waits for the upstream.
    client_paused: bool,
    /// Reading from the upstream waits for the client.
    upstream_paused: bool,
    /// The turn that `moved` was counted in.
    turn: Instant,
    moved: u64,
    /// When something passed last.
    pub last_activity: Instant,
}

/// What the upstream didn't take yet.
pub(super) struct Rest {
    /// Read from the client.
    pub bytes: Buffer,
    /// In a pipe.
    pub splice: Option<Box<Splice>>,
}

/// What a turn works with.
pub(super) struct Turn<'a, 'c, 't> {
    pub cx: &'a mut ConnCx<'c>,
    pub task: &'a mut Context<'t>,
    pub local: &'a LocalTcpProxy,
    pub info: &'a mut StreamInfo,
}

impl Relay {
    pub fn new(upstream: TcpConnection, cluster: Rc<LocalCluster>, now: Instant) -> Self {
        Self {
            upstream,
            cluster,
            to_upstream: Buffer::new(),
            up: Direction::default(),
            down: Direction::default(),
            client_ended: false,
            upstream_write_ended: false,
            upstream_ended: false,
            client_failed: false,
            client_paused: false,
            upstream_paused: false,
            turn: now,
            moved: 0,
            last_activity: now,
        }
    }

    /// The client sent something, or its end.
    pub fn on_data(&mut self, data: &mut Buffer, end: bool) {
        self.up.on_read(data.len() as u64);
        self.to_upstream.append(data);
        self.client_ended |= end;
    }

    /// Moves what can be moved.
    ///
    /// # Errors
    /// How the upstream connection ended, if it can't be used any more.
    pub fn poll(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        let now = turn.local.worker.now();
        if self.turn != now {
            (self.turn, self.moved) = (now, 0);
        }
        if self.upstream.guard.poll_host_failed(turn.task) {
            return Err(UpstreamEnd::HostFailed);
        }
        self.poll_up(turn)?;
        self.poll_down(turn)
    }

    /// The upstream connection's end is the host's doing.
    pub fn closed_by_peer(&mut self) {
        self.upstream.guard.closed_by_peer();
    }

    /// The upstream connection, and what it didn't take until the client went away.
    pub fn into_rest(mut self) -> (TcpConnection, Option<Rest>) {
        let splice = self.up.stop();
        let rest = (splice.is_some() || !self.to_upstream.is_empty()).then_some(Rest {
            bytes: self.to_upstream,
            splice,
        });
        (self.upstream, rest)
    }

    /// Counts what went from the client to the upstream.
    fn count_up(&mut self, turn: &mut Turn<'_, '_, '_>, moved: Moved) {
        if moved == Moved::default() {
            return;
        }
        self.last_activity = turn.local.worker.now();
        self.moved += moved.taken;
        turn.local.count_received(turn.info, moved.taken);
        self.upstream.guard.sent(moved.given);
        turn.info.upstream_mut().bytes.wire_sent += moved.given;
    }

    /// Counts what went from the upstream to the client.
    fn count_down(&mut self, turn: &mut Turn<'_, '_, '_>, moved: Moved) {
        if moved == Moved::default() {
            return;
        }
        self.last_activity = turn.local.worker.now();
        self.moved += moved.taken;
        self.upstream.guard.received(moved.taken);
        turn.info.upstream_mut().bytes.wire_received += moved.taken;
        turn.local.count_sent(turn.info, moved.given);
    }

    /// From the client to the upstream.
    fn poll_up(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        self.write_up(turn)?;
        if self.up.is_splicing() {
            self.splice_up(turn)?;
        } else if self.up.is_bulk()
            && self.to_upstream.is_empty()
            && !self.client_ended
            && self.both_plain(turn)
        {
            self.up.start();
            turn.cx.read_disable(true);
            self.splice_up(turn)?;
        }
        if self.client_ended && !self.upstream_write_ended && self.to_upstream.is_empty() {
            // A host that has gone is noticed when reading from it.
            let ended = self.upstream.transport.poll_end_write(turn.task);
            self.upstream_write_ended = ended.is_ready();
        }
        Ok(())
    }

    /// Whether the kernel can move bytes from socket to socket.
    fn both_plain(&self, turn: &mut Turn<'_, '_, '_>) -> bool {
        turn.cx.transport().raw().is_some() && self.upstream.transport.raw().is_some()
    }

    /// Writes what was read from the client; while some of it waits, no more is read.
    fn write_up(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        let before = self.to_upstream.len();
        if before > 0 {
            let written = self
                .upstream
                .transport
                .poll_write(turn.task, &mut self.to_upstream);
            let given = (before - self.to_upstream.len()) as u64;
            self.count_up(turn, Moved { taken: 0, given });
            if let Poll::Ready(Err(error)) = written {
                return Err(UpstreamEnd::from(&error));
            }
        }
        let paused = !self.to_upstream.is_empty();
        if paused != self.client_paused {
            self.client_paused = paused;
            turn.cx.read_disable(paused);
            let stats = &turn.local.stats;
            if paused {
                stats.downstream_flow_control_paused_reading_total().inc();
            } else {
                stats.downstream_flow_control_resumed_reading_total().inc();
                // The turn may be over without another read.
                turn.task.waker().wake_by_ref();
            }
        }
        Ok(())
    }

    fn splice_up(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        let budget = splice::TURN_BYTES.saturating_sub(self.moved);
        let mut moved = Moved::default();
        let result = {
            let from = turn.cx.transport().raw();
            let to = self.upstream.transport.raw();
            match (self.up.splice(), from, to) {
                (Some(splice), Some(from), Some(to)) => {
                    let pipes = &turn.local.pipes;
                    splice.poll(pipes, turn.task, (from, to), budget, &mut moved)
                }
                _ => Spliced::Over,
            }
        };
        self.count_up(turn, moved);
        let over = match result {
            Spliced::Drained => self.up.on_drained(moved.taken),
            Spliced::Blocked => false,
            Spliced::More => {
                turn.task.waker().wake_by_ref();
                false
            }
            Spliced::Over => true,
            Spliced::Failed(error) => return Err(UpstreamEnd::from(&error)),
        };
        if over {
            self.up.stop();
            turn.cx.read_disable(false);
            turn.task.waker().wake_by_ref();
        }
        Ok(())
    }

    /// From the upstream to the client.
    fn poll_down(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        if self.upstream_ended {
            return Ok(());
        }
        if self.down.is_splicing() && self.splice_down(turn) {
            return Ok(());
        }
        // What was read last is written before more is read: nothing piles up here.
        let blocked = !turn.cx.out().is_empty();
        self.pause_upstream(blocked);
        if blocked {
            return Ok(());
        }
        if self.moved >= TURN_BYTES {
            turn.task.waker().wake_by_ref();
            return Ok(());
        }
        if self.down.is_bulk() && self.both_plain(turn) {
            self.down.start();
            if self.splice_down(turn) {
                return Ok(());
            }
        }
        self.read_down(turn)
    }

    /// Reads once from the upstream; the connection writes it and comes back for more.
    fn read_down(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        let (transport, task) = (&mut self.upstream.transport, &mut *turn.task);
        let out = turn.cx.out();
        let read = turn.local.worker.with_read_block(|block| {
            let read = transport.poll_read(task, block);
            if !block.is_empty() {
                out.push(block.split().freeze());
            }
            read
        });
        match read {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(0)) => {
                self.upstream_ended = true;
                if self.upstream_write_ended {
                    // Who ends last has closed the connection.
                    self.closed_by_peer();
                }
                turn.cx.end_write();
                Ok(())
            }
            Poll::Ready(Ok(bytes)) => {
                let bytes = bytes as u64;
                self.down.on_read(bytes);
                let (taken, given) = (bytes, bytes);
                self.count_down(turn, Moved { taken, given });
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(UpstreamEnd::from(&error)),
        }
    }

    /// Whether splicing goes on; else reading in the ordinary way is next.
    fn splice_down(&mut self, turn: &mut Turn<'_, '_, '_>) -> bool {
        let budget = splice::TURN_BYTES.saturating_sub(self.moved);
        let mut moved = Moved::default();
        let result = {
            let to = turn.cx.transport().raw();
            let from = self.upstream.transport.raw();
            match (self.down.splice(), from, to) {
                (Some(splice), Some(from), Some(to)) => {
                    let pipes = &turn.local.pipes;
                    splice.poll(pipes, turn.task, (from, to), budget, &mut moved)
                }
                _ => Spliced::Over,
            }
        };
        self.count_down(turn, moved);
        match result {
            Spliced::Drained => {
                if self.down.on_drained(moved.taken) {
                    self.down.stop();
                    // The ordinary read waits for the next bytes.
                    return false;
                }
            }
            Spliced::Blocked => self.pause_upstream(true),
            Spliced::More => turn.task.waker().wake_by_ref(),
            Spliced::Over => {
                self.down.stop();
                return false;
            }
            Spliced::Failed(_) => {
                self.client_failed = true;
                turn.cx.close(Close::NoFlush);
            }
        }
        if !matches!(result, Spliced::Blocked) {
            self.pause_upstream(false);
        }
        true
    }

    /// Counts when the client begins or ceases to hold up the upstream.
    fn pause_upstream(&mut self, paused: bool) {
        if paused == self.upstream_paused {
            return;
        }
        self.upstream_paused = paused;
        let stats = self.cluster.stats();
        if paused {
            stats.upstream_flow_control_paused_reading_total().inc();
        } else {
            stats.upstream_flow_control_resumed_reading_total().inc();
        }
    }
}
