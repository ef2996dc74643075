//! The router filter: what it holds of a request, and its callbacks.

use crate::attempt::{Attempt, Step};
use crate::counts::RequestCounts;
use crate::local::RouterLocal;
use crate::mirror::Mirror;
use crate::retry::RetryState;
use crate::retry_priority::PreviousPriorities;
use crate::timeouts::Timeouts;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::End;
use nuncio_http::bulk::BulkBody;
use nuncio_http::filter::{
    DataStatus, Direction, HeadersStatus, HttpFilter, LocalReplyStatus, TrailersStatus,
};
use nuncio_http::{Cx, LocalReply};
use nuncio_upstream::{LocalCluster, RetryPermit};
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// The request as it is kept for another attempt.
#[derive(Default)]
pub(crate) struct Replay {
    pub body: Buffer,
    pub trailers: Option<HeaderMap>,
}

/// The filter that ends a chain, on one stream.
pub struct Router {
    pub(crate) local: Rc<RouterLocal>,
    pub(crate) cluster: Option<Rc<LocalCluster>>,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) timeouts: Timeouts,
    /// When the response is due; set once the request is complete.
    pub(crate) response_due: Option<Instant>,
    /// When the next attempt begins.
    pub(crate) back_off_until: Option<Instant>,
    pub(crate) retry: Option<Box<RetryState>>,
    pub(crate) retry_permit: Option<RetryPermit>,
    /// What another attempt would send; `None` where none can be made any more.
    pub(crate) replay: Option<Box<Replay>>,
    /// Hosts that were tried, for predicates that refuse them.
    pub(crate) tried: Vec<u64>,
    /// Priorities that were tried, where retries go to others.
    pub(crate) priorities: RefCell<PreviousPriorities>,
    /// `set-cookie` headers of the response, for cookies that requests are hashed by.
    pub(crate) set_cookies: Vec<Vec<u8>>,
    pub(crate) timeout_status: u16,
    /// When the stream must be over, by the cluster's `max_stream_duration`.
    pub(crate) stream_due: Option<Instant>,
    pub(crate) request_ended_at: Option<Instant>,
    pub(crate) counts: Option<Box<RequestCounts>>,
    /// Copies of the request that still want its body.
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) is_internal: bool,
    pub(crate) is_grpc: bool,
    pub(crate) is_canary: bool,
    pub(crate) is_retry: bool,
    pub(crate) is_timeout_retry: bool,
    /// An attempt that failed had sent some of the request.
    pub(crate) request_started: bool,
    pub(crate) grpc_success_pending: bool,
    pub(crate) request_ended: bool,
    /// Something of the response came, be it an interim head.
    pub(crate) response_started: bool,
    /// Its final head came.
    pub(crate) has_head: bool,
    pub(crate) done: bool,
    pub(crate) holds_request: bool,
    /// The response is held up downstream.
    is_paused: bool,
}

impl Router {
    /// A router for a new stream.
    pub(crate) fn new(local: Rc<RouterLocal>) -> Self {
        Self {
            local,
            cluster: None,
            attempt: None,
            timeouts: Timeouts::default(),
            response_due: None,
            back_off_until: None,
            retry: None,
            retry_permit: None,
            replay: None,
            tried: Vec::new(),
            priorities: RefCell::default(),
            set_cookies: Vec::new(),
            timeout_status: 504,
            stream_due: None,
            request_ended_at: None,
            counts: None,
            mirrors: Vec::new(),
            is_internal: false,
            is_grpc: false,
            is_canary: false,
            is_retry: false,
            is_timeout_retry: false,
            request_started: false,
            grpc_success_pending: false,
            request_ended: false,
            response_started: false,
            has_head: false,
            done: false,
            holds_request: false,
            is_paused: false,
        }
    }

    #[cold]
    fn note_paused(&mut self, paused: bool) {
        self.is_paused = paused;
        let Some(cluster) = &self.cluster else {
            return;
        };
        let stats = cluster.stats();
        if paused {
            stats.upstream_flow_control_paused_reading_total().inc();
        } else {
            stats.upstream_flow_control_resumed_reading_total().inc();
        }
    }

    /// The request is complete: the response is due from now on.
    fn request_complete(&mut self, cx: &Cx<'_>) {
        self.request_ended = true;
        let now = cx.worker().now();
        self.request_ended_at = Some(now);
        self.response_due = self.timeouts.global.map(|limit| now + limit);
        if let Some(attempt) = &mut self.attempt
            && attempt.stream().is_some()
        {
            attempt.per_try_from = Some(now);
        }
    }

    /// Keeps a piece of body for another attempt, as long as it may be buffered.
    fn keep_for_replay(&mut self, cx: &mut Cx<'_>, data: &Buffer) {
        let Some(replay) = &mut self.replay else {
            return;
        };
        let limit = cx.buffer_limit();
        if limit > 0 && replay.body.len() + data.len() > limit {
            return self.give_up_retries(cx);
        }
        let mut copy = data.clone();
        copy.compact();
        replay.body.append(&mut copy);
    }

    /// Holds the request back while upstream takes no more.
    fn adjust_request(&mut self, cx: &mut Cx<'_>) {
        let limit = cx.buffer_limit();
        let hold = match &self.attempt {
            Some(attempt) => attempt.write_blocked(limit),
            // Between attempts the body is kept for the next.
            None => false,
        };
        if hold != self.holds_request {
            self.holds_request = hold;
            cx.push_back(Direction::Request, hold);
        }
    }

    /// The soonest of the limits that are running.
    fn deadline(&self) -> Option<Instant> {
        let attempt = self.attempt.as_ref();
        [
            self.response_due,
            self.stream_due,
            attempt.and_then(|attempt| self.per_try_due(attempt)),
            attempt.and_then(|attempt| self.idle_due(attempt)),
            self.back_off_until,
            attempt.and_then(|attempt| attempt.record.as_ref()?.log_at),
            attempt.and_then(|attempt| attempt.stream()?.wake_at()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// When the attempt must have brought a response.
    fn per_try_due(&self, attempt: &Attempt) -> Option<Instant> {
        let limit = self.timeouts.per_try.filter(|_| !self.has_head)?;
        Some(attempt.per_try_from? + limit)
    }

    /// When the attempt must have brought something more.
    fn idle_due(&self, attempt: &Attempt) -> Option<Instant> {
        let limit = self.timeouts.per_try_idle?;
        Some(attempt.per_try_from?.max(attempt.moved_at) + limit)
    }

    fn poll_deadlines(&mut self, cx: &mut Cx<'_>) {
        let now = cx.worker().now();
        self.log_periodically(cx, now);
        if self.response_due.is_some_and(|due| due <= now) {
            return self.on_response_timeout(cx);
        }
        if self.stream_due.is_some_and(|due| due <= now) {
            return self.on_max_stream_duration(cx);
        }
        if let Some(attempt) = &self.attempt {
            if self.per_try_due(attempt).is_some_and(|due| due <= now) {
                return self.on_per_try_timeout(cx, false);
            }
            if self.idle_due(attempt).is_some_and(|due| due <= now) {
                return self.on_per_try_timeout(cx, true);
            }
        }
        if self.back_off_until.is_some_and(|until| until <= now) {
            self.back_off_until = None;
            self.start_attempt(cx);
        }
    }
}

impl HttpFilter for Router {
    fn request_headers(&mut self, cx: &mut Cx<'_>, end: End) -> HeadersStatus {
        self.local.stats.rq_total().inc();
        if end.is_end() {
            self.request_ended = true;
        }
        self.route_request(cx);
        if end.is_end() && !self.done {
            self.request_complete(cx);
        }
        HeadersStatus::StopIteration
    }

    fn request_data(&mut self, cx: &mut Cx<'_>, data: &mut Buffer, end: End) -> DataStatus {
        if self.done {
            data.clear();
            return DataStatus::StopIterationNoBuffer;
        }
        for mirror in &self.mirrors {
            mirror.data(data, end);
        }
        self.keep_for_replay(cx, data);
        if self.done {
            data.clear();
            return DataStatus::StopIterationNoBuffer;
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.send_data(std::mem::take(data), end);
        }
        if end.is_end() {
            self.request_complete(cx);
        }
        self.adjust_request(cx);
        DataStatus::StopIterationNoBuffer
    }

    fn request_trailers(&mut self, cx: &mut Cx<'_>) -> TrailersStatus {
        if self.done {
            return TrailersStatus::StopIteration;
        }
        let Some(trailers) = cx.request_trailers() else {
            return TrailersStatus::StopIteration;
        };
        for mirror in &self.mirrors {
            mirror.trailers(trailers);
        }
        if let Some(replay) = &mut self.replay {
            replay.trailers = Some(trailers.clone());
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.send_trailers(trailers);
        }
        self.request_complete(cx);
        TrailersStatus::StopIteration
    }

    fn poll(&mut self, cx: &mut Cx<'_>, task: &mut Context<'_>) {
        // First what is due: an attempt that a back-off delayed begins now, and is polled below.
        if !self.done {
            self.poll_deadlines(cx);
        }
        if self.done {
            return;
        }
        let paused = cx.response_paused();
        if paused != self.is_paused {
            self.note_paused(paused);
        }
        if let Some(attempt) = &mut self.attempt {
            match attempt.poll(task, paused) {
                Poll::Pending => {}
                Poll::Ready(Step::Ready) => {
                    self.send_request(cx);
                    // What was written goes out, and whoever answers first wakes this task.
                    if let Some(attempt) = &mut self.attempt
                        && let Poll::Ready(step) = attempt.poll(task, paused)
                    {
                        self.on_step(cx, step);
                    }
                }
                Poll::Ready(step) => self.on_step(cx, step),
            }
        }
        self.adjust_request(cx);
        if !self.done
            && let Some(deadline) = self.deadline()
        {
            cx.wake_at(deadline);
        }
    }

    fn on_local_reply(&mut self, cx: &mut Cx<'_>, _reply: &LocalReply) -> LocalReplyStatus {
        // Another filter or the manager answers: what is under way upstream is of no use.
        self.abandon(cx);
        LocalReplyStatus::Continue
    }

    fn bulk_body(&mut self) -> Option<&mut dyn BulkBody> {
        let attempt = self.attempt.as_mut().filter(|_| !self.done)?;
        Some(attempt)
    }

    fn on_complete(&mut self, cx: &mut Cx<'_>) {
        self.abandon(cx);
    }
}
