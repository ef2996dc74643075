//! libFuzzer's way into the target `path`.
#![no_main]

nuncio_fuzz::entry!("path");
