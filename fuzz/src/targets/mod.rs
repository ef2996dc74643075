//! What must hold, parser by parser. The HTTP/1 codecs bring their own checks.

pub mod capsule;
pub mod chain;
pub mod client_hello;
pub mod config;
pub mod decompressor;
pub mod format;
pub mod http_preface;
pub mod load_report;
pub mod path;
pub mod proxy_protocol;
pub mod regex;
pub mod route;
pub mod stats_tags;

use nuncio_base::address::Address;
use nuncio_base::time;
use nuncio_stream_info::{ConnectionInfo, StreamInfo, Timings};
use std::rc::Rc;

/// The facts of a stream of which nothing is known yet.
fn stream_info() -> StreamInfo {
    let address = Address::Ip(([127, 0, 0, 1], 1).into());
    let (now, wall) = (time::monotonic(), time::wall());
    let connection = ConnectionInfo::new(1, address.clone(), address, (now, wall));
    StreamInfo::new(Rc::new(connection), Timings::new(wall, now))
}

/// The lines of an input that is text.
fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == b'\n')
}
