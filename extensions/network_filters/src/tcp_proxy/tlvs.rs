//! What the connection adds to headers of the PROXY protocol towards its host
//! (`proxy_protocol_tlvs`), beside what it brought along in its own.

use super::factory::LocalTcpProxy;
use nuncio_config::proxy_protocol::TlvValue;
use nuncio_observe::AccessLogType;
use nuncio_stream_info::proxy_protocol::PassedTlvs;
use nuncio_stream_info::{LifeSpan, StreamInfo};
use std::rc::Rc;

/// What becomes of values where the connection came with a header
/// (`ProxyProtocolTlvMergePolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlvMerge {
    /// Those of the header are all there are.
    AddIfAbsent,
    /// Those of the same types are replaced.
    Overwrite,
    /// All are sent.
    Append,
}

/// Values, and what becomes of others.
#[derive(Debug)]
pub struct AddedTlvs {
    /// Types and values.
    pub values: Vec<(u8, TlvValue)>,
    /// What becomes of the header's.
    pub merge: TlvMerge,
}

impl AddedTlvs {
    /// Has them told to a connection's host.
    pub(super) fn add(&self, local: &LocalTcpProxy, info: &StreamInfo) {
        let state = info.connection.filter_state.borrow();
        let came = state.get_as::<PassedTlvs>(PassedTlvs::KEY);
        let came = came.map(|passed| Rc::clone(&passed.0));
        drop(state);
        if came.is_some() && self.merge == TlvMerge::AddIfAbsent {
            return;
        }
        let own = self.values.iter().map(|(kind, value)| {
            let value = match value {
                TlvValue::Bytes(bytes) => bytes.clone(),
                TlvValue::Format(format) => {
                    let mut text = Vec::new();
                    local.with_format_cx(info, AccessLogType::NotSet, |cx| {
                        format.append(cx, &mut text);
                    });
                    text
                }
            };
            (*kind, value)
        });
        let came = came.as_deref().unwrap_or_default().iter();
        let all: Rc<[_]> = match self.merge {
            TlvMerge::Append => came.cloned().chain(own).collect(),
            TlvMerge::AddIfAbsent | TlvMerge::Overwrite => {
                let is_own = |kind: u8| self.values.iter().any(|(own, _)| *own == kind);
                let rest = came.filter(|(kind, _)| !is_own(*kind));
                own.chain(rest.cloned()).collect()
            }
        };
        let mut state = info.connection.filter_state.borrow_mut();
        state.set(
            PassedTlvs::KEY,
            LifeSpan::Connection,
            Rc::new(PassedTlvs(all)),
        );
    }
}
