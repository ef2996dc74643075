//! `TlsParameters`.
//!
//! Lists may name what rustls lacks, since control planes write them for BoringSSL: that is left
//! out with a warning as long as something remains.

use crate::tls::names::{scheme_named, tls12_suite};
use crate::tls::params::TlsParams;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::TlsParameters as Proto;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;
use rustls::{CipherSuite, NamedGroup, SignatureScheme};

/// Suites that BoringSSL has and rustls, on purpose, lacks.
const WITHOUT: [&str; 22] = [
    "AES128-GCM-SHA256",
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "AES256-SHA",
    "DES-CBC3-SHA",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES128-SHA256",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-PSK-AES128-CBC-SHA",
    "ECDHE-PSK-AES256-CBC-SHA",
    "ECDHE-PSK-CHACHA20-POLY1305",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-SHA",
    "PSK-AES128-CBC-SHA",
    "PSK-AES256-CBC-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
];

/// Converts parameters; `default_max` is the highest version where the config says nothing.
///
/// # Errors
/// Lists of which nothing can be served, versions below TLS 1.2, and policies that are not built.
pub fn tls_params(
    cx: &mut ParseCx,
    proto: Option<Proto>,
    default_max: TlsProtocol,
) -> Parsed<TlsParams> {
    let proto = proto.unwrap_or_default();
    let (min, max) = (
        proto.tls_minimum_protocol_version(),
        proto.tls_maximum_protocol_version(),
    );
    let Proto {
        tls_minimum_protocol_version: _,
        tls_maximum_protocol_version: _,
        cipher_suites,
        ecdh_curves,
        signature_algorithms,
        compliance_policies,
    } = proto;
    let refused = cx.refuse("compliance_policies", !compliance_policies.is_empty());
    if matches!(min, TlsProtocol::TlSv10 | TlsProtocol::TlSv11) {
        cx.field("tls_minimum_protocol_version", |cx| {
            cx.warn("TLS 1.0 and 1.1 are not served; the minimum is TLS 1.2");
        });
    }
    let max = match max {
        TlsProtocol::TlsAuto => default_max,
        TlsProtocol::TlSv10 | TlsProtocol::TlSv11 => {
            return Err(cx.error_at(
                "tls_maximum_protocol_version",
                "TLS 1.0 and 1.1 are insecure and not supported by this build",
            ));
        }
        max => max,
    };
    let tls12 = min != TlsProtocol::TlSv13;
    let tls13 = max == TlsProtocol::TlSv13;
    if !tls12 && !tls13 {
        return Err(cx.error("no TLS version is between the minimum and the maximum"));
    }
    let cipher_suites = cipher_suites_of(cx, &cipher_suites);
    let groups = groups_of(cx, &ecdh_curves);
    let schemes = schemes_of(cx, &signature_algorithms);
    refused?;
    Ok(TlsParams {
        tls12,
        tls13,
        cipher_suites: cipher_suites?,
        groups: groups?,
        schemes: schemes?,
    })
}

fn cipher_suites_of(cx: &mut ParseCx, list: &[String]) -> Parsed<Vec<Vec<CipherSuite>>> {
    if list.is_empty() {
        return Ok(TlsParams::default_suites());
    }
    cx.field("cipher_suites", |cx| {
        let entries = list.iter().flat_map(|entry| entry.split(':'));
        let (mut suites, mut rejected) = (Vec::<Vec<CipherSuite>>::new(), Vec::new());
        for entry in entries {
            let mut equals = Vec::new();
            let names = entry.split(['[', ']', '|']);
            for name in names.filter(|name| !name.is_empty()) {
                match tls12_suite(name) {
                    Some(suite) if suites.iter().any(|former| former.contains(&suite)) => {}
                    Some(suite) => equals.push(suite),
                    None if WITHOUT.contains(&name) => {
                        cx.warn(format!("cipher suite {name} is not served by this build"));
                    }
                    None => rejected.push(name),
                }
            }
            if !equals.is_empty() {
                suites.push(equals);
            }
        }
        if rejected.is_empty() && !suites.is_empty() {
            return Ok(suites);
        }
        Err(cx.error(format!(
            "Failed to initialize cipher suites {}. The following ciphers were rejected when \
             tried individually: {}",
            list.join(":"),
            rejected.join(", ")
        )))
    })
}

fn groups_of(cx: &mut ParseCx, list: &[String]) -> Parsed<Vec<NamedGroup>> {
    if list.is_empty() {
        return Ok(TlsParams::default_groups());
    }
    cx.field("ecdh_curves", |cx| {
        let (mut groups, mut unknown) = (Vec::new(), false);
        for name in list.iter().flat_map(|entry| entry.split(':')) {
            match name {
                "X25519" => groups.push(NamedGroup::X25519),
                "P-256" | "prime256v1" => groups.push(NamedGroup::secp256r1),
                "P-384" | "secp384r1" => groups.push(NamedGroup::secp384r1),
                "X25519MLKEM768" => groups.push(NamedGroup::X25519MLKEM768),
                "P-521" | "secp521r1" | "P-224" | "X25519Kyber768Draft00" | "MLKEM1024" => {
                    cx.warn(format!("curve {name} is not served by this build"));
                }
                _ => unknown = true,
            }
        }
        if !unknown && !groups.is_empty() {
            return Ok(groups);
        }
        let curves = list.join(":");
        Err(cx.error(format!("Failed to initialize ECDH curves {curves}")))
    })
}

fn schemes_of(cx: &mut ParseCx, list: &[String]) -> Parsed<Vec<SignatureScheme>> {
    let list = list.join(":");
    if list.is_empty() {
        return Ok(Vec::new());
    }
    cx.field("signature_algorithms", |cx| {
        let (mut schemes, mut is_valid) = (Vec::new(), true);
        for name in list.split(':') {
            match scheme_named(name) {
                Some(Some(scheme)) if !schemes.contains(&scheme) => schemes.push(scheme),
                Some(None) => {
                    cx.warn(format!(
                        "signature algorithm {name} is not served by this build"
                    ));
                }
                _ => is_valid = false,
            }
        }
        if is_valid && !schemes.is_empty() {
            return Ok(schemes);
        }
        Err(cx.error(format!(
            "Failed to initialize TLS signature algorithms {list}"
        )))
    })
}
