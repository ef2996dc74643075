//! What cipher suites, versions, groups and signature schemes are called in stats and logs.

use rustls::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

/// The suites that can be served: OpenSSL's name where TLS 1.2 has one, and the suite.
const SUITES: [(&str, CipherSuite); 9] = [
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_128_GCM_SHA256,
    ),
    (
        "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_AES_256_GCM_SHA384,
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
];

/// A suite's name.
pub fn cipher_name(suite: CipherSuite) -> &'static str {
    let mut suites = SUITES.iter();
    suites
        .find(|(_, known)| *known == suite)
        .map_or("unknown", |(name, _)| name)
}

/// The TLS 1.2 suite of a name, OpenSSL's or the RFC's.
pub fn tls12_suite(name: &str) -> Option<CipherSuite> {
    let (_, suite) = SUITES[..6].iter().find(|(known, suite)| {
        *known == name || suite.as_str().is_some_and(|standard| standard == name)
    })?;
    Some(*suite)
}

/// A version's name.
pub fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "TLSv1.2",
    }
}

/// A key exchange group's name.
pub fn group_name(group: NamedGroup) -> &'static str {
    match group {
        NamedGroup::X25519 => "X25519",
        NamedGroup::secp256r1 => "P-256",
        NamedGroup::secp384r1 => "P-384",
        NamedGroup::X25519MLKEM768 => "X25519MLKEM768",
        _ => "unknown",
    }
}

/// Signature schemes and their names.
pub const SCHEMES: [(SignatureScheme, &str); 10] = [
    (
        SignatureScheme::ECDSA_NISTP256_SHA256,
        "ecdsa_secp256r1_sha256",
    ),
    (
        SignatureScheme::ECDSA_NISTP384_SHA384,
        "ecdsa_secp384r1_sha384",
    ),
    (
        SignatureScheme::ECDSA_NISTP521_SHA512,
        "ecdsa_secp521r1_sha512",
    ),
    (SignatureScheme::ED25519, "ed25519"),
    (SignatureScheme::RSA_PKCS1_SHA256, "rsa_pkcs1_sha256"),
    (SignatureScheme::RSA_PKCS1_SHA384, "rsa_pkcs1_sha384"),
    (SignatureScheme::RSA_PKCS1_SHA512, "rsa_pkcs1_sha512"),
    (SignatureScheme::RSA_PSS_SHA256, "rsa_pss_rsae_sha256"),
    (SignatureScheme::RSA_PSS_SHA384, "rsa_pss_rsae_sha384"),
    (SignatureScheme::RSA_PSS_SHA512, "rsa_pss_rsae_sha512"),
];

/// The scheme of a name as configurations have it, of BoringSSL's two kinds: `None` for a name of
/// neither, none inside for a scheme by SHA-1, which rustls on purpose lacks.
pub fn scheme_named(name: &str) -> Option<Option<SignatureScheme>> {
    let mut names = SCHEMES.iter();
    if let Some((scheme, _)) = names.find(|(_, known)| *known == name) {
        return Some(Some(*scheme));
    }
    use SignatureScheme as Scheme;
    let served = match name {
        "ECDSA+SHA256" => Scheme::ECDSA_NISTP256_SHA256,
        "ECDSA+SHA384" => Scheme::ECDSA_NISTP384_SHA384,
        "ECDSA+SHA512" => Scheme::ECDSA_NISTP521_SHA512,
        "RSA+SHA256" => Scheme::RSA_PKCS1_SHA256,
        "RSA+SHA384" => Scheme::RSA_PKCS1_SHA384,
        "RSA+SHA512" => Scheme::RSA_PKCS1_SHA512,
        "RSA-PSS+SHA256" | "PSS+SHA256" => Scheme::RSA_PSS_SHA256,
        "RSA-PSS+SHA384" | "PSS+SHA384" => Scheme::RSA_PSS_SHA384,
        "RSA-PSS+SHA512" | "PSS+SHA512" => Scheme::RSA_PSS_SHA512,
        "rsa_pkcs1_sha1" | "RSA+SHA1" | "ecdsa_sha1" | "ECDSA+SHA1" => return Some(None),
        _ => return None,
    };
    Some(Some(served))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_have_two_kinds_of_names() {
        for (name, expected) in [
            ("ed25519", Some(Some(SignatureScheme::ED25519))),
            (
                "RSA-PSS+SHA512",
                Some(Some(SignatureScheme::RSA_PSS_SHA512)),
            ),
            (
                "rsa_pss_rsae_sha512",
                Some(Some(SignatureScheme::RSA_PSS_SHA512)),
            ),
            ("ECDSA+SHA1", Some(None)),
            ("ecdsa+sha256", None),
            ("", None),
        ] {
            assert_eq!(scheme_named(name), expected, "{name}");
        }
    }
}
