//! A fixed answer, and the end.

use super::DirectResponseFactory;
use crate::testing::{read_all, serve};
use nuncio_stats::Store;
use std::sync::Arc;

#[test]
fn every_client_gets_the_response_and_the_end() {
    for response in ["", "hello\n"] {
        let factory = DirectResponseFactory::new(response.into());
        let served = serve(Store::default(), Arc::new(factory), 1 << 20, |_| {});
        for _ in 0..2 {
            assert_eq!(read_all(&mut served.connect()), response.as_bytes());
        }
        served.wait_for("listener.l.downstream_cx_destroy", 2);
    }
}
