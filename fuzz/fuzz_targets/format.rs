//! libFuzzer's way into the target `format`.
#![no_main]

nuncio_fuzz::entry!("format");
