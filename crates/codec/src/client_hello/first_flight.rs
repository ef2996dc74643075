//! First bytes that begin no TLS connection: what is wrong with them, as BoringSSL sees it.

use std::fmt;

/// The longest record that is read (BoringSSL's `SSL3_RT_MAX_ENCRYPTED_LENGTH`).
const ENCRYPTED_LENGTH: usize = 16 * 1024 + 320;
const HEADER: usize = 5;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
/// The longest handshake message that is read.
const MESSAGE_LENGTH: u32 = 16 * 1024;

/// What is wrong with a connection's first bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstFlightError {
    /// A request of HTTP/1.
    HttpRequest,
    /// A CONNECT request of HTTP/1.
    HttpsProxyRequest,
    /// No record of TLS.
    WrongVersionNumber,
    /// A record that is too long.
    EncryptedLengthTooLong,
    /// A record of another kind.
    UnexpectedRecord,
    /// Another message.
    UnexpectedMessage,
    /// A message that is too long.
    ExcessiveMessageSize,
    /// A ClientHello that can't be read.
    ClientHelloParseFailed,
}

impl FirstFlightError {
    /// What is wrong; `None` while too few bytes are there to tell.
    pub fn of(first: &[u8]) -> Option<Self> {
        let header = first.get(..HEADER)?;
        let methods = [&b"GET "[..], b"POST ", b"HEAD ", b"PUT "];
        if methods.iter().any(|method| header.starts_with(method)) {
            return Some(Self::HttpRequest);
        }
        if header == b"CONNE" {
            return Some(Self::HttpsProxyRequest);
        }
        if header[1] != 3 {
            return Some(Self::WrongVersionNumber);
        }
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        if length > ENCRYPTED_LENGTH {
            return Some(Self::EncryptedLengthTooLong);
        }
        let record = first.get(HEADER..HEADER + length)?;
        if header[0] != HANDSHAKE {
            return Some(Self::UnexpectedRecord);
        }
        let &[kind, high, middle, low, ..] = record else {
            return Some(Self::UnexpectedMessage);
        };
        Some(
            if u32::from_be_bytes([0, high, middle, low]) > MESSAGE_LENGTH {
                Self::ExcessiveMessageSize
            } else if kind == CLIENT_HELLO {
                Self::ClientHelloParseFailed
            } else {
                Self::UnexpectedMessage
            },
        )
    }

    /// BoringSSL's number.
    pub fn number(self) -> u32 {
        match self {
            Self::ClientHelloParseFailed => 131,
            Self::EncryptedLengthTooLong => 146,
            Self::ExcessiveMessageSize => 150,
            Self::HttpsProxyRequest => 155,
            Self::HttpRequest => 156,
            Self::UnexpectedMessage => 223,
            Self::UnexpectedRecord => 225,
            Self::WrongVersionNumber => 247,
        }
    }

    /// BoringSSL's name.
    pub fn reason(self) -> &'static str {
        match self {
            Self::HttpRequest => "HTTP_REQUEST",
            Self::HttpsProxyRequest => "HTTPS_PROXY_REQUEST",
            Self::WrongVersionNumber => "WRONG_VERSION_NUMBER",
            Self::EncryptedLengthTooLong => "ENCRYPTED_LENGTH_TOO_LONG",
            Self::UnexpectedRecord => "UNEXPECTED_RECORD",
            Self::UnexpectedMessage => "UNEXPECTED_MESSAGE",
            Self::ExcessiveMessageSize => "EXCESSIVE_MESSAGE_SIZE",
            Self::ClientHelloParseFailed => "CLIENTHELLO_PARSE_FAILED",
        }
    }

    /// The record that tells the peer (RFC 8446 section 6); who speaks HTTP is told nothing.
    pub fn alert(self) -> Option<[u8; 7]> {
        let description = match self {
            Self::HttpRequest | Self::HttpsProxyRequest => return None,
            Self::WrongVersionNumber => 70,
            Self::EncryptedLengthTooLong => 22,
            Self::ExcessiveMessageSize => 47,
            Self::ClientHelloParseFailed => 50,
            Self::UnexpectedRecord | Self::UnexpectedMessage => 10,
        };
        Some([21, 3, 1, 0, 2, 2, description])
    }
}

impl fmt::Display for FirstFlightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for FirstFlightError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_are_told_apart() {
        use FirstFlightError as E;
        let cases: [(&[u8], Option<E>); 11] = [
            (b"GET", None),
            (b"GET / HTTP/1.1", Some(E::HttpRequest)),
            (b"CONNECT a:1", Some(E::HttpsProxyRequest)),
            (b"DELETE /", Some(E::WrongVersionNumber)),
            (b"\x16\x03\x01garbage", Some(E::EncryptedLengthTooLong)),
            (
                b"\x16\x03\x01\0\x05\x02\0\0\x01\0",
                Some(E::UnexpectedMessage),
            ),
            (
                b"\x16\x03\x01\0\x04\x02\x01\0\0",
                Some(E::ExcessiveMessageSize),
            ),
            (
                b"\x16\x03\x01\0\x05\x01\0\0\x01\0",
                Some(E::ClientHelloParseFailed),
            ),
            (b"\x17\x03\x01\0\x02ab", Some(E::UnexpectedRecord)),
            (b"\x17\x03\x01\0\x02a", None),
            (b"\x80\x03\x01\0\x01a", Some(E::UnexpectedRecord)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(E::of(bytes), expected, "{bytes:?}");
        }
    }
}
