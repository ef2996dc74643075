//! A stream that is open, as the codec knows it.

use super::flow::ReceiveWindow;
use nuncio_base::{Buffer, HeaderMap};

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

    /// It is over: what it held goes.
    pub fn let_go(&mut self) {
        if !self.waiting.is_empty() {
            self.waiting = Buffer::new();
        }
        self.end = None;
        self.asked = Asked::Other;
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
