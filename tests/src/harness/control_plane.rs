//! A control plane that answers over one gRPC stream, all resources or one by one, by an HTTP/2
//! that is not ours.

use super::wait_for;
use bytes::Bytes;
use h2::{RecvStream, SendStream, server};
use http::{HeaderMap, Request, Response};
use nuncio_proto::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use nuncio_proto::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};
use nuncio_proto::envoy::service::health::v3::health_check_request_or_endpoint_health_response::RequestType;
use nuncio_proto::envoy::service::health::v3::{
    HealthCheckRequestOrEndpointHealthResponse as HealthRequest, HealthCheckSpecifier,
};
use nuncio_proto::envoy::service::load_stats::v3::{LoadStatsRequest, LoadStatsResponse};
use nuncio_proto::google::protobuf;
use nuncio_proto::{Format, Message, load};
use serde_json::Value;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use tokio::sync::Notify;

#[derive(Default)]
struct State {
    /// What there is now, by type.
    responses: BTreeMap<String, DiscoveryResponse>,
    requests: Vec<DiscoveryRequest>,
    /// What was logged to it.
    logs: Vec<StreamAccessLogsMessage>,
    /// What load was reported to it.
    loads: Vec<LoadStatsRequest>,
    /// What hosts it wants checked, and what it was told of them.
    checks: HealthCheckSpecifier,
    health: Vec<HealthRequest>,
    streams: usize,
    nonce: u64,
    /// What it is sent stays unread.
    deaf: bool,
}

/// A running control plane, for the rest of the test's process.
pub struct ControlPlane {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Something changed; or all streams are to end.
    changed: Arc<Notify>,
    ended: Arc<Notify>,
    /// All streams are to say what is no response.
    garbled: Arc<Notify>,
}

impl ControlPlane {
    /// One that has nothing yet.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let plane = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
            changed: Arc::default(),
            ended: Arc::default(),
            garbled: Arc::default(),
        };
        let (state, changed) = (Arc::clone(&plane.state), Arc::clone(&plane.changed));
        let ends = [&plane.ended, &plane.garbled].map(Arc::clone);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                loop {
                    let (socket, _) = listener.accept().await.unwrap();
                    let (state, changed) = (Arc::clone(&state), Arc::clone(&changed));
                    let ends = ends.clone();
                    tokio::spawn(async move {
                        let mut connection = server::handshake(socket).await.unwrap();
                        while let Some(Ok((request, mut respond))) = connection.accept().await {
                            let head =
                                Response::builder().header("content-type", "application/grpc");
                            let send = respond
                                .send_response(head.body(()).unwrap(), false)
                                .unwrap();
                            let (state, changed) = (Arc::clone(&state), Arc::clone(&changed));
                            tokio::spawn(serve(request, send, state, changed, ends.clone()));
                        }
                    });
                }
            });
        });
        plane
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Replaces what there is of a type: a response as it stands in files.
    pub fn set(&self, kind: &str, response: &Value) {
        let message = load::message_of::<DiscoveryResponse>().unwrap();
        let text = response.to_string();
        let read = load::read(
            "",
            text.into_bytes(),
            Format::Json,
            message,
            &Default::default(),
        );
        // Unchecked, where a test sends what is wrong.
        assert!(read.is_read(), "{:?}", read.check());
        let mut decoded = DiscoveryResponse::decode(read.encoded()).unwrap();
        decoded.type_url = type_url(kind);
        let mut state = self.state.lock().unwrap();
        state.responses.insert(decoded.type_url.clone(), decoded);
        drop(state);
        self.changed.notify_waiters();
    }

    /// Ends all streams with an error.
    pub fn end_streams(&self) {
        self.ended.notify_waiters();
    }

    /// Says what is no response, on all streams.
    pub fn garble(&self) {
        self.garbled.notify_waiters();
    }

    /// How many streams there were.
    pub fn streams(&self) -> usize {
        self.state.lock().unwrap().streams
    }

    /// Waits for messages of access logs, for it is an access log service too.
    pub fn wait_logs(&self, count: usize) -> Vec<StreamAccessLogsMessage> {
        wait_for("access logs", || {
            let state = self.state.lock().unwrap();
            (state.logs.len() >= count).then(|| state.logs.clone())
        })
    }

    /// Reads nothing any more of what it is sent, or again.
    pub fn set_deaf(&self, deaf: bool) {
        self.state.lock().unwrap().deaf = deaf;
        self.changed.notify_waiters();
    }

    /// What load was reported, for it wants reports of all clusters twenty times a second.
    pub fn loads(&self) -> Vec<LoadStatsRequest> {
        self.state.lock().unwrap().loads.clone()
    }

    /// Wants hosts checked.
    pub fn check(&self, checks: HealthCheckSpecifier) {
        self.state.lock().unwrap().checks = checks;
        self.changed.notify_waiters();
    }

    /// What it was told of hosts' health.
    pub fn health(&self) -> Vec<HealthRequest> {
        self.state.lock().unwrap().health.clone()
    }

    /// Waits for a request of a type.
    pub fn wait_request(
        &self,
        kind: &str,
        wanted: impl Fn(&DiscoveryRequest) -> bool,
    ) -> DiscoveryRequest {
        wait_for(&format!("a request for {kind}"), || {
            let state = self.state.lock().unwrap();
            let mut of_type = state
                .requests
                .iter()
                .filter(|it| it.type_url == type_url(kind));
            of_type.find(|request| wanted(request)).cloned()
        })
    }
}

fn type_url(kind: &str) -> String {
    format!("type.googleapis.com/envoy.{kind}")
}

/// What one stream was asked for and sent, by type.
#[derive(Default)]
struct Sent {
    names: Vec<String>,
    version: Option<String>,
    /// The names of what was sent.
    there: Vec<String>,
}

/// The name of a resource: its first field.
fn name(resource: &[u8]) -> String {
    let mut fields = nuncio_proto::wire::fields(resource).flatten();
    let name = fields.find_map(|(number, value)| value.bytes().filter(|_| number == 1));
    String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
}

/// A response one by one: everything that is asked for, and what is gone.
fn delta(response: DiscoveryResponse, of_type: &mut Sent) -> Vec<u8> {
    let resources = response.resources.into_iter();
    let resources = resources.map(|body| Resource {
        name: name(&body.value),
        version: response.version_info.clone(),
        resource: Some(body),
        ..Default::default()
    });
    let wanted =
        |resource: &Resource| of_type.names.is_empty() || of_type.names.contains(&resource.name);
    let resources: Vec<_> = resources.filter(wanted).collect();
    let there: Vec<_> = resources
        .iter()
        .map(|resource| resource.name.clone())
        .collect();
    let mut removed = std::mem::replace(&mut of_type.there, there);
    removed.retain(|name| !of_type.there.contains(name));
    DeltaDiscoveryResponse {
        system_version_info: response.version_info,
        resources,
        type_url: response.type_url,
        removed_resources: removed,
        nonce: response.nonce,
        ..Default::default()
    }
    .encode_to_vec()
}

/// A request one by one, as the other kind has it: all names that are wanted now.
fn undelta(request: DeltaDiscoveryRequest, of_type: &Sent) -> DiscoveryRequest {
    let mut names = of_type.names.clone();
    names.retain(|name| !request.resource_names_unsubscribe.contains(name));
    names.extend(request.resource_names_subscribe);
    DiscoveryRequest {
        node: request.node,
        resource_names: names,
        type_url: request.type_url,
        response_nonce: request.response_nonce,
        error_detail: request.error_detail,
        ..Default::default()
    }
}

async fn serve(
    request: Request<RecvStream>,
    mut send: SendStream<Bytes>,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    [ended, garbled]: [Arc<Notify>; 2],
) {
    state.lock().unwrap().streams += 1;
    let is_delta = request.uri().path().contains("/Delta");
    let logs = request.uri().path().ends_with("/StreamAccessLogs");
    let loads = request.uri().path().ends_with("/StreamLoadStats");
    let health = request.uri().path().ends_with("/StreamHealthCheck");
    let mut body = request.into_body();
    let mut sent: BTreeMap<String, Sent> = BTreeMap::new();
    let mut bytes = Vec::new();
    loop {
        let deaf = state.lock().unwrap().deaf;
        tokio::select! {
            data = body.data(), if !deaf => {
                let Some(Ok(data)) = data else { return };
                body.flow_control().release_capacity(data.len()).unwrap();
                bytes.extend_from_slice(&data);
            }
            () = changed.notified() => if health {
                let checks = state.lock().unwrap().checks.encode_to_vec();
                send.send_data(frame(&checks), false).unwrap();
            },
            () = garbled.notified() => send.send_data(frame(&[0xff; 9]), false).unwrap(),
            () = ended.notified() => {
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "14".parse().unwrap());
                send.send_trailers(trailers).unwrap();
                return;
            }
        }
        while let Some(message) = take(&mut bytes) {
            if logs {
                let message = StreamAccessLogsMessage::decode(&*message).unwrap();
                state.lock().unwrap().logs.push(message);
                continue;
            }
            if loads {
                let message = LoadStatsRequest::decode(&*message).unwrap();
                if message.cluster_stats.is_empty() {
                    send.send_data(frame(&all_loads()), false).unwrap();
                }
                state.lock().unwrap().loads.push(message);
                continue;
            }
            if health {
                let message = HealthRequest::decode(&*message).unwrap();
                let mut state = state.lock().unwrap();
                if let Some(RequestType::HealthCheckRequest(_)) = &message.request_type {
                    let checks = state.checks.encode_to_vec();
                    send.send_data(frame(&checks), false).unwrap();
                }
                state.health.push(message);
                continue;
            }
            let request = if is_delta {
                let request = DeltaDiscoveryRequest::decode(&*message).unwrap();
                let of_type = sent.entry(request.type_url.clone()).or_default();
                undelta(request, of_type)
            } else {
                DiscoveryRequest::decode(&*message).unwrap()
            };
            let of_type = sent.entry(request.type_url.clone()).or_default();
            if of_type.names != request.resource_names {
                of_type.names.clone_from(&request.resource_names);
                of_type.version = None;
            }
            state.lock().unwrap().requests.push(request);
        }
        for (kind, of_type) in &mut sent {
            let mut state = state.lock().unwrap();
            state.nonce += 1;
            let nonce = state.nonce.to_string();
            let Some(response) = state.responses.get(kind) else {
                continue;
            };
            if of_type.version.as_ref() == Some(&response.version_info) {
                continue;
            }
            of_type.version = Some(response.version_info.clone());
            let response = DiscoveryResponse {
                nonce,
                ..response.clone()
            };
            let message = match is_delta {
                true => delta(response, of_type),
                false => response.encode_to_vec(),
            };
            send.send_data(frame(&message), false).unwrap();
        }
    }
}

/// Asks for reports of all clusters.
fn all_loads() -> Vec<u8> {
    let interval = protobuf::Duration {
        seconds: 0,
        nanos: 50_000_000,
    };
    LoadStatsResponse {
        send_all_clusters: true,
        report_endpoint_granularity: true,
        load_reporting_interval: Some(interval),
        ..Default::default()
    }
    .encode_to_vec()
}

fn take(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = bytes.get(1..5)?.try_into().map(u32::from_be_bytes).unwrap() as usize;
    let message = bytes.get(5..5 + length)?.to_vec();
    bytes.drain(..5 + length);
    Some(message)
}

fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0], &length[..], message].concat().into()
}
