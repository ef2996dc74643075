//! libFuzzer's way into the target `h2_hpack`.
#![no_main]

nuncio_fuzz::entry!("h2_hpack");
