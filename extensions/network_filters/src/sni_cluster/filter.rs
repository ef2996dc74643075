//! The filter.

use crate::tcp_proxy::CLUSTER_KEY;
use nuncio_net::{
    ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_stream_info::filter_state::{LifeSpan, Text};
use nuncio_worker::Worker;
use std::rc::Rc;

/// Makes the filters; there is nothing to configure.
pub struct SniClusterFactory;

impl NetworkFilterFactory for SniClusterFactory {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalNetworkFilterFactory for SniClusterFactory {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(SniFilter)
    }
}

struct SniFilter;

impl NetworkFilter for SniFilter {
    fn on_new_connection(&mut self, cx: &mut ConnCx<'_>) -> FilterStatus {
        let info = cx.info();
        if let Some(name) = info.requested_server_name.as_deref()
            && !name.is_empty()
        {
            let cluster = Rc::new(Text(name.to_owned()));
            let mut state = info.filter_state.borrow_mut();
            state.set(CLUSTER_KEY, LifeSpan::Connection, cluster);
        }
        FilterStatus::Continue
    }
}
