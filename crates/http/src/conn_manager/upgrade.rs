//! Upgrades: which are allowed, and the filters that such requests pass instead of the usual ones.

use crate::chain::{FilterStream, LocalChain, StreamState};
use crate::conn_manager::local::HcmLocal;
use crate::conn_manager::stream::ActiveStream;
use crate::factory::ChainSpec;
use crate::local_reply::LocalReply;
use crate::opaque::{is_connect, is_upgrade};
use nuncio_base::{HeaderMap, names};
use nuncio_stream_info::{StreamInfo, Timings};
use std::rc::Rc;

/// An upgrade that config names (`UpgradeConfig`).
pub struct Upgrade {
    /// What the `upgrade` header says, in lower case; `connect` for CONNECT.
    pub name: String,
    /// Whether it is allowed where a route does not say.
    pub enabled: bool,
    /// The filters for it; empty for the manager's.
    pub chain: ChainSpec,
}

/// What a request asks to become, if anything.
fn asked(headers: &HeaderMap) -> Option<&[u8]> {
    if is_connect(headers) {
        return Some(b"connect");
    }
    is_upgrade(headers).then(|| headers.get(names::UPGRADE).unwrap_or_default())
}

/// An upgrade must be allowed by name.
///
/// # Errors
/// The reply to send where it is not.
pub(super) fn check(local: &HcmLocal, state: &StreamState) -> Result<(), LocalReply> {
    let Some(kind) = asked(&state.request.headers) else {
        return Ok(());
    };
    let of_manager = local
        .spec
        .upgrades
        .iter()
        .any(|upgrade| upgrade.enabled && kind.eq_ignore_ascii_case(upgrade.name.as_bytes()));
    let of_route = state.route.action().and_then(|action| action.upgrade(kind));
    let allowed = of_route.map_or(of_manager, |upgrade| upgrade.enabled);
    // Without a route there is another answer.
    if allowed || state.route.selected().is_none() {
        return Ok(());
    }
    local.stats.downstream_rq_ws_on_non_ws_route().inc();
    Err(LocalReply::new(403, "", "upgrade_failed"))
}

impl ActiveStream {
    /// Gives an upgrade that has filters of its own to those.
    pub(super) fn choose_chain(&mut self) {
        let local = Rc::clone(&self.local);
        if local.upgrade_chains.is_empty() {
            return;
        }
        let kind = asked(&self.filters().state.request.headers);
        let chain = kind.and_then(|kind| {
            let is_it = |name: &str| kind.eq_ignore_ascii_case(name.as_bytes());
            let mut chains = local.upgrade_chains.iter();
            chains.find(|(name, _)| is_it(name)).map(|(_, chain)| chain)
        });
        if let Some(chain) = chain {
            self.change_chain(&local, chain);
        }
    }

    /// Moves the stream, of which no filter has seen anything, to another chain.
    fn change_chain(&mut self, local: &HcmLocal, chain: &Rc<LocalChain>) {
        let Some(mut old) = self.filters.take() else {
            return;
        };
        let state = &mut old.state;
        let connection = Rc::clone(&state.info.connection);
        let timings = Timings::new(state.info.timings.start_time, state.info.timings.start);
        let unused = StreamInfo::new(connection, timings);
        let info = std::mem::replace(&mut state.info, unused);
        let mut filters = FilterStream::new(chain, &local.stream_config, info);
        let new = &mut filters.state;
        std::mem::swap(&mut new.request.headers, &mut state.request.headers);
        std::mem::swap(&mut new.route, &mut state.route);
        let found = new.route.found();
        new.restore_route(found);
        old.give_back();
        self.filters = Some(filters);
    }
}
