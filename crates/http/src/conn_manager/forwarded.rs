//! Who the client is and how it came: `x-forwarded-for`, `-proto`, `-port`, and `:scheme`.

use crate::chain::StreamState;
use crate::conn_manager::original_ip::{Detected, nth_from_end};
use crate::conn_manager::spec::HcmSpec;
use crate::local_reply::LocalReply;
use nuncio_base::address::Address;
use nuncio_base::ip_text::IpText;
use nuncio_base::{HeaderMap, names};
use nuncio_stream_info::ConnectionInfo;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

/// Where a request comes from.
pub(super) struct Origin {
    /// From this proxy's own network.
    pub internal: bool,
    /// From outside, and this is the first proxy it meets.
    pub edge: bool,
    /// The client's address.
    pub remote_ip: Option<IpAddr>,
}

/// Reads and extends the forwarding headers.
///
/// # Errors
/// The reply to a request whose address can't be found out, where such are refused.
pub(super) fn apply(spec: &HcmSpec, state: &mut StreamState) -> Result<Origin, LocalReply> {
    let connection = Rc::clone(&state.info.connection);
    let headers = &mut state.request.headers;
    let peer = &connection.remote_address;
    let (client, single) = if spec.xff.use_remote_address {
        of_connection(spec, &connection, headers)
    } else {
        let detected = detect(spec, peer, headers)?;
        if detected.append {
            append_xff(spec, headers, peer);
        }
        (detected.address, detected.may_be_internal)
    };
    if !headers.contains(names::X_FORWARDED_PROTO) {
        headers.append(names::X_FORWARDED_PROTO, proto(spec, &connection));
    }
    if spec.append_forwarded_port && !headers.contains(names::X_FORWARDED_PORT) {
        set_port(&connection, headers);
    }
    set_scheme(spec, headers, proto(spec, &connection));
    if let Some(client) = client {
        state.info.remote_address = Some(Address::Ip(client));
    }
    let internal_client = match client {
        Some(client) => spec.internal_addresses.ranges.contains(client.ip()),
        None if !spec.xff.use_remote_address => false,
        None => match peer.ip_only() {
            Some(ip) => spec.internal_addresses.ranges.contains(ip),
            None => spec.internal_addresses.unix_sockets,
        },
    };
    let internal = single && internal_client;
    Ok(Origin {
        internal,
        edge: !internal && spec.xff.use_remote_address,
        remote_ip: client.map(|client| client.ip()).or(peer.ip_only()),
    })
}

/// The connection's own address counts, or the one that trusted proxies in front have told.
fn of_connection(
    spec: &HcmSpec,
    connection: &ConnectionInfo,
    headers: &mut HeaderMap,
) -> (Option<SocketAddr>, bool) {
    let single = !headers.contains(names::X_FORWARDED_FOR);
    let hops = spec.xff.trusted_hops as usize;
    let client = match hops.checked_sub(1) {
        Some(n) => nth_from_end(headers, n).address,
        None => None,
    };
    if !spec.xff.skip_append {
        append_xff(spec, headers, &connection.remote_address);
    }
    if hops == 0 {
        headers.set(names::X_FORWARDED_PROTO, proto(spec, connection));
    }
    // What a peer that isn't trusted says of the port doesn't count.
    if spec.append_forwarded_port && hops == 0 {
        set_port(connection, headers);
    }
    (client, single)
}

/// Tells the port that the client came to.
fn set_port(connection: &ConnectionInfo, headers: &mut HeaderMap) {
    if let Some(address) = connection.local_address.ip() {
        let mut digits = itoa::Buffer::new();
        let port = digits.format(address.port()).as_bytes();
        headers.set(names::X_FORWARDED_PORT, port);
    }
}

fn detect(spec: &HcmSpec, peer: &Address, headers: &HeaderMap) -> Result<Detected, LocalReply> {
    let mut append = false;
    for detection in &spec.original_ip {
        let detected = detection.detect(headers, peer.ip_only())?;
        append |= detected.append;
        if detected.address.is_some() {
            return Ok(Detected { append, ..detected });
        }
    }
    Ok(Detected {
        append,
        ..Detected::default()
    })
}

/// How the request came: over TLS or not, or what the port says that the PROXY protocol named.
fn proto(spec: &HcmSpec, connection: &ConnectionInfo) -> &'static [u8] {
    let restored = || connection.local_address != *connection.direct_local_address();
    if let Some(by_port) = &spec.forward_proto
        && restored()
        && let Some(address) = connection.local_address.ip()
    {
        let port = u32::from(address.port());
        if by_port.https_ports.contains(&port) {
            return b"https";
        }
        if by_port.http_ports.contains(&port) {
            return b"http";
        }
    }
    if connection.tls.is_some() {
        b"https"
    } else {
        b"http"
    }
}

fn set_scheme(spec: &HcmSpec, headers: &mut HeaderMap, proto: &[u8]) {
    if let Some(scheme) = &spec.scheme_override {
        headers.set(names::SCHEME, scheme.as_bytes());
        headers.set(names::X_FORWARDED_PROTO, scheme.as_bytes());
    }
    if headers.contains(names::SCHEME) {
        return;
    }
    let forwarded = headers.get(names::X_FORWARDED_PROTO);
    let scheme: &[u8] = match forwarded {
        Some(value) if value.eq_ignore_ascii_case(b"https") => b"https",
        Some(value) if value.eq_ignore_ascii_case(b"http") => b"http",
        Some(_) | None => proto,
    };
    headers.append(names::SCHEME, scheme);
}

fn append_xff(spec: &HcmSpec, headers: &mut HeaderMap, remote: &Address) {
    let Some(ip) = remote.ip_only() else { return };
    // A peer on this machine is a sidecar's own application: other hosts know us by our address.
    let ip = if ip.is_loopback() { spec.host_ip } else { ip };
    headers.join(names::X_FORWARDED_FOR, IpText::new(ip).as_bytes());
}
