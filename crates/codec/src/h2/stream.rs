//! The streams that are open, and which of those before were reset by us.

use super::flow::ReceiveWindow;
use nuncio_base::{Buffer, HeaderMap};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// What a stream's end is sent as, behind what waits.
#[derive(Debug)]
pub(super) enum SendEnd {
    /// END_STREAM with the last data.
    Data,
    /// Trailers.
    Trailers(HeaderMap),
}

/// A stream that is open in one direction at least.
#[derive(Debug)]
pub(super) struct Stream {
    /// The peer has not ended its direction.
    pub receives: bool,
    /// We have not ended ours.
    pub sends: bool,
    pub window: ReceiveWindow,
    /// Received and not yet taken on.
    pub unreleased: u32,
    pub send_window: i64,
    /// What its windows have not let through.
    pub waiting: Buffer,
    pub end: Option<SendEnd>,
    /// It stands in the queue of those that may send.
    pub queued: bool,
    /// It is reset once everything is sent.
    pub ends_early: bool,
    /// How much of the announced body is still to come.
    pub length_left: Option<u64>,
    /// Its final head was received.
    pub got_head: bool,
    /// What a client asked for, which tells how the response is read.
    pub asked: Asked,
}

/// What is to be remembered of a request that was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Asked {
    #[default]
    Other,
    /// HEAD: the response has no body, whatever its length.
    Head,
    /// An upgrade, by its name.
    Upgrade(Box<[u8]>),
}

impl Stream {
    pub fn new(window: u32, send_window: i64) -> Self {
        Self {
            receives: true,
            sends: true,
            window: ReceiveWindow::new(window),
            unreleased: 0,
            send_window,
            waiting: Buffer::new(),
            end: None,
            queued: false,
            ends_early: false,
            length_left: None,
            got_head: false,
            asked: Asked::Other,
        }
    }

    /// Whether anything waits that could be sent now.
    pub fn can_send(&self) -> bool {
        let data = !self.waiting.is_empty() && self.send_window > 0;
        data || (self.waiting.is_empty() && self.end.is_some())
    }

    /// Whether both directions have ended, and nothing waits.
    pub fn is_done(&self) -> bool {
        (!self.receives || self.ends_early)
            && !self.sends
            && self.end.is_none()
            && self.waiting.is_empty()
    }
}

/// The open streams by their numbers.
#[derive(Default)]
pub(super) struct Streams {
    open: HashMap<u32, Stream, BuildHasherDefault<NumberHasher>>,
    /// Those that may send, in turn.
    pub ready: VecDeque<u32>,
    reset: ResetByUs,
}

impl Streams {
    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn get(&self, id: u32) -> Option<&Stream> {
        self.open.get(&id)
    }

    pub fn get_mut(&mut self, id: u32) -> Option<&mut Stream> {
        self.open.get_mut(&id)
    }

    pub fn insert(&mut self, id: u32, stream: Stream) -> &mut Stream {
        self.open.entry(id).insert_entry(stream).into_mut()
    }

    pub fn remove(&mut self, id: u32) -> Option<Stream> {
        self.open.remove(&id)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Stream)> {
        self.open.iter_mut().map(|(id, stream)| (*id, stream))
    }

    /// Lets a stream send when its turn comes.
    pub fn queue(&mut self, id: u32) {
        if let Some(stream) = self.open.get_mut(&id)
            && !stream.queued
            && stream.can_send()
        {
            stream.queued = true;
            self.ready.push_back(id);
        }
    }

    /// We have reset it: what the peer sent before it knows is no error.
    pub fn note_reset(&mut self, id: u32) {
        self.reset.add(id);
    }

    /// The peer has reset it too: what comes after that can't be of before.
    pub fn forget_reset(&mut self, id: u32) {
        self.reset.last.retain(|other| *other != id);
    }

    /// Whether frames on a closed stream may be of the time before our reset.
    pub fn may_be_late(&self, id: u32) -> bool {
        self.reset.has(id)
    }
}

/// The streams that were reset by us last. Of older ones nobody knows any more, so that all of
/// them count as reset.
#[derive(Default)]
struct ResetByUs {
    last: VecDeque<u32>,
    forgotten: u32,
}

impl ResetByUs {
    const KEPT: usize = 64;

    fn add(&mut self, id: u32) {
        if self.last.len() == Self::KEPT
            && let Some(oldest) = self.last.pop_front()
        {
            self.forgotten = self.forgotten.max(oldest);
        }
        self.last.push_back(id);
    }

    fn has(&self, id: u32) -> bool {
        id <= self.forgotten || self.last.contains(&id)
    }
}

/// Numbers of streams are consecutive odd ones; there are no more of them than streams may be open.
#[derive(Default)]
struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32((*byte).into());
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
