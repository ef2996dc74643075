//! One connection of the control plane: requests in, responses out.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server};
use http::{Request, Response};
use nuncio_proto::Message;
use nuncio_proto::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    Resource as Wrapper,
};
use nuncio_proto::google::protobuf::Any;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::control_plane::{Change, Fault, Names, OfType, Shared};
use super::resources::Kind;

/// Windows that no request fills.
const WINDOW: u32 = 64 << 20;

/// Bytes, and the pause after them, of a slow control plane.
const DRIP: (usize, Duration) = (512, Duration::from_millis(2));

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Accepts connections for ever.
pub async fn accept(listener: TcpListener, shared: Shared) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let mut state = shared.state();
        state.connections.push(Instant::now());
        let fault = state.fault;
        drop(state);
        match fault {
            Fault::Closes => {}
            Fault::NoHttp => {
                tokio::spawn(no_http(socket));
            }
            _ => {
                let shared = shared.clone();
                // However it ends, the proxy comes again.
                tokio::spawn(async move {
                    let _ = connection(socket, shared).await;
                });
            }
        }
    }
}

async fn no_http(mut socket: TcpStream) {
    // The proxy may have gone.
    let _ = socket.write_all(b"SSH-2.0-surprise\r\n\0\xff\xfe").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn connection(socket: TcpStream, shared: Shared) -> Result<(), Failure> {
    let mut connection = server::Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .handshake(socket)
        .await?;
    let (end, mut ended) = tokio::sync::mpsc::channel::<()>(1);
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            _ = ended.recv() => return Ok(()),
        };
        let Some(accepted) = accepted else {
            return Ok(());
        };
        let (request, mut respond) = accepted?;
        shared.state().streams += 1;
        let head = Response::builder().header("content-type", "application/grpc");
        let send = respond.send_response(head.body(())?, false)?;
        let (shared, end) = (shared.clone(), end.clone());
        tokio::spawn(async move {
            let stream = Stream {
                delta: request.uri().path().contains("/Delta"),
                send,
                sent: BTreeMap::new(),
                shared,
            };
            if stream.serve(request).await.is_err() {
                // In the middle of a message: the connection goes too.
                let _ = end.send(()).await;
            }
        });
    }
}

struct Stream {
    delta: bool,
    send: SendStream<Bytes>,
    /// What was asked for, by type.
    sent: BTreeMap<Kind, Sent>,
    shared: Shared,
}

/// What one stream asked for and was sent of a type.
#[derive(Default)]
struct Sent {
    names: Names,
    /// The change it was sent last; none before the first answer, or after it asked for more.
    version: Option<u64>,
    /// By name, the change of each resource it has.
    there: BTreeMap<String, u64>,
}

impl Stream {
    async fn serve(mut self, request: Request<RecvStream>) -> Result<(), Failure> {
        let mut changes = self.shared.changes.subscribe();
        let mut body = request.into_body();
        let mut bytes = Vec::new();
        loop {
            tokio::select! {
                data = body.data() => {
                    let Some(data) = data else { return Ok(()) };
                    let data = data?;
                    body.flow_control().release_capacity(data.len())?;
                    bytes.extend_from_slice(&data);
                }
                changed = changes.changed() => changed?,
            }
            while let Some(message) = take(&mut bytes) {
                self.on_request(&message)?;
            }
            for kind in Kind::ALL {
                let Some(message) = self.answer(kind) else {
                    continue;
                };
                let fault = self.shared.state().fault;
                self.say(message, fault).await?;
            }
        }
    }

    fn on_request(&mut self, message: &[u8]) -> Result<(), Failure> {
        let (url, nonce, error) = if self.delta {
            let request = DeltaDiscoveryRequest::decode(message)?;
            let Some(of_type) = of_type(&mut self.sent, &request.type_url) else {
                return Ok(());
            };
            for name in request.resource_names_subscribe {
                of_type.there.remove(&name);
                of_type.names.insert(name);
                of_type.version = None;
            }
            for name in &request.resource_names_unsubscribe {
                of_type.there.remove(name);
                of_type.names.remove(name);
            }
            (
                request.type_url,
                request.response_nonce,
                request.error_detail,
            )
        } else {
            let request = DiscoveryRequest::decode(message)?;
            let Some(of_type) = of_type(&mut self.sent, &request.type_url) else {
                return Ok(());
            };
            let names = Names::from_iter(request.resource_names);
            if names != of_type.names {
                of_type.names = names;
                of_type.version = None;
            }
            (
                request.type_url,
                request.response_nonce,
                request.error_detail,
            )
        };
        let mut state = self.shared.state();
        let kind = Kind::of_url(&url);
        let of_type = kind.and_then(|kind| state.types.get_mut(&kind));
        if let Some(of_type) = of_type
            && let Ok(version) = nonce.parse::<u64>()
        {
            match error {
                None => of_type.accepted = of_type.accepted.max(version),
                Some(error) => {
                    of_type.refused += 1;
                    of_type.reason = error.message;
                }
            }
        }
        Ok(())
    }

    /// The message that is due of a type.
    fn answer(&mut self, kind: Kind) -> Option<Vec<u8>> {
        let sent = self.sent.get_mut(&kind)?;
        let state = self.shared.state();
        let of_type = &state.types[&kind];
        if of_type.version == 0 || sent.version == Some(of_type.version) {
            return None;
        }
        let before = sent.version.replace(of_type.version);
        let url = match state.fault {
            Fault::WrongType => Kind::Runtime.type_url(),
            _ => kind.type_url(),
        };
        let wanted = |name: &String| sent.names.is_empty() || sent.names.contains(name);
        if self.delta {
            let mut changed = of_type.since(before);
            changed.retain(|(name, _)| wanted(name));
            return delta(of_type, changed, &mut sent.there, kind, url);
        }
        let all = of_type.resources.iter().filter(|(name, _)| wanted(name));
        let resources: Vec<_> = all.map(|(_, (body, _))| any(&url, body)).collect();
        if resources.is_empty() && !kind.is_wildcard() {
            return None;
        }
        let response = DiscoveryResponse {
            version_info: of_type.version.to_string(),
            nonce: of_type.version.to_string(),
            type_url: kind.type_url(),
            resources,
            ..Default::default()
        };
        Some(response.encode_to_vec())
    }

    async fn say(&mut self, message: Vec<u8>, fault: Fault) -> Result<(), Failure> {
        match fault {
            Fault::Garbage => self.send.send_data(frame(&[0xff; 300]), false)?,
            Fault::Half => {
                let mut bytes = frame(&message);
                bytes.truncate(bytes.len() / 2);
                self.send.send_data(bytes, false)?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                return Err("half is all that is said".into());
            }
            Fault::Slow => {
                let mut bytes = frame(&message);
                while !bytes.is_empty() {
                    let part = bytes.split_to(bytes.len().min(DRIP.0));
                    self.send.send_data(part, false)?;
                    tokio::time::sleep(DRIP.1).await;
                }
            }
            _ => self.send.send_data(frame(&message), false)?,
        }
        Ok(())
    }
}

/// What is said of a type; none of a type that is not served here.
fn of_type<'a>(sent: &'a mut BTreeMap<Kind, Sent>, url: &str) -> Option<&'a mut Sent> {
    Some(sent.entry(Kind::of_url(url)?).or_default())
}

fn delta(
    of_type: &OfType,
    changed: Vec<Change<'_>>,
    there: &mut BTreeMap<String, u64>,
    kind: Kind,
    url: String,
) -> Option<Vec<u8>> {
    let (mut resources, mut removed_resources) = (Vec::new(), Vec::new());
    for (name, resource) in changed {
        match resource {
            Some((body, version)) if there.get(name) != Some(version) => {
                there.insert(name.clone(), *version);
                resources.push(Wrapper {
                    name: name.clone(),
                    version: version.to_string(),
                    resource: Some(any(&url, body)),
                    ..Default::default()
                });
            }
            Some(_) => {}
            None => {
                if there.remove(name).is_some() {
                    removed_resources.push(name.clone());
                }
            }
        }
    }
    if resources.is_empty() && removed_resources.is_empty() {
        return None;
    }
    let response = DeltaDiscoveryResponse {
        system_version_info: of_type.version.to_string(),
        nonce: of_type.version.to_string(),
        type_url: kind.type_url(),
        resources,
        removed_resources,
        ..Default::default()
    };
    Some(response.encode_to_vec())
}

fn any(url: &str, body: &[u8]) -> Any {
    Any {
        type_url: url.to_owned(),
        value: body.to_vec(),
    }
}

/// The next whole gRPC message.
fn take(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let &[_, a, b, c, d, ..] = bytes.as_slice() else {
        return None;
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let message = bytes.get(5..5 + length)?.to_vec();
    bytes.drain(..5 + length);
    Some(message)
}

fn frame(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}
