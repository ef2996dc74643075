//! What one request says of the host that it goes to, for the connection's handshake.

use std::sync::Arc;

/// The names that a host is to have; empty where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PeerNames {
    /// The name that is asked for (SNI), whatever the configuration says.
    pub server_name: Option<Arc<str>>,
    /// A subject alternative name that the host's certificate must have.
    pub subject_alt_name: Option<Arc<str>>,
}
