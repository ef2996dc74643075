//! Copies of requests sent elsewhere: each is a task of its own that outlives the stream, and
//! whose response nobody sees (Envoy's shadowing).

use crate::attempt::{Attempt, Step};
use crate::router::Router;
use crate::upstream_stream::UpstreamRequest;
use nuncio_base::time::millis;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, Frame};
use nuncio_http::Cx;
use nuncio_http::format_cx::with_headers;
use nuncio_route::RouteAction;
use nuncio_route::mirror::MirrorPolicy;
use nuncio_upstream::{Choice, LbRequest, LocalCluster, Priority};
use nuncio_worker::Worker;
use nuncio_worker::timer::Timer;
use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// What the stream has for its copy, and the copy has not taken yet.
#[derive(Default)]
struct Feed {
    data: Buffer,
    trailers: Option<HeaderMap>,
    ended: bool,
    /// The stream ended before its request, or the copy is too slow: it ends, too.
    given_up: bool,
    waker: Option<Waker>,
}

/// The stream's end of a copy.
pub(crate) struct Mirror {
    feed: Rc<RefCell<Feed>>,
    limit: usize,
}

impl Mirror {
    fn update(&self, update: impl FnOnce(&mut Feed)) {
        let mut feed = self.feed.borrow_mut();
        update(&mut feed);
        if let Some(waker) = feed.waker.take() {
            waker.wake();
        }
    }

    /// A piece of the request's body.
    pub fn data(&self, data: &Buffer, end: End) {
        self.update(|feed| {
            if self.limit > 0 && feed.data.len() + data.len() > self.limit {
                feed.given_up = true;
                feed.data.clear();
            }
            if !feed.given_up {
                let mut copy = data.clone();
                copy.compact();
                feed.data.append(&mut copy);
            }
            feed.ended |= end.is_end();
        });
    }

    /// The request's trailers.
    pub fn trailers(&self, trailers: &HeaderMap) {
        self.update(|feed| {
            feed.trailers = Some(trailers.clone());
            feed.ended = true;
        });
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.update(|feed| feed.given_up |= !feed.ended);
    }
}

/// A copy on its way.
struct Copy {
    worker: Rc<Worker>,
    cluster: Rc<LocalCluster>,
    headers: HeaderMap,
    attempt: Attempt,
    feed: Rc<RefCell<Feed>>,
    timeout: Option<Duration>,
    ended_at: Option<Instant>,
    timer: Timer,
    limit: usize,
}

impl Copy {
    /// The copy's turn: ready when it is over.
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        self.worker.tick();
        loop {
            if self.take_fed(task) {
                return Poll::Ready(());
            }
            let was_blocked = self.attempt.write_blocked(self.limit);
            match self.attempt.poll(task, false) {
                // What waits in the feed is taken now: nobody may come to wake the task.
                Poll::Pending if was_blocked && !self.attempt.write_blocked(self.limit) => {}
                Poll::Pending => break,
                Poll::Ready(Step::Ready) => {
                    let waits = self.ended_at.is_some() && !self.attempt.has_waiting();
                    self.attempt.send_headers(&self.headers, End::when(waits));
                }
                Poll::Ready(Step::Frame(frame)) => {
                    if self.is_last(&frame) {
                        return Poll::Ready(());
                    }
                }
                Poll::Ready(Step::Reset(..)) => {
                    self.cluster.count_response(503, true, false);
                    return Poll::Ready(());
                }
            }
        }
        let due = self.ended_at.zip(self.timeout);
        let due = due.map(|(ended, timeout)| ended + timeout);
        if self.timer.poll(&self.worker, due, task).is_pending() {
            return Poll::Pending;
        }
        self.cluster.stats().upstream_rq_timeout().inc();
        self.cluster.count_response(504, true, false);
        Poll::Ready(())
    }

    /// Sends on what the stream has given; whether the copy is given up.
    fn take_fed(&mut self, task: &Context<'_>) -> bool {
        let mut feed = self.feed.borrow_mut();
        if feed.given_up {
            return true;
        }
        feed.waker = Some(task.waker().clone());
        if self.ended_at.is_some() || self.attempt.write_blocked(self.limit) {
            return false;
        }
        let data = std::mem::take(&mut feed.data);
        let trailers = feed.trailers.take();
        let ended = feed.ended;
        drop(feed);
        let end = ended && trailers.is_none();
        if !data.is_empty() || end {
            self.attempt.send_data(data, End::when(end));
        }
        if let Some(trailers) = trailers {
            self.attempt.send_trailers(&trailers);
        }
        if ended {
            self.ended_at = Some(self.worker.now());
        }
        false
    }

    /// Counts what a frame says; whether the response ends with it.
    fn is_last(&self, frame: &Frame) -> bool {
        let ended = match frame {
            Frame::Headers(headers, end) => {
                let status = headers.get_str(names::STATUS);
                let status = status.and_then(|text| text.parse().ok()).unwrap_or(0);
                self.cluster
                    .count_response(status, true, self.attempt.host.canary());
                self.cluster.count_zone(&self.attempt.host, status);
                end.is_end()
            }
            Frame::Data(_, end) => end.is_end(),
            Frame::Trailers(_) | Frame::Reset(_) => true,
            Frame::Informational(_) => false,
        };
        if ended && let Some(from) = self.ended_at {
            let waited = self.worker.now().saturating_duration_since(from);
            let canary = self.attempt.host.canary();
            self.cluster
                .record_response_time(millis(waited), true, canary);
            self.cluster
                .record_zone_time(&self.attempt.host, millis(waited));
        }
        ended
    }
}

struct CopyRequest<'a>(&'a HeaderMap);

impl LbRequest for CopyRequest<'_> {
    fn headers(&self) -> Option<&HeaderMap> {
        Some(self.0)
    }
}

impl Router {
    /// Begins the copies that the route asks for. `end`: the request has no body.
    pub(crate) fn begin_mirrors(&mut self, cx: &mut Cx<'_>, action: &RouteAction, end: bool) {
        if cx.request_headers_ref().get(names::METHOD) == Some(b"CONNECT") {
            return;
        }
        for policy in action.mirror_policies.iter() {
            if let Some(mirror) = self.mirror(cx, policy, end) {
                self.mirrors.push(mirror);
            }
        }
    }

    fn mirror(&self, cx: &mut Cx<'_>, policy: &MirrorPolicy, end: bool) -> Option<Mirror> {
        let worker = Rc::clone(cx.worker());
        if let Some(fraction) = &policy.runtime_fraction
            && !fraction.current(&worker.flags()).holds(worker.random())
        {
            return None;
        }
        let name = policy.cluster.name(cx.request_headers_ref())?;
        let name = std::str::from_utf8(name).ok()?;
        let cluster = self.local.clusters.get(name)?;
        let headers = self.mirror_headers(cx, policy);
        self.local.client_stats.count_request();
        let Choice::Host(host) = cluster.choose(&CopyRequest(&headers)) else {
            cluster.count_response(503, true, false);
            return None;
        };
        let feed = Rc::new(RefCell::new(Feed {
            ended: end,
            ..Feed::default()
        }));
        let now = worker.now();
        let request = cluster.http_stream(&host, Priority::Default, cx.info().protocol);
        let limit = cx.buffer_limit();
        let mut copy = Copy {
            attempt: Attempt::new(UpstreamRequest::Http(request), host, now),
            timeout: self.timeouts.global,
            ended_at: end.then_some(now),
            timer: Timer::default(),
            feed: Rc::clone(&feed),
            worker: Rc::clone(&worker),
            cluster,
            headers,
            limit,
        };
        worker.spawn(async move {
            std::future::poll_fn(|task| copy.poll(task)).await;
            copy.timer.disarm(&copy.worker);
        });
        Some(Mirror { feed, limit })
    }

    /// The copy's head: it comes from this proxy, and its host says that it is a copy.
    fn mirror_headers(&self, cx: &mut Cx<'_>, policy: &MirrorPolicy) -> HeaderMap {
        let worker = Rc::clone(cx.worker());
        let (request, info) = cx.request_and_info();
        let mut headers = request.clone();
        let mut scratch = Vec::new();
        policy
            .request_headers
            .apply(&mut headers, &mut scratch, |formatter, headers, out| {
                with_headers(&worker, info, Some(headers), None, |cx| {
                    formatter.append(cx, out);
                });
            });
        if !policy.host_rewrite_literal.is_empty() {
            headers.set(names::AUTHORITY, &policy.host_rewrite_literal);
        } else if !policy.disable_shadow_host_suffix_append {
            let host = headers.get(names::AUTHORITY).unwrap_or_default();
            let host = with_suffix(host);
            headers.set(names::AUTHORITY, &host);
        }
        headers.set(names::X_ENVOY_INTERNAL, b"true");
        headers.join(names::X_FORWARDED_FOR, self.local.own_ip().as_bytes());
        headers
    }
}

/// A host with `-shadow` behind its name.
fn with_suffix(host: &[u8]) -> Vec<u8> {
    let colons = host.iter().filter(|byte| **byte == b':').count();
    let at = match host.iter().position(|byte| *byte == b':') {
        Some(colon) if colons == 1 => colon,
        _ => host.len(),
    };
    [&host[..at], b"-shadow", &host[at..]].concat()
}

#[cfg(test)]
mod tests {
    use super::with_suffix;

    #[test]
    fn the_host_of_a_copy_says_so() {
        for (host, expected) in [
            ("a.test", "a.test-shadow"),
            ("a.test:80", "a.test-shadow:80"),
            ("[::1]", "[::1]-shadow"),
        ] {
            assert_eq!(with_suffix(host.as_bytes()), expected.as_bytes(), "{host}");
        }
    }
}
