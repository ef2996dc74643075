//! What TLS found out about a connection: what was agreed on, and both sides' certificates.

use std::sync::Arc;
use std::time::SystemTime;

/// What TLS found out about a connection.
#[derive(Clone, Debug, Default)]
pub struct TlsInfo {
    /// The protocol version, as `TLSv1.3`.
    pub version: Option<&'static str>,
    /// The cipher suite's name, as OpenSSL has it for TLS 1.2 and the RFC for TLS 1.3.
    pub cipher: Option<&'static str>,
    /// The key exchange group's name.
    pub group: Option<&'static str>,
    /// The application protocol agreed on.
    pub alpn: Option<Arc<[u8]>>,
    /// The name of the server that the client asked for.
    pub server_name: Option<Arc<str>>,
    /// Whether the peer showed a certificate that was validated.
    pub peer_certificate_validated: bool,
    /// Whether the peer showed a certificate.
    pub peer_certificate_presented: bool,
    /// Our certificate.
    pub local: Option<Arc<CertificateInfo>>,
    /// The peer's certificates, its own first.
    pub peer: Vec<Arc<CertificateInfo>>,
}

impl TlsInfo {
    /// The peer's own certificate.
    pub fn peer_certificate(&self) -> Option<&CertificateInfo> {
        self.peer.first().map(|certificate| &**certificate)
    }
}

/// A certificate's facts, as logs and headers print them.
#[derive(Clone, Debug)]
pub struct CertificateInfo {
    /// The subject (RFC 2253).
    pub subject: String,
    /// The issuer (RFC 2253).
    pub issuer: String,
    /// The serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// Subject alternative names, in the certificate's order.
    pub sans: Vec<SubjectAltName>,
    /// SHA-1 of the certificate, in lower-case hexadecimal digits.
    pub sha1: String,
    /// SHA-256 of the certificate, in lower-case hexadecimal digits.
    pub sha256: String,
    /// From when it is valid.
    pub valid_from: SystemTime,
    /// Until when it is valid.
    pub expires: SystemTime,
    /// The certificate itself.
    pub der: Arc<[u8]>,
}

/// The kinds of subject alternative names that are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SanKind {
    /// A host's name.
    Dns,
    /// A URI.
    Uri,
    /// A mail address.
    Email,
    /// An IP address.
    Ip,
    /// Any other kind, whose value is text.
    Other,
}

/// A subject alternative name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubjectAltName {
    /// Its kind.
    pub kind: SanKind,
    /// Its text.
    pub value: String,
    /// The object identifier in dotted form, where the kind is `Other`.
    pub oid: Option<String>,
}

impl CertificateInfo {
    /// The names of a kind.
    pub fn sans_of(&self, kind: SanKind) -> impl Iterator<Item = &str> {
        let sans = self.sans.iter().filter(move |san| san.kind == kind);
        sans.map(|san| san.value.as_str())
    }

    /// The certificate as PEM, percent-encoded as `%DOWNSTREAM_PEER_CERT%` and
    /// `x-forwarded-client-cert` have it.
    pub fn url_encoded_pem(&self, out: &mut Vec<u8>) {
        const LINE: usize = 48;
        out.extend_from_slice(b"-----BEGIN%20CERTIFICATE-----%0A");
        for line in self.der.chunks(LINE) {
            for three in line.chunks(3) {
                encode_three(three, out);
            }
            out.extend_from_slice(b"%0A");
        }
        out.extend_from_slice(b"-----END%20CERTIFICATE-----%0A");
    }
}

/// Base64 of up to three bytes, what URLs don't take percent-encoded.
fn encode_three(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    for at in 0..4 {
        let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
        match digit {
            _ if at > bytes.len() => out.extend_from_slice(b"%3D"),
            b'+' => out.extend_from_slice(b"%2B"),
            b'/' => out.extend_from_slice(b"%2F"),
            digit => out.push(digit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_is_wrapped_and_encoded() {
        let mut der = vec![0xff_u8; 49];
        der[1] = 0xef;
        let certificate = CertificateInfo {
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            sans: Vec::new(),
            sha1: String::new(),
            sha256: String::new(),
            valid_from: SystemTime::UNIX_EPOCH,
            expires: SystemTime::UNIX_EPOCH,
            der: der.into(),
        };
        let mut out = Vec::new();
        certificate.url_encoded_pem(&mut out);
        let text = String::from_utf8(out).unwrap();
        let slashes = "%2F".repeat(62);
        let expected = format!(
            "-----BEGIN%20CERTIFICATE-----%0A%2F%2B{slashes}%0A%2Fw%3D%3D%0A\
             -----END%20CERTIFICATE-----%0A"
        );
        assert_eq!(text, expected);
    }
}
