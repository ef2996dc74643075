//! Listener filters: what looks at a connection before a filter chain is chosen (TLS inspector,
//! PROXY protocol, original destination).

use nuncio_net::Socket;
use nuncio_stream_info::ConnectionInfo;
use nuncio_worker::Worker;
use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

/// A connection that has no filter chain yet. Filters read from or peek at the socket, and write
/// what they find into the facts: addresses, server name, ALPN, filter state.
pub struct Candidate {
    /// The socket; what a filter reads from it is gone for the filter chain.
    pub socket: Socket,
    /// The connection's facts so far.
    pub info: ConnectionInfo,
    /// What the connection speaks: `tls`, `raw_buffer`, or empty where nobody looked.
    pub transport_protocol: Cow<'static, str>,
}

/// What a listener filter says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenerFilterStatus {
    /// On to the next filter.
    Continue,
    /// The connection is not acceptable: it is closed. The filter has counted it.
    Reject,
    /// The socket can't be read: `downstream_listener_filter_error` counts.
    ReadError,
    /// The peer is gone: `downstream_listener_filter_remote_close` counts.
    RemoteClose,
}

/// Looks at one connection. It runs once per connection, so it may be async and boxed.
pub trait ListenerFilter {
    /// Looks at the connection, waiting for bytes where it needs them.
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>>;
}

/// A configured listener filter: shared by all workers.
pub trait ListenerFilterFactory: Send + Sync {
    /// What one worker makes filters with.
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory>;
}

/// A configured listener filter on one worker.
pub trait LocalListenerFilterFactory {
    /// The filter of one connection.
    fn create(&self) -> Box<dyn ListenerFilter>;
}
