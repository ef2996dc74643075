//! libFuzzer's way into the target `stats_tags`.
#![no_main]

nuncio_fuzz::entry!("stats_tags");
