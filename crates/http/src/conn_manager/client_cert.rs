//! `x-forwarded-client-cert`: what upstreams are told of the client's certificate (Envoy's
//! "HTTP header manipulation").

use crate::conn_manager::client_cert_json;
use crate::conn_manager::spec::{ClientCertDetails, ForwardClientCert};
use nuncio_base::{HeaderMap, names};
use nuncio_stream_info::{SanKind, TlsInfo};

/// Forwards, extends, replaces or removes the header.
pub(super) fn apply(how: &ForwardClientCert, tls: Option<&TlsInfo>, headers: &mut HeaderMap) {
    let presented = tls.filter(|tls| tls.peer_certificate_presented);
    match (how, presented) {
        (ForwardClientCert::AlwaysForwardOnly, _) | (ForwardClientCert::ForwardOnly, Some(_)) => {}
        (ForwardClientCert::AppendForward(details), Some(tls)) => {
            let before = headers.get(names::X_FORWARDED_CLIENT_CERT);
            // The form that others began is kept.
            let before = before.unwrap_or_default();
            let json = !before.is_empty() || details.json;
            match json.then(|| client_cert_json::join(before, *details, tls)) {
                Some(Some(list)) => headers.set(names::X_FORWARDED_CLIENT_CERT, &list),
                _ => headers.join(names::X_FORWARDED_CLIENT_CERT, &element(*details, tls)),
            }
        }
        (ForwardClientCert::SanitizeSet(details), Some(tls)) => {
            let json = details
                .json
                .then(|| client_cert_json::join(b"", *details, tls));
            let value = json.flatten().unwrap_or_else(|| element(*details, tls));
            headers.set(names::X_FORWARDED_CLIENT_CERT, &value);
        }
        _ => {
            headers.remove(names::X_FORWARDED_CLIENT_CERT);
        }
    }
}

/// What this hop says: keys and values between semicolons.
fn element(details: ClientCertDetails, tls: &TlsInfo) -> Vec<u8> {
    let mut out = Vec::new();
    let local = tls.local.iter();
    for uri in local.flat_map(|certificate| certificate.sans_of(SanKind::Uri)) {
        pair(&mut out, "By", uri);
    }
    let Some(peer) = tls.peer_certificate() else {
        return out;
    };
    pair(&mut out, "Hash", &peer.sha256);
    if details.cert {
        pair(&mut out, "Cert", "\"");
        peer.url_encoded_pem(&mut out);
        out.push(b'"');
    }
    if details.chain {
        pair(&mut out, "Chain", "\"");
        for certificate in &tls.peer {
            certificate.url_encoded_pem(&mut out);
        }
        out.push(b'"');
    }
    if details.subject {
        pair(&mut out, "Subject", "\"");
        out.extend_from_slice(peer.subject.as_bytes());
        out.push(b'"');
    }
    if details.uri {
        let mut uris = peer.sans_of(SanKind::Uri);
        // The key is there even if there is no value.
        pair(&mut out, "URI", uris.next().unwrap_or_default());
        uris.for_each(|uri| pair(&mut out, "URI", uri));
    }
    if details.dns {
        let names = peer.sans_of(SanKind::Dns);
        names.for_each(|name| pair(&mut out, "DNS", name));
    }
    if details.issuer {
        pair(&mut out, "Issuer", "\"");
        out.extend_from_slice(peer.issuer.as_bytes());
        out.push(b'"');
    }
    out
}

fn pair(out: &mut Vec<u8>, key: &str, value: &str) {
    if !out.is_empty() {
        out.push(b';');
    }
    out.extend_from_slice(key.as_bytes());
    out.push(b'=');
    out.extend_from_slice(value.as_bytes());
}
