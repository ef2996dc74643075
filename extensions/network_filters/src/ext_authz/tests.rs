//! Connections that the service is asked about once their metadata say so.

use super::ExtAuthz;
use crate::testing::{parse_in, read_all, read_some, serve_chain};
use nuncio_base::Buffer;
use nuncio_base::metadata::Value;
use nuncio_net::{
    ConnCx, FilterStatus, LocalNetworkFilterFactory, NetworkFilter, NetworkFilterFactory,
    NewConnection,
};
use nuncio_stats::Store;
use nuncio_worker::Worker;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;

/// Puts what it reads into the metadata.
struct Marker;

impl NetworkFilterFactory for Marker {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalNetworkFilterFactory> {
        Rc::new(Self)
    }
}

impl LocalNetworkFilterFactory for Marker {
    fn create(&self, _connection: &NewConnection<'_>) -> Box<dyn NetworkFilter> {
        Box::new(Self)
    }
}

impl NetworkFilter for Marker {
    fn on_data(&mut self, cx: &mut ConnCx<'_>, data: &mut Buffer, _end: bool) -> FilterStatus {
        let text = String::from_utf8_lossy(&data.to_bytes()).into_owned();
        let field = ("said".to_owned(), Value::Text(text.into()));
        let said = Value::Struct(Arc::new([field].into()));
        cx.info().metadata.borrow_mut().set("marker", said);
        FilterStatus::Continue
    }
}

#[test]
fn metadata_are_looked_at_until_the_service_is_asked() {
    let store = Store::default();
    let yaml = "{stat_prefix: p, grpc_service: {envoy_grpc: {cluster_name: none}}, \
                filter_enabled_metadata: {filter: marker, path: [{key: said}], \
                value: {string_match: {exact: check}}}}";
    let authorized = Arc::new(parse_in(&store, &ExtAuthz, yaml).unwrap());
    let echo = Arc::new(crate::echo::EchoFactory);
    let filters: Vec<Arc<dyn NetworkFilterFactory>> = vec![Arc::new(Marker), authorized, echo];
    let served = serve_chain(store, filters, 1 << 20, |_| {});
    let mut client = served.connect();
    for disabled in 1..=2 {
        client.write_all(b"skip").unwrap();
        assert_eq!(read_some(&mut client), b"skip");
        assert_eq!(served.counter("ext_authz.p.disabled"), disabled);
    }
    client.write_all(b"check").unwrap();
    assert_eq!(read_all(&mut client), b"");
    for name in ["total", "error", "cx_closed"] {
        assert_eq!(served.counter(&format!("ext_authz.p.{name}")), 1, "{name}");
    }
}
