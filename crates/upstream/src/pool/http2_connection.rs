//! One HTTP/2 connection to a host, as its streams and its task share it.

use super::client_stream::ClientStreamInfo;
use super::http2_stream::Http2Stream;
use crate::local_cluster::ClusterCore;
use nuncio_base::HeaderMap;
use nuncio_codec::h2::{ErrorCode, H2Connection};
use nuncio_codec::{End, Frame, ResetReason};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::Waker;
use std::time::{Duration, Instant};

/// How many streams that are over are kept for the next ones.
const SPARE_STREAMS: usize = 128;

/// How far a connection's life is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// It takes no more streams, and ends with the last.
    Draining,
    Ended,
}

/// A connection.
pub(crate) struct Http2Connection {
    pub core: Rc<ClusterCore>,
    pub info: ClientStreamInfo,
    pub codec: RefCell<H2Connection>,
    /// The streams that somebody has, by their numbers.
    streams: RefCell<Vec<(u32, Rc<Http2Stream>)>>,
    /// Streams that are over, for the next ones.
    spare: RefCell<Vec<Rc<Http2Stream>>>,
    /// Wakes the connection's task.
    task: Waker,
    phase: Cell<Phase>,
    /// Places that are taken.
    seats: Cell<u32>,
    /// Requests so far.
    pub carried: Cell<u64>,
    /// How many requests it may still take.
    left: Cell<Option<u32>>,
    /// Streams that wait until less is to be written.
    pub blocked: Cell<u32>,
    /// Since when there is no stream.
    pub idle_since: Cell<Instant>,
    /// When something last came.
    pub heard_at: Cell<Instant>,
    /// After how long a silence a PING goes ahead of a request.
    ping_after: Option<Duration>,
    /// A PING went ahead of a request: its answer is waited for from now on.
    pub pinged: Cell<bool>,
}

impl Http2Connection {
    pub fn new(core: &Rc<ClusterCore>, info: ClientStreamInfo, task: Waker) -> Rc<Self> {
        let left = core.spec().http.max_requests_per_connection;
        let keep_alive = core.spec().http.http2.keep_alive;
        Rc::new(Self {
            info,
            codec: RefCell::new(H2Connection::client(core.http2_local())),
            streams: RefCell::default(),
            spare: RefCell::default(),
            task,
            phase: Cell::new(Phase::Open),
            seats: Cell::new(0),
            carried: Cell::new(0),
            left: Cell::new(left.map(u32::from)),
            blocked: Cell::new(0),
            idle_since: Cell::new(core.worker.now()),
            heard_at: Cell::new(core.worker.now()),
            ping_after: keep_alive.and_then(|settings| settings.idle_interval),
            pinged: Cell::new(false),
            core: Rc::clone(core),
        })
    }

    /// How many streams may be added.
    pub fn room(&self) -> u32 {
        let codec = self.codec.borrow();
        if self.phase.get() != Phase::Open || codec.is_exhausted() {
            return 0;
        }
        let room = codec.max_streams().saturating_sub(self.seats.get());
        room.min(self.left.get().unwrap_or(u32::MAX))
    }

    /// How many streams it will likely take, of one that has not heard from its peer.
    pub fn unheard_room(&self) -> usize {
        if self.phase.get() != Phase::Open || self.codec.borrow().knows_peer() {
            return 0;
        }
        let most = self.core.spec().http.http2.max_concurrent_streams;
        let room = most.saturating_sub(self.seats.get());
        room.min(self.left.get().unwrap_or(u32::MAX)) as usize
    }

    pub fn sit_down(&self) {
        self.seats.set(self.seats.get() + 1);
        self.carried.set(self.carried.get() + 1);
        if let Some(left) = self.left.get() {
            self.left.set(Some(left.saturating_sub(1)));
            if left <= 1 {
                self.core.stats.upstream_cx_max_requests().inc();
                self.drain();
            }
        }
    }

    pub fn stand_up(&self) {
        let seats = self.seats.get() - 1;
        self.seats.set(seats);
        if seats == 0 {
            self.idle_since.set(self.core.worker.now());
            if self.phase.get() == Phase::Draining {
                self.wake();
            }
        }
    }

    /// Places that are taken.
    pub fn seats(&self) -> usize {
        self.seats.get() as usize
    }

    /// Whether no stream is on it.
    pub fn is_idle(&self) -> bool {
        self.seats.get() == 0
    }

    pub fn is_ended(&self) -> bool {
        self.phase.get() == Phase::Ended
    }

    pub fn is_draining(&self) -> bool {
        self.phase.get() == Phase::Draining
    }

    /// Takes no more streams, and ends when there is none.
    pub fn drain(&self) {
        if self.phase.get() == Phase::Open {
            self.phase.set(Phase::Draining);
            self.wake();
        }
    }

    /// Lets the connection's task write what there is.
    pub fn wake(&self) {
        self.task.wake_by_ref();
    }

    /// A stream that is not open yet.
    pub fn new_stream(&self) -> Rc<Http2Stream> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    /// Keeps a stream that is over, where nobody has it but who lets it go now.
    pub fn reuse(&self, stream: &Rc<Http2Stream>) {
        let mut spare = self.spare.borrow_mut();
        if Rc::strong_count(stream) == 1 && spare.len() < SPARE_STREAMS {
            stream.renew();
            spare.push(Rc::clone(stream));
        }
    }

    /// Opens a stream; `None`: the connection has ended meanwhile.
    pub fn open(&self, headers: &HeaderMap, end: End, stream: &Rc<Http2Stream>) -> Option<u32> {
        if self.is_ended() {
            return None;
        }
        let mut codec = self.codec.borrow_mut();
        if let Some(silence) = self.ping_after
            && self.core.worker.now() - self.heard_at.get() > silence
        {
            codec.ping(0);
            self.pinged.set(true);
        }
        let before = codec.output_len();
        let id = codec.open(headers, end)?;
        let written = (codec.output_len() - before) as u64;
        stream.count(|bytes| {
            bytes.header_sent += written;
            bytes.wire_sent += written;
        });
        self.streams.borrow_mut().push((id, Rc::clone(stream)));
        self.wake();
        Some(id)
    }

    /// A stream is of no more use to whoever had it. Whether it was reset by that.
    pub fn leave(&self, id: u32, is_complete: bool) -> bool {
        self.take(id);
        let mut codec = self.codec.borrow_mut();
        if is_complete || !codec.is_open(id) {
            return false;
        }
        codec.reset(id, ErrorCode::INTERNAL);
        self.wake();
        true
    }

    fn take(&self, id: u32) -> Option<Rc<Http2Stream>> {
        let mut streams = self.streams.borrow_mut();
        let at = streams.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(streams.remove(at).1)
    }

    /// Gives a frame to its stream; `head_bytes`: the bytes of its header block on the wire, where
    /// it is one.
    pub fn deliver(&self, id: u32, frame: Frame, head_bytes: usize) {
        let streams = self.streams.borrow();
        match streams.binary_search_by_key(&id, |(id, _)| *id) {
            Ok(at) => {
                let stream = &streams[at].1;
                stream.count_received(&frame, head_bytes);
                stream.receive(frame);
            }
            Err(_) => self.codec.borrow_mut().release(id),
        }
    }

    /// A stream has ended before its response did.
    pub fn reset(&self, id: u32, reason: ResetReason, by_peer: bool) {
        if let Some(stream) = self.take(id) {
            stream.count_reset(by_peer);
            stream.receive(Frame::Reset(reason));
        }
    }

    /// What came of the streams behind the last that the peer has taken: nothing.
    pub fn refuse_behind(&self, last: u32) {
        let mut streams = self.streams.borrow_mut();
        let first = streams.partition_point(|(id, _)| *id <= last);
        let refused = streams.split_off(first);
        drop(streams);
        for (id, stream) in refused {
            self.codec.borrow_mut().forget(id);
            stream.receive(Frame::Reset(ResetReason::RemoteRefusedStreamReset));
        }
    }

    /// The connection is gone, and all its streams with it.
    pub fn end(&self, reason: ResetReason) {
        self.phase.set(Phase::Ended);
        let streams = std::mem::take(&mut *self.streams.borrow_mut());
        for (_, stream) in streams {
            stream.receive(Frame::Reset(reason));
        }
    }

    /// Wakes the streams for which there is room again.
    pub fn unblock(&self) {
        if self.blocked.get() == 0 {
            return;
        }
        let limit = self.core.spec().per_connection_buffer_limit as usize;
        let codec = self.codec.borrow();
        for (id, stream) in &*self.streams.borrow() {
            if stream.is_blocked() && codec.waiting(*id) <= limit / 2 {
                stream.set_blocked(self, false);
                stream.wake();
            }
        }
    }
}
