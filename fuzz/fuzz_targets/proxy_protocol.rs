//! libFuzzer's way into the target `proxy_protocol`.
#![no_main]

nuncio_fuzz::entry!("proxy_protocol");
