//! Reads what logs, headers and checks ask of a certificate.

use aws_lc_rs::digest;
use nuncio_base::hex;
use nuncio_stream_info::{CertificateInfo, SanKind, SubjectAltName};
use rustls::NamedGroup;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};
use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// What is known of a certificate; `None` where it is malformed.
pub fn read(der: &[u8]) -> Option<CertificateInfo> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut sans = Vec::new();
    for extension in certificate.extensions() {
        if let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() {
            sans.extend(names.general_names.iter().filter_map(alternative_name));
        }
    }
    let validity = certificate.validity();
    Some(CertificateInfo {
        subject: rfc2253(certificate.subject()),
        issuer: rfc2253(certificate.issuer()),
        serial: serial(certificate.raw_serial()),
        sans,
        sha1: hex::encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()),
        sha256: hex::encode(digest::digest(&digest::SHA256, der).as_ref()),
        valid_from: time(validity.not_before),
        expires: time(validity.not_after),
        der: der.into(),
    })
}

/// SHA-256 of a certificate's public key (its SubjectPublicKeyInfo).
pub fn spki_sha256(der: &[u8]) -> Option<[u8; 32]> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let hash = digest::digest(&digest::SHA256, certificate.public_key().raw);
    hash.as_ref().try_into().ok()
}

/// The curve of a certificate's key; `None` where it is of another kind.
pub fn curve(der: &[u8]) -> Option<NamedGroup> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let algorithm = &certificate.public_key().algorithm;
    let curve = algorithm.parameters.as_ref()?.as_oid().ok()?;
    match curve.to_id_string().as_str() {
        "1.2.840.10045.3.1.7" => Some(NamedGroup::secp256r1),
        "1.3.132.0.34" => Some(NamedGroup::secp384r1),
        "1.3.132.0.35" => Some(NamedGroup::secp521r1),
        _ => None,
    }
}

/// Whether a certificate may only be shown with an OCSP response (RFC 7633: `status_request` among
/// its TLS features).
pub fn must_staple(der: &[u8]) -> bool {
    const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
    const STATUS_REQUEST: &[u8] = &[2, 1, 5];
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
        certificate.extensions().iter().any(|extension| {
            extension.oid.to_id_string() == TLS_FEATURE
                && extension
                    .value
                    .windows(3)
                    .any(|feature| feature == STATUS_REQUEST)
        })
    })
}

/// A certificate's number, without leading zeros.
pub fn raw_serial(der: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(without_zeros(certificate.raw_serial()).to_vec())
}

/// A number without its leading zeros.
pub fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// A moment in DER.
pub fn read_time(der: &[u8]) -> Option<SystemTime> {
    let (_, moment) = ASN1Time::from_der(der).ok()?;
    Some(time(moment))
}

/// Whether a certificate says that its key signs neither certificates nor revocation lists.
pub fn is_no_authority(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
        let usage = certificate.key_usage().ok().flatten();
        let signs = usage.is_none_or(|usage| {
            let usage = usage.value;
            usage.key_cert_sign() || usage.crl_sign()
        });
        !signs && !certificate.is_ca()
    })
}

/// Whether a certificate names itself as its issuer.
pub fn is_self_issued(der: &[u8]) -> bool {
    X509Certificate::from_der(der).is_ok_and(|(_, certificate)| {
        certificate.subject().as_raw() == certificate.issuer().as_raw()
    })
}

/// The names that a certificate is for, as server certificates are chosen by SNI: its DNS names,
/// or, where it has no alternative names at all, its common name.
pub fn server_names(der: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let info = read(der);
    let names: Vec<_> = info
        .iter()
        .flat_map(|info| info.sans_of(SanKind::Dns))
        .map(str::to_ascii_lowercase)
        .collect();
    if matches!(certificate.subject_alternative_name(), Ok(Some(_))) {
        return names;
    }
    let common = certificate.subject().iter_common_name();
    common
        .filter_map(|name| name.as_str().ok())
        .map(str::to_ascii_lowercase)
        .collect()
}

/// As BoringSSL prints numbers: without the zero byte that keeps them positive.
fn serial(raw: &[u8]) -> String {
    match without_zeros(raw) {
        [] => "0".to_owned(),
        digits => hex::encode(digits),
    }
}

fn time(time: ASN1Time) -> SystemTime {
    let seconds = time.timestamp();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let moved = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    moved.unwrap_or(SystemTime::UNIX_EPOCH)
}

fn alternative_name(name: &GeneralName<'_>) -> Option<SubjectAltName> {
    let (kind, value, oid) = match name {
        GeneralName::DNSName(name) => (SanKind::Dns, (*name).to_owned(), None),
        GeneralName::URI(uri) => (SanKind::Uri, (*uri).to_owned(), None),
        GeneralName::RFC822Name(mail) => (SanKind::Email, (*mail).to_owned(), None),
        GeneralName::IPAddress(bytes) => (SanKind::Ip, ip(bytes)?.to_string(), None),
        GeneralName::OtherName(oid, value) => {
            let value = other_value(value)?;
            (SanKind::Other, value, Some(oid.to_id_string()))
        }
        _ => return None,
    };
    Some(SubjectAltName { kind, value, oid })
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

/// The text in an `otherName`: a value in an explicit tag.
fn other_value(value: &[u8]) -> Option<String> {
    let (_, outer) = Any::from_der(value).ok()?;
    let inner = if outer.header.is_contextspecific() {
        Any::from_der(outer.data).ok()?.1
    } else {
        outer
    };
    str::from_utf8(inner.data).ok().map(str::to_owned)
}

/// A name as RFC 2253 writes it: the last part first.
fn rfc2253(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name
        .iter_rdn()
        .map(|rdn| {
            let values: Vec<_> = rdn.iter().map(attribute).collect();
            values.join("+")
        })
        .collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    let name = match oid.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.42" => "GN",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        other => other,
    };
    let mut text = format!("{name}=");
    match attribute.as_str() {
        Ok(value) => escape(value, &mut text),
        // What is no text is shown as its encoding (RFC 2253 section 2.4).
        Err(_) => {
            let _ = write!(text, "#{}", hex::encode(attribute.as_slice()));
        }
    }
    text
}

/// RFC 2253 section 2.4.
fn escape(value: &str, out: &mut String) {
    let last = value.len().saturating_sub(1);
    for (at, c) in value.char_indices() {
        let special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';')
            || (at == 0 && matches!(c, ' ' | '#'))
            || (at == last && c == ' ');
        if special {
            out.push('\\');
        }
        if c.is_ascii() && !c.is_ascii_control() {
            out.push(c);
            continue;
        }
        let mut utf8 = [0; 4];
        for byte in c.encode_utf8(&mut utf8).bytes() {
            // Writing to a string can't fail.
            let _ = write!(out, "\\{byte:02X}");
        }
    }
}
