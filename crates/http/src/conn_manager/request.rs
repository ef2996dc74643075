//! What happens to a request's head before filters see it (Envoy's
//! `ConnectionManagerUtility::mutateRequestHeaders` and the checks around it).

use crate::chain::StreamState;
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::spec::HcmSpec;
use crate::conn_manager::{client_cert, forwarded, path, tracing};
use crate::format_cx::with_headers;
use crate::local_reply::LocalReply;
use crate::opaque::is_upgrade;
use nuncio_base::ip_text::IpText;
use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_net::overload::Shedding;
use nuncio_stream_info::Protocol;

/// Checks the head and makes it fit for the filters; whether the request is internal.
///
/// # Errors
/// The reply to send where the request can't be served.
pub(super) fn prepare(local: &HcmLocal, state: &mut StreamState) -> Result<bool, LocalReply> {
    if local.sheds(Shedding::Requests, &state.info.connection) {
        local.stats.downstream_rq_overload_close().inc();
        let reply = LocalReply::new(503, "envoy overloaded", "overload");
        let name = HeaderName::new("x-envoy-local-overloaded");
        return Err(match local.spec.append_local_overload {
            true => reply.header(name, "true"),
            false => reply,
        });
    }
    check(local, state)?;
    let headers = &mut state.request.headers;
    path::strip_host(&local.spec, &state.info.connection, headers);
    path::normalize(local, headers)?;
    mutate_early(local, state);
    let internal = mutate(local, state)?;
    state.find_route();
    Ok(internal)
}

/// The same for a request that begins anew: who has sent it, and what that means, was found out
/// before.
///
/// # Errors
/// The reply to send where the request can't be served.
pub(super) fn prepare_again(local: &HcmLocal, state: &mut StreamState) -> Result<(), LocalReply> {
    check(local, state)?;
    let headers = &mut state.request.headers;
    path::strip_host(&local.spec, &state.info.connection, headers);
    path::normalize(local, headers)?;
    state.find_route();
    Ok(())
}

fn check(local: &HcmLocal, state: &mut StreamState) -> Result<(), LocalReply> {
    let headers = &state.request.headers;
    if state.info.protocol == Some(Protocol::Http10) && !local.spec.h1.accept_http_10 {
        return Err(LocalReply::new(426, "", "low_version"));
    }
    if !headers.contains(names::AUTHORITY) {
        return Err(LocalReply::new(400, "", "missing_host_header"));
    }
    let is_connect = headers.get(names::METHOD) == Some(b"CONNECT");
    match headers.get(names::PATH) {
        None | Some([]) if is_connect => Ok(()),
        Some([b'/', ..]) => Ok(()),
        None | Some([]) => Err(LocalReply::new(404, "", "missing_path_rejected")),
        Some(_) => {
            local.stats.downstream_rq_non_relative_path().inc();
            Err(LocalReply::new(404, "", "absolute_path_rejected"))
        }
    }
}

/// What config wants changed before anything else is.
fn mutate_early(local: &HcmLocal, state: &mut StreamState) {
    for steps in &local.spec.early_mutations {
        let (headers, info) = (&mut state.request.headers, &state.info);
        steps.apply(headers, &mut Vec::new(), |formatter, headers, out| {
            with_headers(&local.worker, info, Some(headers), None, |cx| {
                formatter.append(cx, out);
            });
        });
    }
}

/// Removes what concerns one hop only, adds what the next hop should know.
fn mutate(local: &HcmLocal, state: &mut StreamState) -> Result<bool, LocalReply> {
    let headers = &mut state.request.headers;
    if !is_upgrade(headers) {
        headers.remove(names::CONNECTION);
        headers.remove(names::UPGRADE);
        sanitize_te(headers);
    }
    headers.remove(names::X_ENVOY_INTERNAL);
    headers.remove(names::KEEP_ALIVE);
    headers.remove(names::PROXY_CONNECTION);
    headers.remove(names::TRANSFER_ENCODING);
    let rejected = |_: &_| local.stats.downstream_rq_rejected_via_ip_detection().inc();
    let origin = forwarded::apply(&local.spec, state).inspect_err(rejected)?;
    let headers = &mut state.request.headers;
    if origin.internal {
        headers.set(names::X_ENVOY_INTERNAL, b"true");
    } else {
        if origin.edge {
            remove_edge_headers(headers);
        }
        remove_internal_headers(headers);
        if let Some(table) = state.route.table() {
            table
                .config()
                .internal_only_headers
                .iter()
                .for_each(|name| {
                    headers.remove(name);
                });
        }
        if origin.edge
            && let Some(ip) = origin.remote_ip
        {
            let text = IpText::new(ip);
            headers.set(names::X_ENVOY_EXTERNAL_ADDRESS, text.as_bytes());
        }
    }
    set_user_agent(&local.spec, headers);
    set_request_id(local, headers, origin.edge);
    if !local.spec.via.is_empty() {
        append_via(headers, &local.spec.via);
    }
    let tls = state.info.connection.tls.as_deref();
    client_cert::apply(&local.spec.forward_client_cert, tls, headers);
    Ok(origin.internal)
}

/// Adds to `via`, behind a comma and a space as Envoy has it.
pub(super) fn append_via(headers: &mut HeaderMap, via: &str) {
    match headers.get(names::VIA) {
        None | Some([]) => headers.set(names::VIA, via.as_bytes()),
        Some(before) => {
            let joined = [before, b", ", via.as_bytes()].concat();
            headers.set(names::VIA, &joined);
        }
    }
}

fn set_user_agent(spec: &HcmSpec, headers: &mut HeaderMap) {
    let Some(agent) = &spec.user_agent else {
        return;
    };
    headers.set(
        names::X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER,
        agent.cluster.as_bytes(),
    );
    if headers.get(names::USER_AGENT).is_none_or(<[u8]>::is_empty) {
        headers.set(names::USER_AGENT, agent.cluster.as_bytes());
    }
    if !agent.node.is_empty() {
        headers.set(
            names::X_ENVOY_DOWNSTREAM_SERVICE_NODE,
            agent.node.as_bytes(),
        );
    }
}

/// Of `te` only `trailers` may pass a proxy (RFC 9110 section 10.1.4).
fn sanitize_te(headers: &mut HeaderMap) {
    let Some(te) = headers.get(names::TE) else {
        return;
    };
    let trailers = te
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(b"trailers"));
    if trailers {
        headers.set(names::TE, b"trailers");
    } else {
        headers.remove(names::TE);
    }
}

/// What no one outside this proxy's own network may say to its edge.
fn remove_edge_headers(headers: &mut HeaderMap) {
    for name in [
        names::X_ENVOY_DECORATOR_OPERATION,
        names::X_ENVOY_DOWNSTREAM_SERVICE_CLUSTER,
        names::X_ENVOY_DOWNSTREAM_SERVICE_NODE,
        names::X_ENVOY_ORIGINAL_HOST,
        names::X_ENVOY_ORIGINAL_PATH,
    ] {
        headers.remove(name);
    }
}

/// What only this proxy's own network may say, said from outside.
fn remove_internal_headers(headers: &mut HeaderMap) {
    for name in [
        names::X_ENVOY_EXPECTED_RQ_TIMEOUT_MS,
        names::X_ENVOY_FORCE_TRACE,
        names::X_ENVOY_HEDGE_ON_PER_TRY_TIMEOUT,
        names::X_ENVOY_IP_TAGS,
        names::X_ENVOY_MAX_RETRIES,
        names::X_ENVOY_ORIGINAL_URL,
        names::X_ENVOY_RETRIABLE_HEADER_NAMES,
        names::X_ENVOY_RETRIABLE_STATUS_CODES,
        names::X_ENVOY_RETRY_GRPC_ON,
        names::X_ENVOY_RETRY_ON,
        names::X_ENVOY_UPSTREAM_ALT_STAT_NAME,
        names::X_ENVOY_UPSTREAM_RQ_PER_TRY_TIMEOUT_MS,
        names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_ALT_RESPONSE,
        names::X_ENVOY_UPSTREAM_RQ_TIMEOUT_MS,
        names::X_ENVOY_UPSTREAM_STREAM_DURATION_MS,
    ] {
        headers.remove(name);
    }
}

fn set_request_id(local: &HcmLocal, headers: &mut HeaderMap, edge: bool) {
    let ids = local.spec.request_ids;
    if !ids.generate {
        return;
    }
    let replace = edge && !ids.preserve_external;
    if replace
        || headers
            .get(names::X_REQUEST_ID)
            .is_none_or(<[u8]>::is_empty)
    {
        let uuid = local.worker.with_random(nuncio_base::random::Random::uuid);
        headers.set(names::X_REQUEST_ID, &uuid);
    } else if edge && ids.pack_trace_reason {
        tracing::unmark(headers);
    }
}

/// The bytes of a request's fields as Envoy counts them: names, values, and three for each. Its
/// first line does not count, so `:method` and `:path` are left out, and `:authority` was `host`.
pub(super) fn field_bytes(headers: &HeaderMap) -> u64 {
    let pseudo = |name: &str, key| headers.get(key).map_or(0, |value| name.len() + value.len());
    let line = pseudo(":method", names::METHOD) + pseudo(":path", names::PATH);
    let renamed = ":authority".len() - "host".len();
    let fields = 3 * headers.len().saturating_sub(2);
    (headers.byte_size() + fields).saturating_sub(line + renamed) as u64
}
