//! Who asks a service.

use crate::google_grpc::{GoogleGrpc, LocalGoogleGrpc};
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

/// A service as configured (`GrpcService`).
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
    /// Whether calls say by their headers that they are this proxy's own.
    pub envoy_headers: bool,
    /// How long a message from the service may be, in bytes.
    pub max_message_bytes: usize,
    /// What it has of its own where it is named by its address; the cluster is nobody's then.
    pub google: Option<GoogleGrpc>,
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
            envoy_headers: true,
            max_message_bytes: Self::MAX_MESSAGE_BYTES,
            google: None,
        }
    }

    /// What logs call it: the cluster's name, or the address.
    pub fn destination(&self) -> &str {
        let google = self.google.as_ref();
        google.map_or(&self.cluster, |google| &google.target)
    }

    /// What a call ends with whose service can't be reached. gRPC's own library says no more.
    pub(crate) fn unreachable(&self, message: String) -> Status {
        match self.google {
            Some(_) => Status::new(Status::INTERNAL, ""),
            None => Status::new(Status::UNAVAILABLE, message),
        }
    }
}

/// Asks one service, from one worker.
#[derive(Clone)]
pub struct GrpcClient {
    worker: Rc<Worker>,
    service: Arc<GrpcService>,
    google: Option<Rc<LocalGoogleGrpc>>,
}

impl GrpcClient {
    /// A client of this worker; to be made once, not for each call.
    pub fn new(worker: &Rc<Worker>, service: &Arc<GrpcService>) -> Self {
        Self {
            worker: Rc::clone(worker),
            google: LocalGoogleGrpc::new(service),
            service: Arc::clone(service),
        }
    }

    /// The service.
    pub fn service(&self) -> &Arc<GrpcService> {
        &self.service
    }

    /// The head of a call of `path`, `/package.Service/Method`.
    fn head(&self, path: &str, timeout: Option<Duration>) -> Result<HeaderMap, Status> {
        let service = &self.service;
        let secure = service.google.as_ref().is_some_and(|google| google.secure);
        let authority = match service.authority.as_str() {
            "" => &service.cluster,
            authority => authority,
        };
        let mut head = HeaderMap::from_iter([
            (":method", "POST"),
            (":path", path),
            (":authority", authority),
            (":scheme", if secure { "https" } else { "http" }),
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
        if let Some(google) = &self.google {
            google.identify(&mut head, self.worker.now())?;
        }
        Ok(head)
    }

    /// Sends a message and waits for the answer. Dropping the future ends the call.
    pub fn unary(
        &self,
        path: &str,
        message: &[u8],
    ) -> impl Future<Output = Result<Bytes, Status>> + use<> {
        let service = Arc::clone(&self.service);
        let most = service.max_message_bytes;
        let client = AsyncClient::new(&self.worker, Arc::clone(&service.cluster));
        let answer = self.head(path, service.timeout).map(|headers| {
            client.send(AsyncRequest {
                headers,
                body: Buffer::from(frame(message)),
                timeout: service.timeout,
                envoy_headers: service.envoy_headers,
                max_response_bytes: most.saturating_add(5),
            })
        });
        let google = self.google.clone();
        if let Some(google) = &google {
            google.stats.streams_total().inc();
        }
        async move {
            let outcome = match answer {
                Err(status) => Err(status),
                Ok(answer) => match answer.await {
                    Ok(answer) => read(answer, most),
                    Err(failure) => Err(failed(&service, &failure)),
                },
            };
            if let Some(google) = google {
                let status = outcome.as_ref().err();
                google
                    .stats
                    .closed(status.map_or(Status::OK, |status| status.code));
            }
            outcome
        }
    }

    /// Begins a call whose messages go both ways. It has no time limit.
    pub fn open(&self, path: &str) -> GrpcStream {
        let head = self.head(path, None);
        GrpcStream::new(&self.worker, &self.service, self.google.clone(), head)
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

fn failed(service: &GrpcService, failure: &AsyncFailure) -> Status {
    match failure {
        AsyncFailure::NoCluster => service.unreachable("Cluster not available".to_owned()),
        AsyncFailure::NoHost => service.unreachable("no healthy upstream".to_owned()),
        AsyncFailure::Reset(reason, _) => service.unreachable(reason.as_str().to_owned()),
        AsyncFailure::Timeout => Status::new(Status::DEADLINE_EXCEEDED, "upstream request timeout"),
        AsyncFailure::TooLarge => unreadable(MessageError::TooLarge),
    }
}
