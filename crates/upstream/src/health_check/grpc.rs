//! gRPC health checks (`grpc.health.v1.Health/Check`): what is asked, and what the response means.

use super::exchange::Response;
use super::host_health::Failure;
use super::http::Healthy;
use bytes::Bytes;
use nuncio_base::{HeaderMap, names};
use std::sync::Arc;

/// How much of a response is looked at, in bytes: it is one small message.
pub(super) const MAX_MESSAGE: usize = 4096;

/// The service that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrpcProbe {
    /// Its name; empty for the whole server.
    pub service_name: String,
    /// The `:authority`; empty for the cluster's name.
    pub authority: Arc<str>,
    /// Header fields to add: name, value, and whether it takes the place of others.
    pub initial_metadata: Vec<(String, Vec<u8>, bool)>,
}

impl GrpcProbe {
    /// The head of a request.
    pub(super) fn request(&self, host: &str, secure: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(names::METHOD, b"POST");
        headers.append(names::PATH, b"/grpc.health.v1.Health/Check");
        headers.append(names::AUTHORITY, host.as_bytes());
        let scheme: &[u8] = if secure { b"https" } else { b"http" };
        headers.append(names::SCHEME, scheme);
        headers.append(names::TE, b"trailers");
        headers.append(names::CONTENT_TYPE, b"application/grpc");
        headers.append(names::USER_AGENT, b"Envoy/HC");
        for (name, value, replaces) in &self.initial_metadata {
            if *replaces {
                headers.set(name.as_str(), value);
            } else {
                headers.append(name.as_str(), value);
            }
        }
        headers
    }

    /// A `HealthCheckRequest` with its length before it.
    pub(super) fn message(&self) -> Bytes {
        let name = self.service_name.as_bytes();
        let mut message = Vec::new();
        if !name.is_empty() {
            // Field 1, of bytes.
            message.push(0x0a);
            let mut length = name.len();
            while length >= 0x80 {
                message.push(length as u8 | 0x80);
                length >>= 7;
            }
            message.push(length as u8);
            message.extend_from_slice(name);
        }
        let length = u32::try_from(message.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes();
        [&[0], &length[..], &message].concat().into()
    }
}

/// What a response means.
pub(super) fn judge(response: &Response) -> Result<Healthy, Failure> {
    let status = response.headers.get_str(names::STATUS);
    let status = status.and_then(|status| status.parse().ok()).unwrap_or(0);
    let trailers = response.trailers.as_ref().unwrap_or(&response.headers);
    let succeeded = trailers.get(names::GRPC_STATUS) == Some(b"0");
    let content = response
        .headers
        .get(names::CONTENT_TYPE)
        .unwrap_or_default();
    let speaks_grpc = content.starts_with(b"application/grpc");
    if status == 200 && speaks_grpc && succeeded && is_serving(&response.body) {
        return Ok(Healthy { degraded: false });
    }
    Err(Failure::Active {
        status: 0,
        retriable: false,
    })
}

/// Whether a body is one `HealthCheckResponse` that says SERVING.
fn is_serving(body: &[u8]) -> bool {
    let Some((&[compressed, a, b, c, d], message)) = body.split_first_chunk::<5>() else {
        return false;
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    compressed == 0 && length == message.len() && status_of(message) == Some(1)
}

/// Field 1 of a message that has no other: a number.
fn status_of(message: &[u8]) -> Option<u64> {
    match message {
        [] => Some(0),
        [0x08, status] if *status < 0x80 => Some((*status).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: &str, body: &[u8], grpc: Option<&str>) -> Response {
        let mut headers = HeaderMap::new();
        headers.append(names::STATUS, status.as_bytes());
        headers.append(names::CONTENT_TYPE, b"application/grpc");
        let trailers = grpc.map(|grpc| {
            let mut trailers = HeaderMap::new();
            trailers.append(names::GRPC_STATUS, grpc.as_bytes());
            trailers
        });
        Response {
            headers,
            body: body.to_vec(),
            trailers,
            reusable: true,
        }
    }

    #[test]
    fn only_serving_is_healthy() {
        let serving = [0, 0, 0, 0, 2, 8, 1];
        for (status, body, grpc, healthy) in [
            ("200", &serving[..], Some("0"), true),
            ("200", &serving, Some("5"), false),
            ("503", &serving, Some("0"), false),
            ("200", &[0, 0, 0, 0, 2, 8, 2], Some("0"), false),
            ("200", &[0, 0, 0, 0, 0], Some("0"), false),
            ("200", &[0, 0, 0, 0, 3, 8, 1], Some("0"), false),
            ("200", &[1, 0, 0, 0, 2, 8, 1], Some("0"), false),
            ("200", &[], Some("0"), false),
            ("200", &serving, None, false),
        ] {
            let judged = judge(&response(status, body, grpc));
            assert_eq!(judged.is_ok(), healthy, "{status} {body:?} {grpc:?}");
        }
    }

    #[test]
    fn the_service_is_named_in_the_message() {
        let probe = |name: &str| GrpcProbe {
            service_name: name.to_owned(),
            ..GrpcProbe::default()
        };
        assert_eq!(probe("").message(), &[0, 0, 0, 0, 0][..]);
        assert_eq!(probe("svc").message(), &b"\0\0\0\0\x05\x0a\x03svc"[..]);
        let long = probe(&"a".repeat(300)).message();
        assert_eq!(long[..8], [0, 0, 0, 1, 0x2f, 0x0a, 0xac, 2]);
    }
}
