//! HTTP filters: the contract between a filter and the chain it stands in.
//!
//! Names and statuses are Envoy's (`envoy/http/filter.h`), and so are their meanings. What differs:
//! a callback cannot reach the chain. It returns a status and records orders in its [`Cx`]; one
//! loop carries them out afterwards, so nothing is ever called from within itself.

use crate::bulk::BulkBody;
use crate::cx::Cx;
use crate::local_reply::LocalReply;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::End;
use std::any::Any;
use std::task::Context;

/// What a filter says of headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeadersStatus {
    /// On to the next filter.
    Continue,
    /// On, but the message does not end here even where it was headers only.
    ContinueAndDontEndStream,
    /// No further; this filter is still shown the body.
    StopIteration,
    /// No further, and the body is buffered unseen; beyond the limit the stream fails.
    StopAllIterationAndBuffer,
    /// No further, and the body is buffered unseen; beyond the limit the sender is held back.
    StopAllIterationAndWatermark,
}

/// What a filter says of a piece of body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataStatus {
    /// On to the next filter, with what is buffered.
    Continue,
    /// Buffered; beyond the limit the stream fails with 413 or 500.
    StopIterationAndBuffer,
    /// Buffered; beyond the limit the sender is held back.
    StopIterationAndWatermark,
    /// No further; the filter has taken what it wanted, the rest is dropped.
    StopIterationNoBuffer,
}

/// What a filter says of trailers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrailersStatus {
    /// On to the next filter.
    Continue,
    /// No further.
    StopIteration,
}

/// What a filter says of a local reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalReplyStatus {
    /// Send it.
    Continue,
    /// Reset the stream instead.
    ContinueAndResetStream,
}

/// One of the two directions of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From downstream to upstream.
    Request,
    /// From upstream to downstream.
    Response,
}

/// Which callbacks a filter has; the chain skips the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hooks(u16);

impl Hooks {
    /// No callback.
    pub const NONE: Self = Self(0);
    /// [`HttpFilter::request_headers`].
    pub const REQUEST_HEADERS: Self = Self(1);
    /// [`HttpFilter::request_data`].
    pub const REQUEST_DATA: Self = Self(2);
    /// [`HttpFilter::request_trailers`].
    pub const REQUEST_TRAILERS: Self = Self(4);
    /// [`HttpFilter::response_1xx`].
    pub const RESPONSE_1XX: Self = Self(8);
    /// [`HttpFilter::response_headers`].
    pub const RESPONSE_HEADERS: Self = Self(16);
    /// [`HttpFilter::response_data`].
    pub const RESPONSE_DATA: Self = Self(32);
    /// [`HttpFilter::response_trailers`].
    pub const RESPONSE_TRAILERS: Self = Self(64);
    /// [`HttpFilter::on_local_reply`].
    pub const LOCAL_REPLY: Self = Self(128);
    /// [`HttpFilter::poll`].
    pub const POLL: Self = Self(256);
    /// [`HttpFilter::on_complete`].
    pub const COMPLETE: Self = Self(512);
    /// Every callback of the request direction.
    pub const REQUEST: Self = Self(1 | 2 | 4);
    /// Every callback of the response direction.
    pub const RESPONSE: Self = Self(8 | 16 | 32 | 64);
    /// Every callback but `poll`.
    pub const ALL: Self = Self(1023 & !256);

    /// These and those.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A filter on one HTTP stream. Drop is Envoy's `onDestroy`: timers and calls that the filter
/// started go with it.
pub trait HttpFilter: Any {
    /// The request's headers, in [`Cx::request_headers`].
    fn request_headers(&mut self, _cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        HeadersStatus::Continue
    }

    /// A piece of the request's body.
    fn request_data(&mut self, _cx: &mut Cx<'_>, _data: &mut Buffer, _end: End) -> DataStatus {
        DataStatus::Continue
    }

    /// The request's trailers, in [`Cx::request_trailers`].
    fn request_trailers(&mut self, _cx: &mut Cx<'_>) -> TrailersStatus {
        TrailersStatus::Continue
    }

    /// An interim response.
    fn response_1xx(&mut self, _cx: &mut Cx<'_>, _headers: &mut HeaderMap) {}

    /// The response's headers, in [`Cx::response_headers`].
    fn response_headers(&mut self, _cx: &mut Cx<'_>, _end: End) -> HeadersStatus {
        HeadersStatus::Continue
    }

    /// A piece of the response's body.
    fn response_data(&mut self, _cx: &mut Cx<'_>, _data: &mut Buffer, _end: End) -> DataStatus {
        DataStatus::Continue
    }

    /// The response's trailers, in [`Cx::response_trailers`].
    fn response_trailers(&mut self, _cx: &mut Cx<'_>) -> TrailersStatus {
        TrailersStatus::Continue
    }

    /// A local reply is about to be sent, by whichever filter.
    fn on_local_reply(&mut self, _cx: &mut Cx<'_>, _reply: &LocalReply) -> LocalReplyStatus {
        LocalReplyStatus::Continue
    }

    /// The stream's turn, for a filter that drives something of its own.
    fn poll(&mut self, _cx: &mut Cx<'_>, _task: &mut Context<'_>) {}

    /// Of a terminal filter: the rest of the response's body, where it may pass the chain by.
    fn bulk_body(&mut self) -> Option<&mut dyn BulkBody> {
        None
    }

    /// The stream is over: before access logs are written.
    fn on_complete(&mut self, _cx: &mut Cx<'_>) {}
}
