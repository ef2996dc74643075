//! `envoy.config.core.v3.GrpcService`: a service behind one of our clusters.

use crate::duration;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_grpc::GrpcService;
use nuncio_net::host_address::HostAddress;
use nuncio_proto::envoy::config::core::v3 as proto;
use nuncio_proto::envoy::config::core::v3::grpc_service::TargetSpecifier;
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
    let target = match target_specifier {
        Some(TargetSpecifier::EnvoyGrpc(target)) => target,
        Some(TargetSpecifier::GoogleGrpc(_)) => return Err(cx.not_built("google_grpc")),
        None => return Err(cx.error("field: 'target_specifier', reason: is required")),
    };
    let (retries, skips) = (target.retry_policy.is_some(), target.skip_envoy_headers);
    cx.field("envoy_grpc", |cx| {
        cx.refuse("retry_policy", retries)?;
        cx.refuse("skip_envoy_headers", skips)
    })?;
    let timeout = duration::limit(cx, "timeout", timeout, None)?;
    let metadata = cx.field("initial_metadata", |cx| {
        let pairs = initial_metadata.into_iter();
        pairs
            .map(|pair| header(cx, pair))
            .collect::<Parsed<Vec<_>>>()
    })?;
    let most = target.max_receive_message_length.map(|most| most.value);
    Ok(Arc::new(GrpcService {
        authority: target.authority,
        timeout,
        initial_metadata: metadata,
        host_ip: Some(cx.env().shared(HostAddress::find).0),
        max_message_bytes: match most {
            None | Some(0) => GrpcService::MAX_MESSAGE_BYTES,
            Some(most) => most as usize,
        },
        ..GrpcService::new(&target.cluster_name)
    }))
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
