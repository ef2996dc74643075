//! Bodies through the libraries; whole responses; what is refused.

use super::{Codec, Compressor, Library};
use crate::testing::{Script, errors, route_errors};
use nuncio_base::Buffer;
use std::io::Read;

const GZIP: &str = "compressor_library: {name: g, typed_config: {'@type': \
                    type.googleapis.com/envoy.extensions.compression.gzip.compressor.v3.Gzip}}";

const ROUTE: &str =
    "'@type': type.googleapis.com/envoy.extensions.filters.http.compressor.v3.CompressorPerRoute";

fn plain(library: &Library, bytes: &Buffer) -> Vec<u8> {
    let bytes = bytes.to_bytes();
    let mut out = vec![0; 1 << 20];
    let read = match library.codec {
        Codec::Gzip(_) => {
            // As windows of any size are.
            let mut inflate = zlib_rs::Inflate::new(true, 16 + 15);
            let status = inflate.decompress(&bytes, &mut out, zlib_rs::InflateFlush::Finish);
            assert_eq!(status, Ok(zlib_rs::Status::StreamEnd));
            inflate.total_out() as usize
        }
        Codec::Brotli(_) => brotli::Decompressor::new(&*bytes, 64).read_to_end_into(&mut out),
        Codec::Zstd(_) => zstd::Decoder::new(&*bytes)
            .unwrap()
            .read_to_end_into(&mut out),
    };
    out.truncate(read);
    out
}

trait ReadInto: Read {
    fn read_to_end_into(&mut self, out: &mut [u8]) -> usize {
        let mut read = Vec::new();
        self.read_to_end(&mut read).unwrap();
        out[..read.len()].copy_from_slice(&read);
        read.len()
    }
}

impl<R: Read> ReadInto for R {}

/// A library by its name and its settings, as YAML.
fn library(kind: &str, yaml: &str) -> Library {
    let name = match kind {
        "gzip" => "gzip.compressor.v3.Gzip",
        "brotli" => "brotli.compressor.v3.Brotli",
        _ => "zstd.compressor.v3.Zstd",
    };
    super::config::tests::library(&format!("envoy.extensions.compression.{name}"), yaml)
}

/// Words that come again, near and far, numbers that do not, and runs of dots.
fn text() -> Vec<u8> {
    let words = [
        "lorem",
        "ipsum",
        "dolor",
        "sit",
        "amet",
        "consectetur",
        "......",
    ];
    let mut text = String::new();
    let mut number = 1_u64;
    while text.len() < 100_000 {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        text.push_str(words[(number >> 33) as usize % words.len()]);
        text.push_str(&((number >> 40) % 1000).to_string());
    }
    text.into_bytes()
}

/// A body through a library: a piece that is passed on at once, a large one, and the end.
fn compressed(library: &Library, body: &[u8]) -> Buffer {
    let mut encoder = library.encoder().unwrap();
    let mut bytes = Buffer::new();
    let (first, rest) = body.split_at(10);
    encoder.write(first, &mut bytes).unwrap();
    encoder.flush(&mut bytes).unwrap();
    assert!(!bytes.is_empty(), "{library:?}");
    encoder.flush(&mut bytes).unwrap();
    encoder.write(rest, &mut bytes).unwrap();
    encoder.finish(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_goes_in_comes_out() {
    let body = text();
    let mut seen = Vec::new();
    for (kind, settings) in [
        ("gzip", "{}"),
        ("gzip", "{memory_level: 9}"),
        ("gzip", "{memory_level: 1}"),
        ("gzip", "{window_bits: 9}"),
        ("gzip", "{window_bits: 15}"),
        ("gzip", "{compression_level: BEST_SPEED}"),
        ("gzip", "{compression_level: BEST_COMPRESSION}"),
        ("gzip", "{compression_strategy: HUFFMAN_ONLY}"),
        ("gzip", "{compression_strategy: RLE, window_bits: 15}"),
        ("gzip", "{compression_strategy: FIXED}"),
        ("brotli", "{}"),
        ("brotli", "{quality: 11}"),
        ("brotli", "{window_bits: 10}"),
        ("brotli", "{quality: 5, input_block_bits: 16}"),
        (
            "brotli",
            "{quality: 5, input_block_bits: 16, encoder_mode: FONT}",
        ),
        (
            "brotli",
            "{quality: 11, disable_literal_context_modeling: true}",
        ),
        ("zstd", "{}"),
        ("zstd", "{compression_level: 19}"),
        ("zstd", "{enable_checksum: true}"),
        ("zstd", "{strategy: FAST}"),
        ("zstd", "{strategy: BTULTRA2}"),
    ] {
        let library = library(kind, settings);
        let bytes = compressed(&library, &body);
        assert!(plain(&library, &bytes) == body, "{kind} {settings}");
        assert!(
            !seen.contains(&bytes.to_bytes()),
            "{kind} {settings} changes nothing"
        );
        seen.push(bytes.to_bytes());
    }
}

#[test]
fn chunks_are_of_the_size_that_is_set() {
    let body = text();
    for kind in ["gzip", "zstd"] {
        for size in [4096, 8192] {
            let library = library(kind, &format!("{{chunk_size: {size}}}"));
            let bytes = compressed(&library, &body);
            let most = bytes.slices().map(|slice| slice.len()).max();
            assert_eq!(most, Some(size), "{kind}");
        }
    }
    // Brotli's room is its own; what it makes in one go is one slice.
    assert_eq!(library("brotli", "{chunk_size: 8192}").chunk_size, 8192);
}

/// Which directions are compressed, by what the filter and a route say.
fn directions(filter: &str, route: &str) -> [bool; 2] {
    let settings = match route {
        "" => String::new(),
        route => {
            let name = "envoy.filters.http.compressor";
            format!(", typed_per_filter_config: {{{name}: {{{ROUTE}, {route}}}}}")
        }
    };
    let long = "0123456789012345678901234567890123456789";
    let outcome = Script::new()
        .filter(&Compressor, &format!("{{{GZIP}{filter}}}"))
        .routes(&format!(
            "routes: [{{match: {{prefix: /}}, route: {{cluster: c}}{settings}}}]"
        ))
        .request(&[(":method", "POST"), ("accept-encoding", "gzip")])
        .body(&[long])
        .answer(&[(":status", "200")], &[long])
        .run();
    [outcome.upstream, outcome.downstream].map(|shown| shown.contains("content-encoding=gzip"))
}

#[test]
fn routes_turn_responses_on_and_off() {
    const OFF: &str = ", response_direction_config: {common_config: {enabled: {default_value: \
                       false, runtime_key: k}}}";
    const BOTH: &str = ", request_direction_config: {}";
    for (filter, route, expected) in [
        ("", "", [false, true]),
        ("", "disabled: true", [false, false]),
        ("", "overrides: {}", [false, true]),
        (OFF, "", [false, false]),
        (OFF, "overrides: {}", [false, false]),
        (
            OFF,
            "overrides: {response_direction_config: {}}",
            [false, true],
        ),
        (BOTH, "", [true, true]),
        (BOTH, "disabled: true", [true, false]),
    ] {
        assert_eq!(directions(filter, route), expected, "{filter} {route}");
    }
}

#[test]
fn content_types_may_be_matched() {
    let types = "response_direction_config: {common_config: {content_type: [text/plain], \
                 content_type_matcher: [{prefix: application/}, {exact: text/x}]}}";
    for (kind, expected) in [
        ("application/x; a=b", true),
        ("text/x ;a=b", true),
        ("TEXT/X", false),
        ("text/plain", false),
        ("", true),
    ] {
        let outcome = Script::new()
            .filter(&Compressor, &format!("{{{GZIP}, {types}}}"))
            .request(&[("accept-encoding", "gzip")])
            .answer(&[(":status", "200"), ("content-type", kind)], &["body"])
            .run();
        let coded = outcome.downstream.contains("content-encoding=gzip");
        assert_eq!(coded, expected, "{kind}");
    }
}

#[test]
fn clients_that_say_nothing_are_counted() {
    for (answer, expected) in [
        (&[(":status", "200")][..], 1),
        (&[(":status", "200"), ("content-type", "image/png")], 1),
        (&[(":status", "200"), ("content-length", "3")], 0),
    ] {
        let outcome = Script::new()
            .filter(&Compressor, &format!("{{{GZIP}}}"))
            .answer(answer, &["abc"])
            .run();
        let stat = outcome.stat("http.test.compressor.g.gzip.no_accept_header");
        assert_eq!(stat, expected, "{answer:?}");
    }
}

#[test]
fn one_of_several_is_chosen() {
    let of = |kind: &str, message: &str, more: &str| {
        format!(
            "{{compressor_library: {{name: {kind}, typed_config: {{'@type': type.googleapis.com/\
             envoy.extensions.compression.{kind}.compressor.v3.{message}}}}}{more}}}"
        )
    };
    for (accept, remove, expected) in [
        ("gzip, br", "", Some("br")),
        ("br, gzip;q=0.5", "", Some("br")),
        ("gzip", "", Some("gzip")),
        ("zstd", "", None),
        // The second one does not see what the client takes, and is chosen all the same.
        ("gzip, br", ", remove_accept_encoding_header: true", None),
    ] {
        let gzip = of("gzip", "Gzip", remove);
        let brotli = of("brotli", "Brotli", ", choose_first: true");
        let outcome = Script::new()
            .named_filter::<Compressor>("one", &gzip, false)
            .named_filter::<Compressor>("two", &brotli, false)
            .request(&[("accept-encoding", accept)])
            .answer(&[(":status", "200")], &["body"])
            .run();
        let shown = &outcome.downstream;
        let coded = ["gzip", "br"]
            .into_iter()
            .find(|coding| shown.contains(&format!("content-encoding={coding}")));
        assert_eq!(coded, expected, "{accept}{remove}: {shown}");
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
            "{compressor_library: {name: z, typed_config: {'@type': \
             type.googleapis.com/envoy.extensions.compression.zstd.compressor.v3.Zstd, \
             dictionary: {inline_string: abc}}}}"
                .to_owned(),
            "dictionary is not supported by this build",
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
