//! Bodies through the libraries and through the filter; heads; what is refused.

use super::config::tests::library;
use super::{Decompressor, Fault, Progress};
use crate::Compressor;
use crate::testing::{Outcome, Script, errors, route_errors};
use nuncio_base::Buffer;
use nuncio_base::runtime_flags::FlagValue;
use std::io::Write;

const KINDS: [(&str, &str); 3] = [("gzip", "Gzip"), ("brotli", "Brotli"), ("zstd", "Zstd")];

fn extension(side: &str, kind: &str, settings: &str) -> String {
    let (_, message) = KINDS.into_iter().find(|one| one.0 == kind).unwrap();
    format!(
        "{side}_library: {{name: l, typed_config: {{'@type': type.googleapis.com/\
         envoy.extensions.compression.{kind}.{side}.v3.{message}{settings}}}}}"
    )
}

fn gzip(settings: &str) -> String {
    extension("decompressor", "gzip", settings)
}

/// A body as it comes.
fn coded(kind: &str, body: &[u8]) -> Vec<u8> {
    match kind {
        "gzip" => {
            let mut out = vec![0; body.len() + 100];
            let config = zlib_rs::DeflateConfig {
                window_bits: 16 + 15,
                ..Default::default()
            };
            let mut stream = zlib_rs::Deflate::new_with_config(config);
            let end = stream.compress(body, &mut out, zlib_rs::DeflateFlush::Finish);
            assert_eq!(end, Ok(zlib_rs::Status::StreamEnd));
            out.truncate(stream.total_out() as usize);
            out
        }
        "brotli" => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22);
            writer.write_all(body).unwrap();
            writer.into_inner()
        }
        _ => zstd::encode_all(body, 3).unwrap(),
    }
}

/// Numbers that do not come again.
fn noise(len: usize) -> Vec<u8> {
    let mut number = 1_u64;
    let next = || {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        (number >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// What a library makes of pieces, how much at most in a turn, and how each of them ends.
fn run(kind: &str, settings: &str, pieces: &[&[u8]]) -> (Vec<u8>, usize, Vec<Progress>) {
    const MOST: usize = 10_000;
    let library = library(kind, settings);
    let mut decoder = library.decoder().unwrap();
    let mut chunk = vec![0; library.chunk_size];
    let (mut all, mut most, mut ends) = (Vec::new(), 0, Vec::new());
    for bytes in pieces {
        let mut piece = library.piece(Buffer::from(bytes.to_vec()));
        loop {
            let mut out = Buffer::new();
            let progress = decoder.run(&mut piece, &mut chunk, MOST, &mut out);
            most = most.max(out.len());
            all.extend_from_slice(&out.to_bytes());
            if progress != Progress::More {
                ends.push(progress);
                break;
            }
        }
    }
    assert!(
        most <= MOST + library.chunk_size,
        "{kind} {settings}: {most}"
    );
    (all, most, ends)
}

#[test]
fn what_was_put_in_comes_out() {
    let body = [noise(50_000), b"words and words ".repeat(20_000)].concat();
    for (kind, settings) in [
        ("gzip", "{}"),
        ("gzip", "{chunk_size: 65536, max_inflate_ratio: 1032}"),
        ("brotli", "{}"),
        (
            "brotli",
            "{chunk_size: 65536, disable_ring_buffer_reallocation: true}",
        ),
        ("zstd", "{}"),
        ("zstd", "{chunk_size: 4096}"),
    ] {
        let bytes = coded(kind, &body);
        for size in [bytes.len(), 1000] {
            let pieces: Vec<&[u8]> = bytes.chunks(size).collect();
            let (out, most, ends) = run(kind, settings, &pieces);
            // What repeats comes last, so that little becomes much in a small piece.
            if size == bytes.len() {
                assert!(out == body, "{kind} {settings}: {} {ends:?}", out.len());
                assert!(ends.iter().all(|end| *end == Progress::Done), "{ends:?}");
            }
            assert!(most >= 4096);
        }
    }
}

#[test]
fn faults() {
    let text = b"hello decompressed world, ".repeat(40);
    let zeros = vec![0; 300_000];
    let failed = |fault| Progress::Failed(fault);
    for (kind, after_end, junk, made, of_zeros) in [
        ("gzip", Progress::Done, Progress::Done, text.len(), 32_768),
        (
            "brotli",
            failed(Fault::Redundant),
            failed(Fault::Redundant),
            text.len(),
            8192,
        ),
        (
            "zstd",
            Progress::Done,
            failed(Fault::Data),
            2 * text.len(),
            4096,
        ),
    ] {
        let settings = match kind {
            "zstd" => "{chunk_size: 4096}",
            _ => "{}",
        };
        let good = coded(kind, &text);
        let of = |bytes: &[u8]| {
            let (out, _, ends) = run(kind, settings, &[bytes]);
            (out.len(), ends[0])
        };
        assert_eq!(of(b"not coded at all"), (0, failed(Fault::Data)), "{kind}");
        let (cut, end) = of(&good[..good.len() - 3]);
        assert!(cut <= text.len() && end == Progress::Done, "{kind}");
        let twice = of(&[&good[..], &good[..]].concat());
        assert_eq!(twice, (made, after_end), "{kind}");
        let behind = of(&[&good[..], b"garbage behind"].concat());
        assert_eq!(behind, (text.len(), junk), "{kind}");
        let much = of(&coded(kind, &zeros));
        assert_eq!(much, (of_zeros, failed(Fault::Overflow)), "{kind}");
    }
    let mut wrong = coded("gzip", &text);
    let at = wrong.len() - 6;
    wrong[at] ^= 1;
    assert_eq!(run("gzip", "{}", &[&wrong]).2, [failed(Fault::Data)]);
    // A window of 16 MiB is not for HTTP.
    let wide = [0x28, 0xb5, 0x2f, 0xfd, 0, 14 << 3, 1, 0, 0];
    assert_eq!(run("zstd", "{}", &[&wide]).2, [failed(Fault::Data)]);
    let narrow = [0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3, 1, 0, 0];
    assert_eq!(run("zstd", "{}", &[&narrow]).2, [Progress::Done]);
}

#[test]
fn any_bytes() {
    let body = [noise(300), b"words and words ".repeat(100)].concat();
    let mut random = noise(60_000).into_iter();
    let mut next = || usize::from(random.next().unwrap());
    for (kind, _) in KINDS {
        let good = coded(kind, &body);
        for _ in 0..1000 {
            let mut bytes = good.clone();
            for _ in 0..=next() % 4 {
                let at = (next() << 8 | next()) % bytes.len();
                bytes[at] = next() as u8;
            }
            let pieces: Vec<&[u8]> = bytes.chunks(1 + next() * 4).collect();
            let (out, _, ends) = run(kind, "{chunk_size: 4096}", &pieces);
            assert_eq!(ends.len(), pieces.len());
            assert!(out.len() <= 100 * bytes.len() + 8192 * pieces.len());
        }
    }
}

#[test]
fn heads() {
    for (coding, ignores, control, expected) in [
        ("gzip", false, "", Some("")),
        ("GZIP", false, "", Some("")),
        (" gzip ", false, "", Some("")),
        ("gzip,br", false, "", Some("content-encoding=br")),
        (
            "gzip ,  br , zstd",
            false,
            "",
            Some("content-encoding=br , zstd"),
        ),
        ("gzip,", false, "", Some("content-encoding=")),
        ("br, gzip", false, "", None),
        (",gzip", false, "", None),
        ("x-gzip", false, "", None),
        ("gzip;q=1", false, "", None),
        ("", false, "", None),
        ("gzip", false, "no-transform", None),
        ("gzip", false, "max-age=1, No-Transform", None),
        ("gzip", false, "no-transforms", Some("")),
        ("gzip", true, "no-transform", Some("")),
    ] {
        let common = format!("{{common_config: {{ignore_no_transform_header: {ignores}}}}}");
        let filter = format!(
            "{{{}, request_direction_config: {common}, response_direction_config: {common}}}",
            gzip("")
        );
        let fields = [
            ("content-encoding", coding),
            ("cache-control", control),
            ("content-length", "1"),
        ];
        let answer = [&[(":status", "200")], &fields[..]].concat();
        let outcome = Script::new()
            .filter(&Decompressor, &filter)
            .request(&fields)
            .body(&["x"])
            .answer(&answer, &["x"])
            .run();
        for (direction, shown) in [
            ("request", &outcome.upstream),
            ("response", &outcome.downstream),
        ] {
            let case = format!("{coding} {control} {direction}: {shown}");
            let stat = |name: &str| {
                outcome.stat(&format!("http.test.decompressor.l.gzip.{direction}.{name}"))
            };
            let counted = u64::from(expected.is_some());
            assert_eq!(stat("decompressed"), counted, "{case}");
            assert_eq!(stat("not_decompressed"), 1 - counted, "{case}");
            assert_eq!(
                shown.contains("content-length"),
                expected.is_none(),
                "{case}"
            );
            match expected {
                Some("") => assert!(!shown.contains("content-encoding"), "{case}"),
                Some(left) => assert!(shown.contains(left), "{case}"),
                None => assert!(shown.contains("[x]"), "{case}"),
            }
        }
    }
}

#[test]
fn what_upstreams_are_told() {
    for (accept, expected) in [
        (None, "gzip"),
        (Some("br"), "br,gzip"),
        (Some("gzip"), "gzip"),
        (Some("GZIP;q=0.5"), "GZIP;q=0.5,gzip"),
        (Some("gzip ;q=0, br"), "br,gzip"),
        (Some("identity;q=1, *;q=0"), "identity;q=1,*;q=0,gzip"),
        (Some("; q=1, ,br"), "; q=1,br,gzip"),
        (Some(""), "gzip"),
    ] {
        let fields: Vec<_> = accept
            .map(|value| ("accept-encoding", value))
            .into_iter()
            .collect();
        let shown = |more: &str| {
            let script = Script::new().filter(&Decompressor, &format!("{{{}{more}}}", gzip("")));
            script.request(&fields).run().upstream
        };
        let told = format!("accept-encoding={expected}");
        let all = shown("");
        assert!(
            all.ends_with(&told) || all.contains(&format!("{told} ")),
            "{all}"
        );
        let silent = shown(", request_direction_config: {advertise_accept_encoding: false}");
        assert_eq!(
            silent.contains("accept-encoding"),
            accept.is_some(),
            "{silent}"
        );
    }
}

/// Bodies that a compressor makes on the way to this filter.
fn roundtrip(kind: &str, settings: &str, flags: &[&str], body: &'static str) -> Outcome {
    let directions = ["request", "response"].map(|direction| {
        format!(
            "{direction}_direction_config: {{common_config: {{enabled: {{default_value: true, \
             runtime_key: {direction}}}}}}}"
        )
    });
    let directions = directions.join(", ");
    let compressor = format!("{{{}, {directions}}}", extension("compressor", kind, ""));
    let library = extension("decompressor", kind, settings);
    let decompressor = format!("{{{library}, {directions}}}");
    let of_requests = compressor.replace("runtime_key: response", "runtime_key: never");
    let of_responses = compressor.replace("runtime_key: request", "runtime_key: never");
    let mut script = Script::new()
        .named_filter::<Compressor>("a", &of_requests, false)
        .named_filter::<Decompressor>("b", &decompressor, false)
        .named_filter::<Compressor>("c", &of_responses, false)
        .flag("never", FlagValue::Bool(false))
        .request(&[(":method", "POST")])
        .body(&[body, body])
        .answer(&[(":status", "200")], &[body, body]);
    for flag in flags {
        script = script.flag(flag, FlagValue::Bool(false));
    }
    script.run()
}

#[test]
fn messages_in_pieces() {
    let body = "some words that come again, some words that come again ";
    for (kind, coding) in [("gzip", "gzip"), ("brotli", "br"), ("zstd", "zstd")] {
        let outcome = roundtrip(kind, "", &[], body);
        let stat = |name: &str| outcome.stat(&format!("http.test.decompressor.l.{kind}.{name}"));
        let made = 2 * body.len() as u64;
        for (direction, shown) in [
            ("request", &outcome.upstream),
            ("response", &outcome.downstream),
        ] {
            assert!(!shown.contains("content-encoding"), "{shown}");
            let came = stat(&format!("{direction}.total_compressed_bytes"));
            assert!(came > 0 && came < made, "{kind} {direction}: {came}");
            let told = format!(
                "x-envoy-decompressor-l-compressed-bytes={came} \
                 x-envoy-decompressor-l-uncompressed-bytes={made}"
            );
            assert!(shown.contains(&told), "{kind} {direction}: {shown}");
            assert_eq!(stat(&format!("{direction}.total_uncompressed_bytes")), made);
        }
        assert!(
            outcome
                .upstream
                .contains(&format!("accept-encoding={coding}"))
        );
        let off = roundtrip(kind, "", &["request", "response"], body);
        assert!(
            !off.upstream.contains("accept-encoding"),
            "{}",
            off.upstream
        );
        assert!(off.downstream.contains(body), "{}", off.downstream);
    }
}

#[test]
fn what_grows_much_goes_out_in_turns() {
    let body: &'static str = Box::leak("0123456789abcdef".repeat(40_000).into_boxed_str());
    for (kind, settings, whole) in [
        ("gzip", ", max_inflate_ratio: 1032", true),
        ("gzip", ", max_inflate_ratio: 10", false),
        ("brotli", "", false),
    ] {
        let outcome = roundtrip(kind, settings, &[], body);
        let most = outcome.pieces.iter().max().unwrap();
        assert!(*most <= 128 * 1024 + 4096, "{kind}: {:?}", outcome.pieces);
        let made: usize = outcome.pieces.iter().sum();
        assert_eq!(
            made == 2 * body.len(),
            whole,
            "{kind}: {:?}",
            outcome.pieces
        );
        let end = format!("x-envoy-decompressor-l-uncompressed-bytes={made}");
        assert!(outcome.downstream.ends_with(&end), "{kind} {made}");
        assert!(outcome.upstream.contains("uncompressed-bytes="), "{kind}");
        let errors = match kind {
            "gzip" => "zlib_data_error",
            _ => "brotli_output_overflow",
        };
        let stat = format!("http.test.decompressor.l.{kind}.decompressor_library.{errors}");
        assert_eq!(outcome.stat(&stat) == 0, whole, "{kind}");
    }
}

#[test]
fn what_is_refused() {
    for (yaml, expected) in [
        ("{}".to_owned(), "decompressor_library"),
        (
            format!(
                "{{{}}}",
                extension(
                    "decompressor",
                    "zstd",
                    ", dictionaries: [{inline_string: a}]"
                )
            ),
            "dictionaries is not supported by this build",
        ),
        (format!("{{{}}}", gzip(", chunk_size: 100")), "chunk_size"),
        (
            format!("{{{}}}", gzip(", max_inflate_ratio: 1033")),
            "max_inflate_ratio",
        ),
        (
            "{decompressor_library: {name: x, typed_config: {'@type': \
             type.googleapis.com/google.protobuf.Duration}}}"
                .to_owned(),
            "Didn't find a registered implementation for 'x'",
        ),
    ] {
        let errors = errors(&Decompressor, &yaml);
        assert!(errors.contains(expected), "{yaml}: {errors}");
    }
    let error = route_errors(&Decompressor, &format!("{{{}}}", gzip("")));
    assert!(
        error.contains("doesn't support virtual host or route"),
        "{error}"
    );
}
