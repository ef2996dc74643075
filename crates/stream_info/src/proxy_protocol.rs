//! What headers of the PROXY protocol bring along, and what is passed on of it.

use crate::filter_state::FilterStateObject;
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

/// Which values are passed on (`ProxyProtocolPassThroughTLVs`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PassThrough {
    /// None.
    #[default]
    None,
    /// All.
    All,
    /// Those of these types.
    Some(Arc<[u8]>),
}

impl PassThrough {
    /// Whether values of this type are.
    pub fn passes(&self, kind: u8) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some(kinds) => kinds.contains(&kind),
        }
    }
}

/// What a header brought along, to be passed on: types and values.
pub struct PassedTlvs(pub Rc<[(u8, Vec<u8>)]>);

impl PassedTlvs {
    /// Envoy's name for it.
    pub const KEY: &'static str = "envoy.network.proxy_protocol_options";
}

impl FilterStateObject for PassedTlvs {
    fn as_any(&self) -> &dyn Any {
        self
    }
}
