//! Bytes come back.

use super::{Echo, EchoFactory};
use crate::testing::{parse, read_some, serve};
use nuncio_stats::Store;
use std::io::{Read, Write};
use std::sync::Arc;

#[test]
fn bytes_come_back() {
    let factory = parse(&Echo, "{}").unwrap();
    let served = serve(Store::default(), Arc::new(factory), 1 << 20, |_| {});
    let mut client = served.connect();
    for text in ["a", "hello"] {
        client.write_all(text.as_bytes()).unwrap();
        assert_eq!(read_some(&mut client), text.as_bytes());
    }
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    let served = serve(Store::default(), Arc::new(EchoFactory), 64 * 1024, |_| {});
    let mut client = served.connect();
    let mut writer = client.try_clone().unwrap();
    let period: Vec<u8> = (0..64_007u32).map(|n| (n % 241) as u8).collect();
    let sent = period.repeat(300);
    let expected = sent.clone();
    let writing = std::thread::spawn(move || writer.write_all(&sent).unwrap());
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(!writing.is_finished(), "19 MB are buffered somewhere");
    let mut received = vec![0; expected.len()];
    client.read_exact(&mut received).unwrap();
    assert!(received == expected);
    writing.join().unwrap();
}
