//! JA3 and JA4: what TLS library a client has, as its ClientHello gives it away.

use super::md5::md5;
use aws_lc_rs::digest;
use nuncio_base::hex;
use nuncio_codec::client_hello::ClientHello;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// Whether a number is reserved so that nobody gets used to the known ones (RFC 8701).
fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn known(numbers: &[u16]) -> impl Iterator<Item = u16> {
    numbers.iter().copied().filter(|number| !is_grease(*number))
}

fn joined(numbers: impl Iterator<Item = u16>) -> String {
    let texts: Vec<_> = numbers.map(|number| number.to_string()).collect();
    texts.join("-")
}

/// The JA3 fingerprint. As in Envoy reserved numbers of groups are a part of it.
pub fn ja3(hello: &ClientHello) -> String {
    let text = format!(
        "{},{},{},{},{}",
        hello.legacy_version,
        joined(known(&hello.cipher_suites)),
        joined(known(&hello.extensions)),
        joined(hello.groups.iter().copied()),
        joined(hello.point_formats.iter().copied().map(u16::from)),
    );
    hex::encode(&md5(text.as_bytes()))
}

/// The JA4 fingerprint.
pub fn ja4(hello: &ClientHello) -> String {
    let mut ciphers: Vec<_> = known(&hello.cipher_suites).collect();
    ciphers.sort_unstable();
    let extensions = known(&hello.extensions);
    let count = extensions.count();
    let mut extensions: Vec<_> = known(&hello.extensions)
        .filter(|kind| ![SERVER_NAME, ALPN].contains(kind))
        .collect();
    extensions.sort_unstable();
    let mut listed = hexadecimal(&extensions);
    if !extensions.is_empty() && !hello.signature_schemes.is_empty() {
        listed.push('_');
        listed.push_str(&hexadecimal(&hello.signature_schemes));
    }
    format!(
        "t{}{}{:02}{:02}{}_{}_{}",
        version(hello),
        match hello.extensions.contains(&SERVER_NAME) {
            true => 'd',
            false => 'i',
        },
        ciphers.len().min(99),
        count.min(99),
        protocol(hello),
        short_hash(&hexadecimal(&ciphers)),
        short_hash(&listed),
    )
}

fn version(hello: &ClientHello) -> &'static str {
    let highest = known(&hello.versions).max();
    match highest.unwrap_or(hello.legacy_version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        _ => "00",
    }
}

/// The ends of the first protocol's name: two letters, or half of each byte where they are none.
fn protocol(hello: &ClientHello) -> String {
    let name = hello.alpn.first().map(Vec::as_slice).unwrap_or_default();
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else {
        return "00".to_owned();
    };
    match first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        true => [char::from(first), char::from(last)].iter().collect(),
        false => format!("{:x}{:x}", first >> 4, last & 0x0f),
    }
}

fn hexadecimal(numbers: &[u16]) -> String {
    let texts: Vec<_> = numbers
        .iter()
        .map(|number| format!("{number:04x}"))
        .collect();
    texts.join(",")
}

/// The first twelve digits of a text's SHA-256; zeros for none.
fn short_hash(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hex::encode(&hash.as_ref()[..6])
}
