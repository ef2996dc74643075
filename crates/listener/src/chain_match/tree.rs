//! Which filter chain a connection gets by the unified matcher (`filter_chain_matcher`).

use nuncio_matching::MatchTree;
use nuncio_policy::{Facts, Input};
use nuncio_stream_info::ConnectionInfo;
use std::borrow::Cow;

/// A tree whose leaves are the places of chains; none for a name that no chain has.
#[derive(Debug)]
pub struct ChainTree(MatchTree<Input, Option<usize>>);

impl ChainTree {
    /// With such leaves.
    pub fn new(tree: MatchTree<Input, Option<usize>>) -> Self {
        Self(tree)
    }

    /// The place of the chain for a connection, `default` where the tree leads nowhere. A listener
    /// filter may have found out the transport protocol.
    pub(super) fn find(
        &self,
        info: &ConnectionInfo,
        transport_protocol: &str,
        default: Option<usize>,
    ) -> Option<usize> {
        let metadata = info.metadata.borrow();
        let facts = Facts::of_connection(info, &metadata);
        let protocol = match transport_protocol {
            "" => "raw_buffer",
            found => found,
        };
        // TLS has not begun: what there is to know of it is what was inspected.
        let ask = |input: &Input| match input {
            Input::TransportProtocol => Some(Cow::Owned(protocol.as_bytes().to_vec())),
            input => input.ask(&facts),
        };
        self.0.find(&ask).copied().unwrap_or(default)
    }
}
