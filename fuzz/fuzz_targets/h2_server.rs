//! libFuzzer's way into the target `h2_server`.
#![no_main]

nuncio_fuzz::entry!("h2_server");
