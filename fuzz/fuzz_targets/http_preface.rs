//! libFuzzer's way into the target `http_preface`.
#![no_main]

nuncio_fuzz::entry!("http_preface");
