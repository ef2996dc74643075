//! Commands about TLS: what was agreed on, and the certificates of both sides.

use super::command::{Spec, Syntax};
use super::error::FormatError;
use super::operator::{Operator, Rendered};
use super::time_format::TimeFormat;
use crate::format_cx::FormatCx;
use nuncio_stream_info::{CertificateInfo, SanKind, TlsInfo};

/// Whose connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Downstream,
    Upstream,
}

/// A fact of a connection's TLS.
#[derive(Debug)]
pub(super) struct TlsField {
    end: End,
    fact: Fact,
}

#[derive(Debug)]
enum Fact {
    Version,
    Cipher,
    Group,
    /// The name that a client asked for; upstream the one that was sent.
    ServerName,
    /// Session ids are not told by the TLS library.
    SessionId,
    Failure,
    /// What an inspector took of the client.
    Ja3,
    Ja4,
    Local(CertificateFact),
    Peer(CertificateFact),
    /// Of the certificate that issued the peer's.
    Issuer(CertificateFact),
    /// Of all certificates that the peer showed.
    Chain(CertificateFact),
}

#[derive(Debug)]
enum CertificateFact {
    Subject,
    Issuer,
    Serial,
    Sha1,
    Sha256,
    Pem,
    Sans(SanKind),
    ValidFrom(TimeFormat),
    Expires(TimeFormat),
}

pub(super) fn find(name: &str) -> Option<Spec> {
    let fingerprint = match name {
        "TLS_JA3_FINGERPRINT" => Some(Fact::Ja3),
        "TLS_JA4_FINGERPRINT" => Some(Fact::Ja4),
        _ => None,
    };
    if let Some(fact) = fingerprint {
        let end = End::Downstream;
        return Some(Spec::fixed(Operator::Tls(TlsField { end, fact })));
    }
    let (end, rest) = end_of(name)?;
    if matches!(rest, "PEER_CERT_V_START" | "PEER_CERT_V_END") {
        return Some(Spec::with(Syntax::Optional, validity));
    }
    let fact = fact(end, rest)?;
    Some(Spec::fixed(Operator::Tls(TlsField { end, fact })))
}

fn end_of(name: &str) -> Option<(End, &str)> {
    match name.split_once('_')? {
        ("DOWNSTREAM", rest) => Some((End::Downstream, rest)),
        ("UPSTREAM", rest) => Some((End::Upstream, rest)),
        _ => None,
    }
}

fn validity(name: &str, params: &str) -> Result<Operator, FormatError> {
    let format = TimeFormat::parse(params, false)?;
    let fact = match name.ends_with("START") {
        true => CertificateFact::ValidFrom(format),
        false => CertificateFact::Expires(format),
    };
    let end = match name.starts_with("UPSTREAM") {
        true => End::Upstream,
        false => End::Downstream,
    };
    Ok(Operator::Tls(TlsField {
        end,
        fact: Fact::Peer(fact),
    }))
}

fn fact(end: End, name: &str) -> Option<Fact> {
    use CertificateFact as Of;
    let either = match name {
        "TLS_VERSION" => Fact::Version,
        "TLS_CIPHER" => Fact::Cipher,
        "TLS_GROUP" => Fact::Group,
        "TLS_SESSION_ID" => Fact::SessionId,
        "LOCAL_DNS_SAN" => Fact::Local(Of::Sans(SanKind::Dns)),
        "LOCAL_IP_SAN" => Fact::Local(Of::Sans(SanKind::Ip)),
        "LOCAL_URI_SAN" => Fact::Local(Of::Sans(SanKind::Uri)),
        "PEER_CERT" => Fact::Peer(Of::Pem),
        "PEER_DNS_SAN" => Fact::Peer(Of::Sans(SanKind::Dns)),
        "PEER_IP_SAN" => Fact::Peer(Of::Sans(SanKind::Ip)),
        "PEER_URI_SAN" => Fact::Peer(Of::Sans(SanKind::Uri)),
        "PEER_ISSUER" => Fact::Peer(Of::Issuer),
        "PEER_SUBJECT" => Fact::Peer(Of::Subject),
        _ => return one_sided(end, name),
    };
    Some(either)
}

fn one_sided(end: End, name: &str) -> Option<Fact> {
    use CertificateFact as Of;
    Some(match (end, name) {
        (End::Upstream, "SERVER_NAME") => Fact::ServerName,
        (End::Upstream, _) => return None,
        (_, "LOCAL_EMAIL_SAN") => Fact::Local(Of::Sans(SanKind::Email)),
        (_, "LOCAL_OTHERNAME_SAN") => Fact::Local(Of::Sans(SanKind::Other)),
        (_, "LOCAL_SUBJECT") => Fact::Local(Of::Subject),
        (_, "PEER_CHAIN_FINGERPRINTS_1") => Fact::Chain(Of::Sha1),
        (_, "PEER_CHAIN_FINGERPRINTS_256") => Fact::Chain(Of::Sha256),
        (_, "PEER_CHAIN_SERIALS") => Fact::Chain(Of::Serial),
        (_, "PEER_EMAIL_SAN") => Fact::Peer(Of::Sans(SanKind::Email)),
        (_, "PEER_FINGERPRINT_1") => Fact::Peer(Of::Sha1),
        (_, "PEER_FINGERPRINT_256") => Fact::Peer(Of::Sha256),
        (_, "PEER_ISSUER_FINGERPRINT_256") => Fact::Issuer(Of::Sha256),
        (_, "PEER_ISSUER_SERIAL") => Fact::Issuer(Of::Serial),
        (_, "PEER_OTHERNAME_SAN") => Fact::Peer(Of::Sans(SanKind::Other)),
        (_, "PEER_SERIAL") => Fact::Peer(Of::Serial),
        (_, "TRANSPORT_FAILURE_REASON") => Fact::Failure,
        _ => return None,
    })
}

impl TlsField {
    pub(super) fn write(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        let connection = &cx.info.connection;
        match self.fact {
            Fact::Failure => return write_failure(cx, out),
            Fact::Ja3 | Fact::Ja4 => {
                let both = connection.fingerprints.as_ref();
                let text = both.and_then(|both| match self.fact {
                    Fact::Ja3 => both.ja3.as_deref(),
                    _ => both.ja4.as_deref(),
                });
                return Rendered::maybe_text(out, text);
            }
            _ => {}
        }
        let upstream = || cx.info.upstream.as_deref()?.tls.as_deref();
        let tls = match self.end {
            End::Downstream => connection.tls.as_deref(),
            End::Upstream => upstream(),
        };
        tls.map_or(Rendered::Absent, |tls| self.fact.write(tls, out))
    }
}

/// A connection's own; requests, which come after its handshake, have none.
fn write_failure(cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
    let reason = &cx.info.connection.transport_failure_reason;
    let (Some(reason), None) = (reason, cx.info.protocol) else {
        return Rendered::Absent;
    };
    // A log's fields are between spaces.
    let text = reason
        .bytes()
        .map(|byte| if byte == b' ' { b'_' } else { byte });
    out.extend(text);
    Rendered::Text
}

impl Fact {
    fn write(&self, tls: &TlsInfo, out: &mut Vec<u8>) -> Rendered {
        let of = |fact: &CertificateFact, certificate: Option<&CertificateInfo>, out| {
            certificate.map_or(Rendered::Absent, |certificate| fact.write(certificate, out))
        };
        match self {
            Self::Version => Rendered::maybe_text(out, tls.version),
            Self::Cipher => Rendered::maybe_text(out, tls.cipher),
            Self::Group => Rendered::maybe_text(out, tls.group),
            Self::ServerName => Rendered::maybe_text(out, tls.server_name.as_deref()),
            Self::SessionId | Self::Failure | Self::Ja3 | Self::Ja4 => Rendered::Absent,
            Self::Local(fact) => of(fact, tls.local.as_deref(), out),
            Self::Peer(fact) => of(fact, tls.peer_certificate(), out),
            Self::Issuer(fact) => of(fact, tls.peer.get(1).map(|issuer| &**issuer), out),
            Self::Chain(fact) => {
                let start = out.len();
                for certificate in &tls.peer {
                    if out.len() > start {
                        out.push(b',');
                    }
                    fact.write(certificate, out);
                }
                Rendered::unless_empty(out, start)
            }
        }
    }
}

impl CertificateFact {
    fn write(&self, certificate: &CertificateInfo, out: &mut Vec<u8>) -> Rendered {
        match self {
            Self::Subject => Rendered::name(out, &certificate.subject),
            Self::Issuer => Rendered::name(out, &certificate.issuer),
            Self::Serial => Rendered::name(out, &certificate.serial),
            Self::Sha1 => Rendered::name(out, &certificate.sha1),
            Self::Sha256 => Rendered::name(out, &certificate.sha256),
            Self::Pem => {
                certificate.url_encoded_pem(out);
                Rendered::Text
            }
            Self::Sans(kind) => {
                let start = out.len();
                for san in certificate.sans_of(*kind) {
                    if out.len() > start {
                        out.push(b',');
                    }
                    out.extend_from_slice(san.as_bytes());
                }
                Rendered::unless_empty(out, start)
            }
            Self::ValidFrom(format) => {
                format.append(certificate.valid_from, out);
                Rendered::Text
            }
            Self::Expires(format) => {
                format.append(certificate.expires, out);
                Rendered::Text
            }
        }
    }
}
