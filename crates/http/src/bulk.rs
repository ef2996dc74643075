//! The rest of a response's body that nobody on its way looks at: the kernel may move it from
//! socket to socket.

use nuncio_net::Socket;
use std::time::Instant;

/// A body that comes from a plain socket, of a length that is known.
pub trait BulkBody {
    /// How many bytes the socket still has to bring; none where some were read already, and wait.
    fn source(&self) -> Option<(u64, &Socket)>;

    /// So many bytes, fewer than that, were taken from the socket.
    fn taken(&mut self, bytes: u64, now: Instant);
}
