//! libFuzzer's way into the target `h2_client`.
#![no_main]

nuncio_fuzz::entry!("h2_client");
