//! What filters ordered and the settle loop has not yet carried out.

use crate::cx::Cx;
use crate::filter::{Direction, HttpFilter};
use crate::local_reply::LocalReply;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::{End, ResetReason};
use std::collections::VecDeque;

/// What a finished call does with the filter that made it.
pub type HttpDone = Box<dyn FnOnce(&mut dyn HttpFilter, &mut Cx<'_>)>;

/// A step of a terminal filter's response.
#[derive(Debug)]
pub enum Respond {
    /// An interim head.
    Informational(HeaderMap),
    /// The response's headers.
    Headers(HeaderMap, End),
    /// A piece of body.
    Data(Buffer, End),
    /// Trailers.
    Trailers(HeaderMap),
}

/// Orders in the order given; empty vectors keep their memory for the next stream.
#[derive(Default)]
pub struct Orders {
    pub(crate) local_reply: Option<LocalReply>,
    pub(crate) reset: Option<ResetReason>,
    pub(crate) resumes: Vec<(usize, Direction)>,
    pub(crate) responses: VecDeque<Respond>,
    pub(crate) injected: VecDeque<(usize, Direction, Buffer, End)>,
    /// Body added in the callback that just ran.
    pub(crate) added: Buffer,
}

impl Orders {
    /// Whether an order ends the pass through the filters that is under way.
    pub(crate) fn interrupt(&self) -> bool {
        self.local_reply.is_some() || self.reset.is_some()
    }

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        !self.interrupt()
            && self.resumes.is_empty()
            && self.responses.is_empty()
            && self.injected.is_empty()
            && self.added.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        if self.is_empty() {
            return;
        }
        self.local_reply = None;
        self.reset = None;
        self.resumes.clear();
        self.responses.clear();
        self.injected.clear();
        self.added.clear();
    }
}
