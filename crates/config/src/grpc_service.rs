//! `envoy.config.core.v3.GrpcService`: a service behind one of our clusters, or at an address.

use crate::duration;
use crate::google_grpc::google_grpc;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_grpc::GrpcService;
use nuncio_net::host_address::HostAddress;
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_proto::envoy::config::core::v3::grpc_service::{EnvoyGrpc, TargetSpecifier};
use std::sync::Arc;

/// Converts a service.
///
/// # Errors
/// Recorded in `cx`.
pub fn grpc_service(cx: &mut ParseCx, proto: proto::GrpcService) -> Parsed<Arc<GrpcService>> {
    let proto::GrpcService {
        target_specifier,
        timeout,
        initial_metadata,
        retry_policy,
    } = proto;
    cx.refuse("retry_policy", retry_policy.is_some())?;
    let service = match target_specifier {
        Some(TargetSpecifier::EnvoyGrpc(target)) => {
            cx.field("envoy_grpc", |cx| envoy_grpc(cx, target))?
        }
        Some(TargetSpecifier::GoogleGrpc(target)) => {
            cx.field("google_grpc", |cx| google_grpc(cx, target))?
        }
        None => return Err(cx.error("field: 'target_specifier', reason: is required")),
    };
    let timeout = duration::limit(cx, "timeout", timeout, None)?;
    let metadata = cx.field("initial_metadata", |cx| {
        let pairs = initial_metadata.into_iter();
        pairs
            .map(|pair| header(cx, pair))
            .collect::<Parsed<Vec<_>>>()
    })?;
    Ok(Arc::new(GrpcService {
        timeout,
        initial_metadata: metadata,
        ..service
    }))
}

/// A service behind a cluster.
fn envoy_grpc(cx: &mut ParseCx, target: EnvoyGrpc) -> Parsed<GrpcService> {
    cx.refuse("retry_policy", target.retry_policy.is_some())?;
    let most = target.max_receive_message_length.map(|most| most.value);
    let says_who = !target.skip_envoy_headers;
    Ok(GrpcService {
        authority: target.authority,
        host_ip: Some(cx.env().shared(HostAddress::find).0).filter(|_| says_who),
        envoy_headers: says_who,
        max_message_bytes: match most {
            None | Some(0) => GrpcService::MAX_MESSAGE_BYTES,
            Some(most) => most as usize,
        },
        ..GrpcService::new(&target.cluster_name)
    })
}

/// A header of every call; what would have to be formatted is not built.
fn header(cx: &mut ParseCx, pair: proto::HeaderValue) -> Parsed<(HeaderName, Vec<u8>)> {
    let value = match pair.value.is_empty() {
        true => pair.raw_value,
        false => pair.value.into_bytes(),
    };
    if value.contains(&b'%') {
        return Err(cx.not_built("value with substitutions"));
    }
    if !HeaderName::is_valid(&pair.key) {
        return Err(cx.error_at("key", "value is no header name"));
    }
    Ok((HeaderName::new(&pair.key), value))
}
