//! A fixed answer, and the end.

use super::{DirectResponse, DirectResponseFactory};
use crate::testing::{parse, read_all, serve};
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

#[test]
fn the_response_comes_from_any_data_source() {
    for (yaml, expected) in [
        ("{}", Ok("")),
        ("response: {inline_string: hi}", Ok("hi")),
        ("response: {inline_bytes: aGk=}", Ok("hi")),
        ("response: {filename: /nonexistent}", Err("/nonexistent")),
    ] {
        match (parse(&DirectResponse, yaml), expected) {
            (Ok(factory), Ok(text)) => {
                let served = serve(Store::default(), Arc::new(factory), 1 << 20, |_| {});
                assert_eq!(read_all(&mut served.connect()), text.as_bytes(), "{yaml}");
            }
            (Err(error), Err(part)) => assert!(error.contains(part), "{yaml}: {error}"),
            (parsed, _) => panic!("{yaml}: {}", parsed.is_ok()),
        }
    }
}
