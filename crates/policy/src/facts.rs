//! What a decision may look at.

use nuncio_base::HeaderMap;
use nuncio_base::address::Address;
use nuncio_base::metadata::Metadata;
use nuncio_stream_info::{ConnectionInfo, FilterStateObject, StreamInfo};
use std::net::SocketAddr;
use std::rc::Rc;

/// A connection, or one of its streams.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The connection.
    pub connection: &'a ConnectionInfo,
    /// The stream, where it is about one.
    pub stream: Option<&'a StreamInfo>,
    /// The request's headers, where there is a request.
    pub request_headers: Option<&'a HeaderMap>,
    /// The response's headers, once they are there.
    pub response_headers: Option<&'a HeaderMap>,
    /// Dynamic metadata, of the stream or of the connection.
    pub metadata: &'a Metadata,
}

impl<'a> Facts<'a> {
    /// A connection before its bytes are looked at.
    pub fn of_connection(connection: &'a ConnectionInfo, metadata: &'a Metadata) -> Self {
        Self {
            connection,
            stream: None,
            request_headers: None,
            response_headers: None,
            metadata,
        }
    }

    /// A request.
    pub fn of_request(headers: &'a HeaderMap, stream: &'a StreamInfo) -> Self {
        Self {
            connection: &stream.connection,
            stream: Some(stream),
            request_headers: Some(headers),
            response_headers: None,
            metadata: &stream.metadata,
        }
    }

    /// The peer, as HTTP found it out where there is a stream.
    pub fn remote_address(&self) -> &'a Address {
        match self.stream {
            Some(stream) => stream.downstream_remote_address(),
            None => &self.connection.remote_address,
        }
    }

    /// Where the peer connected to, if that is an IP address.
    pub fn local_ip(&self) -> Option<SocketAddr> {
        self.connection.local_address.ip()
    }

    /// A filter state object of the stream, else of the connection.
    pub fn filter_state(&self, key: &str) -> Option<Rc<dyn FilterStateObject>> {
        let of_stream = self.stream.and_then(|stream| stream.filter_state.get(key));
        of_stream
            .cloned()
            .or_else(|| self.connection.filter_state.borrow().get(key).cloned())
    }
}
