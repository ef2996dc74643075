//! `x-forwarded-client-cert` as JSON: a list with an object for each hop.

use crate::conn_manager::spec::ClientCertDetails;
use nuncio_base::base64;
use nuncio_stream_info::{CertificateInfo, SanKind, TlsInfo};

/// The list that `before` is, with this hop behind it; `None` where it isn't one.
pub(super) fn join(before: &[u8], details: ClientCertDetails, tls: &TlsInfo) -> Option<Vec<u8>> {
    let mut out = match before.trim_ascii() {
        [] => vec![b'['],
        [start @ .., b']'] if start.first() == Some(&b'[') => start.to_vec(),
        _ => return None,
    };
    if out.len() > 1 {
        out.push(b',');
    }
    write_object(details, tls, &mut out);
    out.push(b']');
    Some(out)
}

fn write_object(details: ClientCertDetails, tls: &TlsInfo, out: &mut Vec<u8>) {
    let mut object = Object {
        out,
        is_empty: true,
    };
    object.out.push(b'{');
    if let Some(local) = &tls.local {
        object.texts("by", local.sans_of(SanKind::Uri));
    }
    if let Some(peer) = tls.peer_certificate() {
        object.text("hash", &peer.sha256);
        if details.cert {
            object.text("cert", &pem(peer));
        }
        if details.chain {
            let chain: Vec<_> = tls.peer.iter().map(|one| pem(one)).collect();
            object.texts("chain", chain.iter().map(String::as_str));
        }
        if details.subject {
            object.text("subject", &peer.subject);
        }
        if details.uri {
            object.texts("uri", peer.sans_of(SanKind::Uri));
        }
        if details.dns {
            object.texts("dns", peer.sans_of(SanKind::Dns));
        }
        if details.issuer {
            object.text("issuer", &peer.issuer);
        }
    }
    object.out.push(b'}');
}

struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        write_text(key, self.out);
        self.out.push(b':');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        write_text(text, self.out);
    }

    /// A list, unless there is nothing in it.
    fn texts<'a>(&mut self, key: &str, texts: impl Iterator<Item = &'a str>) {
        let mut texts = texts.peekable();
        if texts.peek().is_none() {
            return;
        }
        self.key(key);
        self.out.push(b'[');
        while let Some(text) = texts.next() {
            write_text(text, self.out);
            if texts.peek().is_some() {
                self.out.push(b',');
            }
        }
        self.out.push(b']');
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.push(byte),
        }
    }
    out.push(b'"');
}

fn pem(certificate: &CertificateInfo) -> String {
    const LINE: usize = 48;
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in certificate.der.chunks(LINE) {
        text += &base64::encode(line);
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hop_is_added_to_a_list() {
        let tls = TlsInfo::default();
        for (before, expected) in [
            ("", Some("[{}]")),
            ("[]", Some("[{}]")),
            ("[{\"hash\":\"a\"}]", Some("[{\"hash\":\"a\"},{}]")),
            (" [1 ] ", Some("[1 ,{}]")),
            ("]", None),
            ("Hash=a", None),
            ("{}", None),
        ] {
            let list = join(before.as_bytes(), ClientCertDetails::default(), &tls);
            let list = list.map(|list| String::from_utf8(list).unwrap());
            assert_eq!(list.as_deref(), expected, "{before}");
        }
        let mut out = Vec::new();
        write_text("a\"\\\u{1}é\n", &mut out);
        assert_eq!(out, "\"a\\\"\\\\\\u0001é\\n\"".as_bytes());
    }
}
