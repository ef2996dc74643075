//! `CertificateValidationContext`.

use super::san::NameMatcher;
use super::spiffe::config::trust_bundles;
use super::system_roots;
use super::{SanMatcher, TrustedCa, Validation};
use crate::tls::common::config::{NamedContext, pem_source, source_name};
use crate::tls::identity::{PemSource, stat_name};
use aws_lc_rs::digest;
use nuncio_config::common::data_source;
use nuncio_config::matching::string_matcher;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::Message;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3 as proto;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::certificate_validation_context::TrustChainVerification;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::subject_alt_name_matcher::SanType;
use nuncio_proto::envoy::r#type::matcher::v3::StringMatcher;
use nuncio_proto::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use nuncio_stream_info::SanKind;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use webpki::{CertRevocationList, OwnedCertRevocationList, anchor_from_trusted_cert};

/// Converts a validation context.
///
/// # Errors
/// Files that can't be read or have no certificates; checks that would be no protection; what is
/// not built.
pub fn validation(
    cx: &mut ParseCx,
    named: NamedContext,
    algorithms: WebPkiSupportedAlgorithms,
) -> Parsed<Validation> {
    let NamedContext {
        context: proto,
        name,
    } = named;
    refuse_not_built(cx, &proto)?;
    refuse_unfounded(cx, &proto)?;
    let mut digest = digest::Context::new(&digest::SHA256);
    digest.update(&proto.encode_to_vec());
    let pins = pins(cx, &proto);
    let san_matchers = san_matchers(cx, &proto);
    let bundles = cx.optional(
        "custom_validator_config",
        proto.custom_validator_config.clone(),
        |cx, custom| trust_bundles(cx, custom, &proto, algorithms, &mut digest),
    );
    let trusted_ca = match proto.custom_validator_config {
        None => trusted_ca(cx, &proto, algorithms, &mut digest),
        Some(_) => cx.refuse("crl", proto.crl.is_some()).map(|()| None),
    };
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.finish().as_ref());
    let (bundles, trusted_ca, pins) = (bundles?, trusted_ca?, pins?);
    let mut san_matchers = san_matchers?;
    if bundles.is_some() {
        san_matchers.retain(|matcher| matcher.kind == SanKind::Uri);
    }
    let accept_untrusted =
        proto.trust_chain_verification() == TrustChainVerification::AcceptUntrusted;
    Ok(Validation {
        accept_untrusted: accept_untrusted && bundles.is_none(),
        stat_name: match bundles.is_some() && name.is_empty() && proto.trusted_ca.is_none() {
            true => "unnamed_ca_cert".to_owned(),
            false => stat_name(&name, "unnamed_ca_cert"),
        },
        trusted_ca,
        bundles,
        certificate_hashes: pins.certificates,
        spki_hashes: pins.keys,
        san_matchers,
        digest: bytes,
    })
}

/// Checks that mean nothing where nobody vouches for the peer.
fn refuse_unfounded(cx: &mut ParseCx, proto: &proto::CertificateValidationContext) -> Parsed<()> {
    let has_ca = proto.trusted_ca.is_some()
        || proto.system_root_certs.is_some()
        || proto.custom_validator_config.is_some();
    if has_ca {
        return Ok(());
    }
    if !proto.match_typed_subject_alt_names.is_empty() || !proto.match_subject_alt_names.is_empty()
    {
        return Err(cx.error(
            "SAN-based verification of peer certificates without trusted CA is insecure and not \
             allowed",
        ));
    }
    match proto.allow_expired_certificate {
        true => Err(cx.error("Certificate validity period is always ignored without trusted CA")),
        false => Ok(()),
    }
}

/// SHA-256 of what a peer may show.
struct Pins {
    certificates: Vec<[u8; 32]>,
    keys: Vec<[u8; 32]>,
}

fn pins(cx: &mut ParseCx, proto: &proto::CertificateValidationContext) -> Parsed<Pins> {
    let certificates = cx.list(
        "verify_certificate_hash",
        &proto.verify_certificate_hash,
        |cx, hash| {
            let parsed = hex_sha256(hash);
            parsed.ok_or_else(|| cx.error(format!("Invalid hex-encoded SHA-256 {hash}")))
        },
    );
    let keys = cx.list(
        "verify_certificate_spki",
        &proto.verify_certificate_spki,
        |cx, hash| {
            let parsed = base64_sha256(hash);
            parsed.ok_or_else(|| cx.error(format!("Invalid base64-encoded SHA-256 {hash}")))
        },
    );
    Ok(Pins {
        certificates: certificates?,
        keys: keys?,
    })
}

fn san_matchers(
    cx: &mut ParseCx,
    proto: &proto::CertificateValidationContext,
) -> Parsed<Vec<SanMatcher>> {
    let typed = cx.list(
        "match_typed_subject_alt_names",
        proto.match_typed_subject_alt_names.clone(),
        typed_matcher,
    );
    let untyped = cx.list(
        "match_subject_alt_names",
        proto.match_subject_alt_names.clone(),
        untyped_matchers,
    );
    let mut matchers = typed?;
    matchers.extend(untyped?.into_iter().flatten());
    Ok(matchers)
}

fn refuse_not_built(cx: &mut ParseCx, proto: &proto::CertificateValidationContext) -> Parsed<()> {
    let timestamp = proto.require_signed_certificate_timestamp;
    let checks = [
        (
            "ca_certificate_provider_instance",
            proto.ca_certificate_provider_instance.is_some(),
        ),
        (
            "require_signed_certificate_timestamp",
            timestamp.is_some_and(|value| value.value),
        ),
    ];
    let mut result = Ok(());
    for (field, used) in checks {
        result = result.and(cx.refuse(field, used));
    }
    result
}

fn trusted_ca(
    cx: &mut ParseCx,
    proto: &proto::CertificateValidationContext,
    algorithms: WebPkiSupportedAlgorithms,
    digest: &mut digest::Context,
) -> Parsed<Option<TrustedCa>> {
    let crl_path = source_name(proto.crl.as_ref());
    let Some(source) = ca_source(cx, proto)? else {
        if proto.crl.is_some() {
            let message = format!("Failed to load CRL from {crl_path} without trusted CA");
            return Err(cx.error_at("crl", message));
        }
        return Ok(None);
    };
    let path = source.path;
    digest.update(&source.pem);
    let Some((certificates, anchors)) = anchors(&source.pem) else {
        let message = format!("Failed to load trusted CA certificates from {path}");
        return Err(cx.error_at("trusted_ca", message));
    };
    let mut crls = revocation_lists(&source.pem).unwrap_or_default();
    if let Some(source) = proto.crl.clone() {
        let pem = cx.field("crl", |cx| data_source(cx, source))?;
        digest.update(&pem);
        let lists = revocation_lists(&pem).filter(|lists| !lists.is_empty());
        let lists = lists
            .ok_or_else(|| cx.error_at("crl", format!("Failed to load CRL from {crl_path}")))?;
        crls.extend(lists);
    }
    Ok(Some(TrustedCa {
        path,
        certificates,
        anchors,
        crls,
        only_leaf_crl: proto.only_verify_leaf_cert_crl,
        allow_expired: proto.allow_expired_certificate,
        max_depth: proto.max_verify_depth.map(|depth| depth.value),
        algorithms,
    }))
}

/// The authorities' PEM text: those that are named, else, where they are asked for, the system's.
/// Envoy has no use for that field yet, and would trust everybody.
fn ca_source(
    cx: &mut ParseCx,
    proto: &proto::CertificateValidationContext,
) -> Parsed<Option<PemSource>> {
    if let Some(source) = proto.trusted_ca.clone() {
        return cx
            .field("trusted_ca", |cx| pem_source(cx, source))
            .map(Some);
    }
    if proto.system_root_certs.is_none() {
        return Ok(None);
    }
    let Some((path, pem)) = system_roots::find() else {
        let message = "the system has no file of root certificates";
        return Err(cx.error_at("system_root_certs", message));
    };
    let path = path.display().to_string();
    Ok(Some(PemSource { pem, path }))
}

/// Certificates, and the same as names and keys.
pub type Anchors = (Vec<CertificateDer<'static>>, Vec<TrustAnchor<'static>>);

/// At least one, and each of them well-formed.
pub fn anchors(pem: &[u8]) -> Option<Anchors> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.ok().filter(|all| !all.is_empty())?;
    let anchors = certificates.iter().map(|der| {
        let anchor = anchor_from_trusted_cert(der).ok()?;
        Some(anchor.to_owned())
    });
    let anchors: Option<Vec<_>> = anchors.collect();
    Some((certificates, anchors?))
}

fn revocation_lists(pem: &[u8]) -> Option<Vec<CertRevocationList<'static>>> {
    let lists = CertificateRevocationListDer::pem_slice_iter(pem).map(|der| {
        let list = OwnedCertRevocationList::from_der(der.ok()?.as_ref()).ok()?;
        Some(CertRevocationList::from(list))
    });
    lists.collect()
}

fn typed_matcher(cx: &mut ParseCx, proto: proto::SubjectAltNameMatcher) -> Parsed<SanMatcher> {
    let kind = match proto.san_type() {
        SanType::Dns => SanKind::Dns,
        SanType::Uri => SanKind::Uri,
        SanType::Email => SanKind::Email,
        SanType::IpAddress => SanKind::Ip,
        SanType::OtherName => SanKind::Other,
        SanType::Unspecified => return Err(cx.error_at("san_type", "Failed to create san matcher")),
    };
    let oid = (kind == SanKind::Other).then_some(proto.oid);
    if oid.as_deref().is_some_and(str::is_empty) {
        return Err(cx.error_at("oid", "OID must be specified for OTHER_NAME"));
    }
    let matcher = cx.required("matcher", proto.matcher, |cx, matcher| {
        name_matcher(cx, kind, matcher)
    })?;
    Ok(SanMatcher { kind, oid, matcher })
}

/// The deprecated list: names of four kinds are held against each.
fn untyped_matchers(cx: &mut ParseCx, proto: StringMatcher) -> Parsed<Vec<SanMatcher>> {
    let kinds = [SanKind::Dns, SanKind::Uri, SanKind::Email, SanKind::Ip];
    let matchers = kinds.into_iter().map(|kind| {
        Ok(SanMatcher {
            kind,
            oid: None,
            matcher: name_matcher(cx, kind, proto.clone())?,
        })
    });
    matchers.collect()
}

/// A host's name that must be exact may stand for itself or match the certificate's wildcard.
fn name_matcher(cx: &mut ParseCx, kind: SanKind, proto: StringMatcher) -> Parsed<NameMatcher> {
    match &proto.match_pattern {
        Some(MatchPattern::Exact(host)) if kind == SanKind::Dns => {
            Ok(NameMatcher::Host(host.clone()))
        }
        _ => string_matcher(cx, proto).map(NameMatcher::Text),
    }
}

/// 64 hexadecimal digits, or pairs of them between colons.
fn hex_sha256(text: &str) -> Option<[u8; 32]> {
    let digits: String = match text.len() {
        95 => text.split(':').collect(),
        _ => text.to_owned(),
    };
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut hash = [0; 32];
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}

/// 44 characters of base64 (RFC 4648).
fn base64_sha256(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_suffix('=').filter(|digits| digits.len() == 43)?;
    let mut bytes = Vec::with_capacity(33);
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read() {
        let colons = vec!["0a"; 32].join(":");
        assert_eq!(hex_sha256(&colons), Some([10; 32]));
        assert_eq!(hex_sha256(&"0A".repeat(32)), Some([10; 32]));
        assert_eq!(hex_sha256(&"0A".repeat(31)), None);
        assert_eq!(hex_sha256(&"zz".repeat(32)), None);
        let spki = "CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo=";
        assert_eq!(base64_sha256(spki), Some([10; 32]));
        assert_eq!(base64_sha256("CgoK"), None);
    }
}
