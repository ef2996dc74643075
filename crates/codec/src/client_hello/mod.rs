//! Reads the ClientHello that begins a TLS connection (RFC 8446 section 4.1.2), without taking part
//! in the handshake: what name, protocols and versions the client asks for, and what it
//! understands.

mod first_flight;
#[cfg(test)]
mod tests;

pub use first_flight::FirstFlightError;

/// A record's header: type, version, length.
const RECORD_HEADER: usize = 5;
/// A handshake message's header: type, length.
const MESSAGE_HEADER: usize = 4;
/// The most plaintext that one record carries (RFC 8446 section 5.1).
const RECORD_PAYLOAD: usize = 16 * 1024;
const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const STATUS_REQUEST: u16 = 5;
const SUPPORTED_GROUPS: u16 = 10;
const POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const TLS_1_3: u16 = 0x0304;
/// RFC 6066 section 8.
const OCSP: u8 = 1;

/// What a ClientHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The name of the server it wants, in lower case.
    pub server_name: Option<String>,
    /// The application protocols it offers, in its order.
    pub alpn: Vec<Vec<u8>>,
    /// The highest version it offers, as on the wire (0x0303 is TLS 1.2); unknown ones count.
    pub max_version: u16,
    /// The version that clients told before TLS 1.3 had an extension for it.
    pub legacy_version: u16,
    /// The cipher suites it offers, in its order.
    pub cipher_suites: Vec<u16>,
    /// The kinds of its extensions, in its order.
    pub extensions: Vec<u16>,
    /// The versions it offers in the extension for it.
    pub versions: Vec<u16>,
    /// The key exchange groups it offers.
    pub groups: Vec<u16>,
    /// The formats of curves' points that it reads.
    pub point_formats: Vec<u8>,
    /// The signature schemes it understands.
    pub signature_schemes: Vec<u16>,
    /// Whether it wants the server to show an OCSP response.
    pub asks_for_status: bool,
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// Perhaps a ClientHello that is not all there yet.
    Incomplete,
    /// Not TLS.
    NotTls,
    /// A ClientHello longer than what is accepted.
    TooLarge,
    /// A ClientHello.
    Hello(ClientHello),
}

/// Reads a ClientHello of at most `limit` bytes, record headers included, from the first bytes of a
/// connection.
pub fn inspect(bytes: &[u8], limit: usize) -> Inspection {
    let mut message = Vec::new();
    let mut rest = bytes;
    let mut read = 0;
    loop {
        let Some(payload) = next_record(&mut rest) else {
            return Inspection::NotTls;
        };
        let Record::Whole(payload) = payload else {
            // What has come of a record shows soon whether it can be a ClientHello.
            let begun = message.first().or_else(|| partial_payload(rest).first());
            return match begun {
                Some(kind) if *kind != CLIENT_HELLO => Inspection::NotTls,
                _ if bytes.len() >= limit => Inspection::TooLarge,
                _ => Inspection::Incomplete,
            };
        };
        // What kind it is was seen before how long it is.
        let begun = message.first().or_else(|| payload.first());
        if begun.is_some_and(|kind| *kind != CLIENT_HELLO) {
            return Inspection::NotTls;
        }
        read += RECORD_HEADER + payload.len();
        if read > limit {
            return Inspection::TooLarge;
        }
        message.extend_from_slice(payload);
        if message.len() < MESSAGE_HEADER {
            continue;
        }
        let length = u32::from_be_bytes([0, message[1], message[2], message[3]]) as usize;
        if MESSAGE_HEADER + length > limit {
            return Inspection::TooLarge;
        }
        if let Some(body) = message.get(MESSAGE_HEADER..MESSAGE_HEADER + length) {
            return hello(body).map_or(Inspection::NotTls, Inspection::Hello);
        }
    }
}

enum Record<'a> {
    Whole(&'a [u8]),
    Partial,
}

/// Takes a handshake record off; `None` where these bytes are none.
fn next_record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let bytes = *rest;
    let header_fits = [
        bytes.first().is_none_or(|kind| *kind == HANDSHAKE_RECORD),
        bytes.get(1).is_none_or(|major| *major == 3),
    ];
    if header_fits.contains(&false) {
        return None;
    }
    let Some(header) = bytes.get(..RECORD_HEADER) else {
        return Some(Record::Partial);
    };
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if length == 0 || length > RECORD_PAYLOAD {
        return None;
    }
    match bytes.get(RECORD_HEADER..RECORD_HEADER + length) {
        Some(payload) => {
            *rest = &bytes[RECORD_HEADER + length..];
            Some(Record::Whole(payload))
        }
        None => Some(Record::Partial),
    }
}

fn partial_payload(record: &[u8]) -> &[u8] {
    record.get(RECORD_HEADER..).unwrap_or_default()
}

fn hello(body: &[u8]) -> Option<ClientHello> {
    let mut body = Reader(body);
    let legacy_version = body.u16()?;
    body.take(32)?;
    body.short_vector()?;
    let cipher_suites = body.long_vector()?;
    let compression = body.short_vector()?;
    if cipher_suites.0.is_empty() || cipher_suites.0.len() % 2 != 0 || compression.0.is_empty() {
        return None;
    }
    let mut hello = ClientHello {
        max_version: legacy_version,
        legacy_version,
        cipher_suites: cipher_suites.numbers(),
        ..ClientHello::default()
    };
    if body.0.is_empty() {
        return Some(hello);
    }
    let mut extensions = body.long_vector()?;
    if !body.0.is_empty() {
        return None;
    }
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut content = extensions.long_vector()?;
        hello.extensions.push(kind);
        match kind {
            SERVER_NAME => hello.server_name = server_name(content)?,
            STATUS_REQUEST => hello.asks_for_status = content.u8() == Some(OCSP),
            SUPPORTED_GROUPS => hello.groups = content.long_vector()?.numbers(),
            POINT_FORMATS => hello.point_formats = content.short_vector()?.0.to_vec(),
            SIGNATURE_ALGORITHMS => hello.signature_schemes = content.long_vector()?.numbers(),
            ALPN => hello.alpn = protocols(content)?,
            SUPPORTED_VERSIONS => {
                hello.versions = content.short_vector()?.numbers();
                if let Some(version) = highest_version(&hello.versions) {
                    hello.max_version = version;
                }
            }
            _ => {}
        }
    }
    Some(hello)
}

/// RFC 6066 section 3. Only names of hosts are defined.
fn server_name(mut content: Reader<'_>) -> Option<Option<String>> {
    const HOST_NAME: u8 = 0;
    let mut names = content.long_vector()?;
    while !names.0.is_empty() {
        let kind = names.u8()?;
        let name = names.long_vector()?.0;
        if kind == HOST_NAME {
            // What is no text is no host either, whatever stands for it.
            let name = match str::from_utf8(name) {
                Ok(name) => name.to_ascii_lowercase(),
                Err(_) => name.iter().map(|byte| text_of(*byte)).collect(),
            };
            return Some(Some(name).filter(|name| !name.is_empty()));
        }
    }
    Some(None)
}

fn text_of(byte: u8) -> char {
    match byte.is_ascii() {
        true => char::from(byte).to_ascii_lowercase(),
        false => '\u{7f}',
    }
}

/// RFC 7301 section 3.1.
fn protocols(mut content: Reader<'_>) -> Option<Vec<Vec<u8>>> {
    let mut list = content.long_vector()?;
    let mut protocols = Vec::new();
    while !list.0.is_empty() {
        let protocol = list.short_vector()?.0;
        if protocol.is_empty() {
            return None;
        }
        protocols.push(protocol.to_vec());
    }
    Some(protocols)
}

/// RFC 8446 section 4.2.1; reserved values (RFC 8701) are no versions.
fn highest_version(versions: &[u16]) -> Option<u16> {
    let versions = versions.iter().copied();
    versions.filter(|version| *version <= TLS_1_3).max()
}

/// Takes fields off the front; `None` where they are cut short.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// All that is left as numbers of two bytes each.
    fn numbers(&self) -> Vec<u16> {
        let numbers = self.0.chunks_exact(2);
        numbers
            .map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
            .collect()
    }

    /// A vector whose length has one byte.
    fn short_vector(&mut self) -> Option<Self> {
        let length = self.u8()?;
        self.take(length.into()).map(Self)
    }

    /// A vector whose length has two bytes.
    fn long_vector(&mut self) -> Option<Self> {
        let length = self.u16()?;
        self.take(length.into()).map(Self)
    }
}
