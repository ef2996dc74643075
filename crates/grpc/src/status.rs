//! How a call ended (gRPC's "Status codes and their use in gRPC").

use nuncio_base::{HeaderMap, names};
use std::fmt;

/// A status: its code, 0 for success, and what is said of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The code, as on the wire.
    pub code: u32,
    /// The message, for people.
    pub message: String,
}

impl Status {
    /// OK.
    pub const OK: u32 = 0;
    /// UNKNOWN.
    pub const UNKNOWN: u32 = 2;
    /// DEADLINE_EXCEEDED.
    pub const DEADLINE_EXCEEDED: u32 = 4;
    /// RESOURCE_EXHAUSTED.
    pub const RESOURCE_EXHAUSTED: u32 = 8;
    /// INTERNAL.
    pub const INTERNAL: u32 = 13;
    /// UNAVAILABLE.
    pub const UNAVAILABLE: u32 = 14;

    /// A status that this side found.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// Whether the call succeeded.
    pub fn is_ok(&self) -> bool {
        self.code == Self::OK
    }

    /// What a head or trailers say; `None` where there is no `grpc-status`.
    pub fn of_fields(fields: &HeaderMap) -> Option<Self> {
        let code = fields.get(names::GRPC_STATUS)?;
        let code = std::str::from_utf8(code).ok();
        let code = code.and_then(|code| code.parse().ok());
        let message = fields.get(names::GRPC_MESSAGE).unwrap_or_default();
        Some(Self {
            code: code.unwrap_or(Self::UNKNOWN),
            message: decoded(message),
        })
    }

    /// What an HTTP status stands for where there is no other (gRPC's "HTTP to gRPC Status Code
    /// Mapping").
    pub fn of_http(status: u16) -> Self {
        let code = match status {
            400 => Self::INTERNAL,
            401 => 16,
            403 => 7,
            404 => 12,
            429 | 502..=504 => Self::UNAVAILABLE,
            _ => Self::UNKNOWN,
        };
        Self::new(code, format!("HTTP status {status}"))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.code, self.message)
    }
}

/// A `grpc-message` is UTF-8, percent-encoded; what isn't is taken as it is.
fn decoded(mut text: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((&first, rest)) = text.split_first() {
        let digit = |at: usize| rest.get(at).and_then(|byte| (*byte as char).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high << 4 | low) as u8);
                text = &rest[2..];
            }
            _ => {
                bytes.push(first);
                text = rest;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
