//! Bodies through the libraries; whole responses; what is refused.

use super::{Compressor, Library};
use crate::testing::{Script, errors, route_errors};
use std::io::Read;

const GZIP: &str = "compressor_library: {name: g, typed_config: {'@type': \
                    type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip}}";

fn plain(library: Library, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let read = match library {
        Library::Gzip(_) => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
        Library::Brotli { .. } => brotli::Decompressor::new(bytes, 64).read_to_end(&mut out),
        Library::Zstd { .. } => {
            let mut decoder = zstd::Decoder::new(bytes).unwrap();
            decoder.read_to_end(&mut out)
        }
    };
    read.unwrap();
    out
}

#[test]
fn what_goes_in_comes_out() {
    for library in [
        Library::Gzip(6),
        Library::Brotli {
            quality: 3,
            window_bits: 18,
        },
        Library::Zstd {
            level: 3,
            checksum: true,
        },
    ] {
        let mut encoder = library.encoder().unwrap();
        let mut bytes = Vec::new();
        for piece in ["one piece ", "and another ", ""] {
            encoder.write(piece.as_bytes()).unwrap();
            let flushed = encoder.flush().unwrap();
            assert!(piece.is_empty() || !flushed.is_empty(), "{library:?}");
            bytes.extend(flushed);
        }
        encoder.write(b"at last").unwrap();
        bytes.extend(encoder.finish().unwrap());
        assert_eq!(plain(library, &bytes), b"one piece and another at last");
    }
}

#[test]
fn responses() {
    let long = "0123456789012345678901234567890123456789";
    for (accept, answer, encoded, compressed) in [
        ("gzip", &[(":status", "200")][..], true, 1),
        (
            "gzip",
            &[(":status", "200"), ("content-type", "image/png")],
            false,
            0,
        ),
        (
            "gzip",
            &[(":status", "200"), ("cache-control", "no-transform")],
            false,
            0,
        ),
        (
            "gzip",
            &[(":status", "200"), ("content-length", "20")],
            false,
            0,
        ),
        ("gzip", &[(":status", "200"), ("etag", "x")], true, 1),
        ("br", &[(":status", "200")], false, 0),
    ] {
        let outcome = Script::new()
            .filter(&Compressor, &format!("{{{GZIP}}}"))
            .request(&[("accept-encoding", accept)])
            .answer(answer, &[long])
            .run();
        let shown = &outcome.downstream;
        assert_eq!(
            shown.contains("content-encoding=gzip"),
            encoded,
            "{answer:?} {shown}"
        );
        assert_eq!(shown.contains(long), !encoded, "{answer:?}");
        assert!(!shown.contains("etag"), "{shown}");
        let stat = outcome.stat("http.test.compressor.g.gzip.compressed");
        assert_eq!(stat, compressed, "{answer:?}");
    }
}

#[test]
fn what_is_refused() {
    for (yaml, expected) in [
        (
            format!("{{{GZIP}, response_direction_config: {{status_header_enabled: true}}}}"),
            "status_header_enabled is not supported by this build",
        ),
        (
            "{compressor_library: {name: x, typed_config: {'@type': \
             type.googleapis.com/google.protobuf.Duration}}}"
                .to_owned(),
            "Didn't find a registered implementation for 'x'",
        ),
    ] {
        let errors = errors(&Compressor, &yaml);
        assert!(errors.contains(expected), "{yaml}: {errors}");
    }
    let error = route_errors(&Compressor, &format!("{{overrides: {{{GZIP}}}}}"));
    assert!(
        error.contains("compressor_library is not supported"),
        "{error}"
    );
}
