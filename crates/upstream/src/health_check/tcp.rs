//! TCP health checks: a connection is enough, or bytes must come back (`TcpHealthCheck`).

use super::connection::Connection;
use super::host_health::Failure;
use bytes::Bytes;
use nuncio_base::Buffer;

/// How much of an answer is looked at, in bytes: what else comes cannot be what is awaited.
const MAX_ANSWER: usize = 1024 * 1024;

/// What is sent, and what must come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpProbe {
    /// Sent as soon as there is a connection; empty for nothing.
    pub send: Bytes,
    /// What must come back.
    pub receive: Payload,
}

/// Pieces that must be in an answer, in this order, whatever is between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload(pub Vec<Bytes>);

impl Payload {
    /// Whether nothing must come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `answer` has all pieces.
    pub fn matches(&self, answer: &[u8]) -> bool {
        let mut rest = answer;
        self.0.iter().all(|piece| match find(rest, piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        })
    }
}

fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    if piece.is_empty() {
        return Some(0);
    }
    text.windows(piece.len()).position(|window| window == piece)
}

impl TcpProbe {
    /// Checks over a connection; whether it may be kept.
    pub(super) async fn check(&self, connection: &mut Connection) -> Result<bool, Failure> {
        if !self.send.is_empty() {
            let mut out = Buffer::new();
            out.push(self.send.clone());
            connection.write(&mut out).await?;
        }
        if self.receive.is_empty() {
            return Ok(false);
        }
        let mut answer = Vec::new();
        loop {
            let bytes = connection.read().await?;
            if bytes.is_empty() || answer.len() + bytes.len() > MAX_ANSWER {
                return Err(Failure::Network);
            }
            answer.extend_from_slice(&bytes);
            if self.receive.matches(&answer) {
                return Ok(true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_order() {
        for (pieces, answer, expected) in [
            (&["a", "b"][..], "xaxbx", true),
            (&["a", "b"], "ba", false),
            (&["a", "a"], "a", false),
            (&["aa", "a"], "aaa", true),
            (&[], "", true),
            (&[""], "", true),
            (&["a"], "", false),
        ] {
            let pieces = pieces.iter().map(|piece| Bytes::from(*piece)).collect();
            let payload = Payload(pieces);
            assert_eq!(payload.matches(answer.as_bytes()), expected, "{answer}");
        }
    }
}
