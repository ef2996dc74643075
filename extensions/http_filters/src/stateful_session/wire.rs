//! What cookies carry, in Envoy's encoding (`envoy.Cookie` of its cookie session state).

use prost::Message;

/// A session's host.
#[derive(Clone, PartialEq, Message)]
pub struct Cookie {
    /// Its address, as logs print it.
    #[prost(string, tag = "1")]
    pub address: String,
    /// When that is no longer valid, in seconds; 0: always.
    #[prost(int64, tag = "2")]
    pub expires: i64,
}

impl Cookie {
    /// Reads one; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes).ok()
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}
