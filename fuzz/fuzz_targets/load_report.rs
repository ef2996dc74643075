//! libFuzzer's way into the target `load_report`.
#![no_main]

nuncio_fuzz::entry!("load_report");
