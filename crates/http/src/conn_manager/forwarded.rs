//! Who the client is and how it came: `x-forwarded-for`, `-proto`, `-port`, and `:scheme`.

use crate::chain::StreamState;
use crate::conn_manager::spec::HcmSpec;
use nuncio_base::address::Address;
use nuncio_base::{HeaderMap, names};
use std::net::{IpAddr, SocketAddr};

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
pub(super) fn apply(spec: &HcmSpec, state: &mut StreamState) -> Origin {
    let connection = std::rc::Rc::clone(&state.info.connection);
    let headers = &mut state.request.headers;
    let tls = connection.tls.is_some();
    let proto: &[u8] = if tls { b"https" } else { b"http" };
    let hops = spec.xff.trusted_hops as usize;
    let peer = connection.remote_address.ip_only();
    let client = if spec.xff.use_remote_address {
        let client = if hops > 0 {
            nth_from_end(headers, hops - 1)
        } else {
            None
        };
        if !spec.xff.skip_append {
            append_xff(
                headers,
                &connection.remote_address,
                &connection.local_address,
            );
        }
        if hops == 0 {
            headers.set(names::X_FORWARDED_PROTO, proto);
        }
        client
    } else {
        nth_from_end(headers, hops)
    };
    if spec.append_forwarded_port
        && (hops == 0 || !headers.contains(names::X_FORWARDED_PORT))
        && let Some(address) = connection.local_address.ip()
    {
        let mut digits = itoa::Buffer::new();
        headers.set(
            names::X_FORWARDED_PORT,
            digits.format(address.port()).as_bytes(),
        );
    }
    if !headers.contains(names::X_FORWARDED_PROTO) {
        headers.append(names::X_FORWARDED_PROTO, proto);
    }
    set_scheme(spec, headers, proto);
    if let Some(ip) = client {
        state.info.remote_address = Some(Address::Ip(SocketAddr::new(ip, 0)));
    }
    // No address range is internal unless it is configured so (Envoy's default since 1.33).
    Origin {
        internal: false,
        edge: spec.xff.use_remote_address,
        remote_ip: client.or(peer),
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

/// The address at a place of `x-forwarded-for`, counted from its end.
fn nth_from_end(headers: &HeaderMap, n: usize) -> Option<IpAddr> {
    let list = headers.get_str(names::X_FORWARDED_FOR)?;
    let entry = list.rsplit(',').nth(n)?.trim();
    entry.parse().ok().or_else(|| {
        // An address may carry a port: `1.2.3.4:5`, `[::1]:5`.
        entry.parse::<SocketAddr>().ok().map(|address| address.ip())
    })
}

fn append_xff(headers: &mut HeaderMap, remote: &Address, local: &Address) {
    // A peer on this machine is a sidecar's own application: other hosts know us by our address.
    let address = match remote.ip_only() {
        Some(ip) if ip.is_loopback() => local.ip_only(),
        other => other,
    };
    if let Some(ip) = address {
        let mut text = [0_u8; 45];
        let mut rest = &mut text[..];
        let length = match std::io::Write::write_fmt(&mut rest, format_args!("{ip}")) {
            Ok(()) => 45 - rest.len(),
            Err(_) => return,
        };
        headers.join(names::X_FORWARDED_FOR, &text[..length]);
    }
}
