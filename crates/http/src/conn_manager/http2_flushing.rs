//! Streams that are answered, and whose last bytes wait for a client that does not take them: they
//! end, and are logged, when all is sent.

use crate::conn_manager::connection::Connection;
use crate::conn_manager::stream::ActiveStream;
use nuncio_codec::h2::{ErrorCode, H2Connection};
use std::time::Instant;

/// Such a stream.
struct Waiting {
    id: u32,
    /// When it is reset, if that is limited.
    until: Option<Instant>,
    stream: Box<ActiveStream>,
}

/// Those of a connection.
#[derive(Default)]
pub(super) struct Flushing(Vec<Waiting>);

impl Flushing {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; when it is reset, if that is limited.
    pub fn add(
        &mut self,
        conn: &Connection,
        id: u32,
        stream: Box<ActiveStream>,
    ) -> Option<Instant> {
        let limit = stream.flush_limit();
        let until = limit.map(|limit| conn.local.worker.now() + limit);
        self.0.push(Waiting { id, until, stream });
        until
    }

    /// Takes the stream of a number out.
    pub fn take(&mut self, id: u32) -> Option<Box<ActiveStream>> {
        let at = self.0.iter().position(|waiting| waiting.id == id)?;
        Some(self.0.swap_remove(at).stream)
    }

    /// Takes any.
    pub fn pop(&mut self) -> Option<Box<ActiveStream>> {
        Some(self.0.pop()?.stream)
    }

    /// Ends those of which everything is sent.
    pub fn finish(&mut self, conn: &Connection, codec: &H2Connection) {
        let sent = self.0.extract_if(.., |waiting| !codec.is_open(waiting.id));
        sent.for_each(|waiting| conn.finish(*waiting.stream));
    }

    /// Resets those that have waited for too long.
    pub fn on_time(&mut self, conn: &Connection, codec: &mut H2Connection, now: Instant) {
        let stats = &conn.local.http2().stats;
        let is_due = |waiting: &mut Waiting| waiting.until.is_some_and(|until| until <= now);
        for waiting in self.0.extract_if(.., is_due) {
            stats.tx_flush_timeout().inc();
            codec.reset(waiting.id, ErrorCode::INTERNAL);
            conn.finish(*waiting.stream);
        }
    }

    /// When they are reset.
    pub fn deadlines(&self) -> impl Iterator<Item = Instant> {
        self.0.iter().filter_map(|waiting| waiting.until)
    }
}
