//! libFuzzer's way into the target `h1_client`.
#![no_main]

nuncio_fuzz::entry!("h1_client");
