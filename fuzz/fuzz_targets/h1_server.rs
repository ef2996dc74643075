//! libFuzzer's way into the target `h1_server`.
#![no_main]

nuncio_fuzz::entry!("h1_server");
