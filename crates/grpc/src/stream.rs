//! A call whose messages go both ways, for as long as both sides like.

use crate::client::{GrpcService, unreadable};
use crate::google_grpc::LocalGoogleGrpc;
use crate::message::{Messages, frame};
use crate::status::Status;
use bytes::Bytes;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, Frame};
use nuncio_upstream::{
    Choice, ClientStream, ClusterManager, Host, LbRequest, LocalCluster, Priority, StreamRequest,
};
use nuncio_worker::Worker;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What comes of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GrpcEvent {
    /// The service was reached and has begun to answer.
    Began,
    /// A message.
    Message(Bytes),
    /// The call is over; nothing follows.
    End(Status),
}

type Chosen = Pin<Box<dyn Future<Output = Option<Arc<Host>>>>>;

enum Phase {
    New,
    Choosing(Chosen),
    Waiting(StreamRequest),
    Open(ClientStream),
    Ended,
}

/// A call. Poll it: that connects, sends and receives. Dropping it ends the call.
pub struct GrpcStream {
    worker: Rc<Worker>,
    service: Arc<GrpcService>,
    google: Option<Rc<LocalGoogleGrpc>>,
    head: HeaderMap,
    cluster: Option<Rc<LocalCluster>>,
    phase: Phase,
    /// What is to be sent.
    out: Buffer,
    ends: bool,
    ended: bool,
    messages: Messages,
    /// How the call ended, behind the messages that came before.
    status: Option<Status>,
}

struct HostRequest<'a>(&'a HeaderMap);

impl LbRequest for HostRequest<'_> {
    fn headers(&self) -> Option<&HeaderMap> {
        Some(self.0)
    }
}

impl GrpcStream {
    /// A call with this head, or one that ends at once with the reason why there is none.
    pub(crate) fn new(
        worker: &Rc<Worker>,
        service: &Arc<GrpcService>,
        google: Option<Rc<LocalGoogleGrpc>>,
        head: Result<HeaderMap, Status>,
    ) -> Self {
        if let Some(google) = &google {
            google.stats.streams_total().inc();
        }
        let (head, status) = match head {
            Ok(head) => (head, None),
            Err(status) => (HeaderMap::new(), Some(status)),
        };
        Self {
            worker: Rc::clone(worker),
            google,
            head,
            cluster: None,
            phase: Phase::New,
            out: Buffer::new(),
            ends: false,
            ended: false,
            messages: Messages::new(service.max_message_bytes),
            service: Arc::clone(service),
            status,
        }
    }

    /// Sends a message; [`poll`](Self::poll) must follow. It is taken whatever waits already: see
    /// [`unsent`](Self::unsent).
    pub fn send(&mut self, message: &[u8]) {
        self.out.push(frame(message));
    }

    /// Says that no more messages are sent; [`poll`](Self::poll) must follow.
    pub fn end(&mut self) {
        self.ends = true;
    }

    /// Whether the call goes on, and wakes who polled it last when it ends: until then it may be
    /// left alone.
    pub fn is_open(&self) -> bool {
        matches!(&self.phase, Phase::Open(stream) if stream.tells_its_end())
    }

    /// How many bytes wait to be sent.
    pub fn unsent(&self) -> usize {
        let stream = match &self.phase {
            Phase::Open(stream) => stream.unwritten(),
            Phase::New | Phase::Choosing(_) | Phase::Waiting(_) | Phase::Ended => 0,
        };
        self.out.len() + stream
    }

    /// The next event. Pending while there is none, and for ever behind the end.
    pub fn poll(&mut self, task: &mut Context<'_>) -> Poll<GrpcEvent> {
        loop {
            match self.messages.next_message() {
                Ok(Some(message)) => return Poll::Ready(GrpcEvent::Message(message)),
                Ok(None) => {}
                Err(error) => return self.fail(unreadable(error)),
            }
            if let Some(status) = self.status.take() {
                return self.fail(status);
            }
            let step = match &mut self.phase {
                Phase::New => self.choose(),
                Phase::Choosing(chosen) => match chosen.as_mut().poll(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(host) => self.on_host(host),
                },
                Phase::Waiting(request) => match request.poll(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(mut stream)) => {
                        stream.send_headers(&self.head, End::No);
                        self.phase = Phase::Open(stream);
                        Ok(())
                    }
                    Poll::Ready(Err(failure)) => {
                        self.count(503);
                        Err(self.service.unreachable(failure.to_string()))
                    }
                },
                Phase::Open(_) => match self.poll_open(task) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(event)) => return Poll::Ready(event),
                    Poll::Ready(None) => Ok(()),
                },
                Phase::Ended => return Poll::Pending,
            };
            if let Err(status) = step {
                return self.fail(status);
            }
        }
    }

    fn fail(&mut self, status: Status) -> Poll<GrpcEvent> {
        if matches!(self.phase, Phase::Ended) {
            return Poll::Pending;
        }
        self.phase = Phase::Ended;
        self.messages = Messages::new(0);
        if let Some(google) = &self.google {
            google.stats.closed(status.code);
        }
        Poll::Ready(GrpcEvent::End(status))
    }

    fn choose(&mut self) -> Result<(), Status> {
        let manager = ClusterManager::of(&self.worker);
        let Some(cluster) = manager.get(&self.service.cluster) else {
            return Err(self.service.unreachable("Cluster not available".to_owned()));
        };
        if self.service.envoy_headers {
            self.head.set(names::X_ENVOY_INTERNAL, b"true");
        }
        let choice = cluster.choose(&HostRequest(&self.head));
        self.cluster = Some(cluster);
        match choice {
            Choice::Host(host) => self.on_host(Some(host)),
            Choice::Pending(host) => {
                self.phase = Phase::Choosing(Box::pin(host));
                Ok(())
            }
            Choice::NoHost => self.on_host(None),
        }
    }

    fn on_host(&mut self, host: Option<Arc<Host>>) -> Result<(), Status> {
        let (Some(host), Some(cluster)) = (host, &self.cluster) else {
            self.count(503);
            return Err(self.service.unreachable("no healthy upstream".to_owned()));
        };
        let request = cluster.http_stream(&host, Priority::Default, None);
        self.phase = Phase::Waiting(request);
        Ok(())
    }

    /// Hands what waits to the connection, if there is one.
    pub fn flush(&mut self) {
        if let Phase::Open(stream) = &mut self.phase
            && !self.ended
            && (!self.out.is_empty() || self.ends)
        {
            self.ended = self.ends;
            stream.send_data(&mut self.out, End::when(self.ends));
        }
    }

    /// Sends what waits, then takes a frame: `None` where it came to nothing by itself.
    fn poll_open(&mut self, task: &mut Context<'_>) -> Poll<Option<GrpcEvent>> {
        self.flush();
        let Phase::Open(stream) = &mut self.phase else {
            return Poll::Pending;
        };
        let Poll::Ready(frame) = stream.poll(task) else {
            return Poll::Pending;
        };
        match frame {
            Frame::Informational(_) => {}
            Frame::Headers(head, end) => {
                let status = head.get_str(names::STATUS).unwrap_or_default();
                let status = status.parse().unwrap_or(0);
                self.count(status);
                let said = Status::of_fields(&head);
                self.status = match said {
                    Some(said) => Some(said),
                    None if status != 200 => Some(Status::of_http(status)),
                    None if end.is_end() => Some(cut_short()),
                    None => return Poll::Ready(Some(GrpcEvent::Began)),
                };
            }
            Frame::Data(mut data, end) => {
                self.messages.push(&mut data);
                if end.is_end() {
                    self.status = Some(cut_short());
                }
            }
            Frame::Trailers(trailers) => {
                let status = Status::of_fields(&trailers);
                self.status = Some(status.unwrap_or_else(cut_short));
            }
            Frame::Reset(reason) => {
                self.status = Some(Status::new(Status::UNAVAILABLE, reason.as_str()));
            }
        }
        Poll::Ready(None)
    }

    fn count(&self, status: u16) {
        if let Some(cluster) = &self.cluster {
            cluster.count_response(status, true, false);
        }
    }
}

fn cut_short() -> Status {
    Status::new(Status::UNKNOWN, "no grpc-status")
}
