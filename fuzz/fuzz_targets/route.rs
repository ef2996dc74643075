//! libFuzzer's way into the target `route`.
#![no_main]

nuncio_fuzz::entry!("route");
