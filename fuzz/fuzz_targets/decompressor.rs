//! libFuzzer's way into the target `decompressor`.
#![no_main]

nuncio_fuzz::entry!("decompressor");
