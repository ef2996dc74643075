//! Who asks a service.

use crate::message::{MessageError, Messages, frame};
use crate::status::Status;
use crate::stream::GrpcStream;
use bytes::Bytes;
use nuncio_base::{Buffer, HeaderMap, HeaderName, names};
use nuncio_http::grpc_timeout;
use nuncio_router::{AsyncClient, AsyncFailure, AsyncRequest, AsyncResponse};
use nuncio_worker::Worker;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A service as configured (`GrpcService` with `envoy_grpc`).
#[derive(Clone, Debug, PartialEq)]
pub struct GrpcService {
    /// The cluster it is reached through.
    pub cluster: Arc<str>,
    /// The `:authority` of calls; empty: the cluster's name.
    pub authority: String,
    /// How long a call may take; `None`: for ever.
    pub timeout: Option<Duration>,
    /// Headers that every call has.
    pub initial_metadata: Vec<(HeaderName, Vec<u8>)>,
    /// What calls say of where they come from, in `x-forwarded-for`.
    pub host_ip: Option<IpAddr>,
    /// How long a message from the service may be, in bytes.
    pub max_message_bytes: usize,
}

impl GrpcService {
    /// How long a message may be where nothing is said, in bytes.
    pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

    /// A service behind a cluster, with no limits.
    pub fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.into(),
            authority: String::new(),
            timeout: None,
            initial_metadata: Vec::new(),
            host_ip: None,
            max_message_bytes: Self::MAX_MESSAGE_BYTES,
        }
    }
}

/// Asks one service, from one worker.
#[derive(Clone)]
pub struct GrpcClient {
    worker: Rc<Worker>,
    service: Arc<GrpcService>,
}

impl GrpcClient {
    /// A client of this worker.
    pub fn new(worker: &Rc<Worker>, service: &Arc<GrpcService>) -> Self {
        Self {
            worker: Rc::clone(worker),
            service: Arc::clone(service),
        }
    }

    /// The service.
    pub fn service(&self) -> &Arc<GrpcService> {
        &self.service
    }

    /// The head of a call of `path`, `/package.Service/Method`.
    pub(crate) fn head(&self, path: &str, timeout: Option<Duration>) -> HeaderMap {
        let service = &self.service;
        let authority = match service.authority.as_str() {
            "" => &service.cluster,
            authority => authority,
        };
        let mut head = HeaderMap::from_iter([
            (":method", "POST"),
            (":path", path),
            (":authority", authority),
            (":scheme", "http"),
            ("te", "trailers"),
        ]);
        if let Some(timeout) = timeout {
            grpc_timeout::set(&mut head, timeout);
        }
        head.append(names::CONTENT_TYPE, b"application/grpc");
        for (name, value) in &service.initial_metadata {
            head.append(name, value);
        }
        if let Some(ip) = service.host_ip {
            head.append(names::X_FORWARDED_FOR, ip.to_string().as_bytes());
        }
        head
    }

    /// Sends a message and waits for the answer. Dropping the future ends the call.
    pub fn unary(
        &self,
        path: &str,
        message: &[u8],
    ) -> impl Future<Output = Result<Bytes, Status>> + use<> {
        let service = &self.service;
        let most = service.max_message_bytes;
        let client = AsyncClient::new(&self.worker, Arc::clone(&service.cluster));
        let answer = client.send(AsyncRequest {
            headers: self.head(path, service.timeout),
            body: Buffer::from(frame(message)),
            timeout: service.timeout,
            max_response_bytes: most.saturating_add(5),
        });
        async move {
            match answer.await {
                Ok(answer) => read(answer, most),
                Err(failure) => Err(failed(&failure)),
            }
        }
    }

    /// Begins a call whose messages go both ways. It has no time limit.
    pub fn open(&self, path: &str) -> GrpcStream {
        let head = self.head(path, None);
        GrpcStream::new(&self.worker, &self.service, head)
    }
}

/// The one message of an answer.
fn read(answer: AsyncResponse, most: usize) -> Result<Bytes, Status> {
    if answer.status != 200 {
        return Err(Status::of_http(answer.status));
    }
    let trailers = answer.trailers.as_ref();
    let status = trailers.and_then(Status::of_fields);
    let status = status.or_else(|| Status::of_fields(&answer.headers));
    match status {
        Some(status) if status.is_ok() => {}
        Some(status) => return Err(status),
        None => return Err(Status::new(Status::UNKNOWN, "no grpc-status")),
    }
    let mut messages = Messages::new(most);
    let mut body = answer.body;
    messages.push(&mut body);
    match messages.next_message() {
        Ok(Some(message)) if messages.is_whole() => Ok(message),
        Ok(_) => Err(Status::new(Status::INTERNAL, "not one message")),
        Err(error) => Err(unreadable(error)),
    }
}

pub(crate) fn unreadable(error: MessageError) -> Status {
    match error {
        MessageError::Flag => Status::new(Status::INTERNAL, "a message that can't be read"),
        MessageError::TooLarge => Status::new(Status::RESOURCE_EXHAUSTED, "a message too large"),
    }
}

fn failed(failure: &AsyncFailure) -> Status {
    match failure {
        AsyncFailure::NoCluster => Status::new(Status::UNAVAILABLE, "Cluster not available"),
        AsyncFailure::NoHost => Status::new(Status::UNAVAILABLE, "no healthy upstream"),
        AsyncFailure::Reset(reason, _) => Status::new(Status::UNAVAILABLE, reason.as_str()),
        AsyncFailure::Timeout => Status::new(Status::DEADLINE_EXCEEDED, "upstream request timeout"),
        AsyncFailure::TooLarge => unreadable(MessageError::TooLarge),
    }
}
