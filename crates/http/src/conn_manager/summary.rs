//! What a listener's access logs are told of a connection that carried HTTP.

use crate::conn_manager::stream::ActiveStream;
use nuncio_stream_info::{BytesMeter, ConnectionInfo, Protocol, ResponseFlag};
use std::cell::Cell;
use std::rc::Rc;

/// What the streams of a connection were, where its listener has access logs.
#[derive(Default)]
pub(super) struct ConnectionSummary(Option<Box<Cell<Facts>>>);

#[derive(Clone, Copy, Default)]
struct Facts {
    protocol: Option<Protocol>,
    bytes: BytesMeter,
    failed: bool,
}

impl ConnectionSummary {
    pub fn of(info: &ConnectionInfo) -> Self {
        Self(info.wants_summary().then(Box::default))
    }

    /// A stream is over.
    pub fn add(&self, stream: &mut ActiveStream) {
        let Some(cell) = &self.0 else { return };
        let mut facts = cell.get();
        let info = stream.info();
        facts.bytes += info.downstream_bytes;
        if info.flags.has(ResponseFlag::DownstreamProtocolError) {
            facts.failed = true;
        } else {
            facts.protocol = info.protocol;
        }
        cell.set(facts);
    }

    /// The connection is over.
    pub fn tell(&self, info: &Rc<ConnectionInfo>) {
        let Some(cell) = &self.0 else { return };
        let facts = cell.get();
        info.summarize(|stream| {
            stream.protocol = facts.protocol;
            stream.bytes_received = facts.bytes.wire_received;
            stream.bytes_sent = facts.bytes.wire_sent;
            stream.downstream_bytes = facts.bytes;
            if facts.failed {
                stream.set_flag(ResponseFlag::DownstreamProtocolError);
            }
        });
    }
}
