//! Mutated configs in every format, with a printed seed: nothing may panic or hang, and what loads
//! must decode, print, and load again.
#![allow(clippy::unwrap_used)] // tests, helpers included

use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::{Format, Options, json, load};

const YAML: &str = r#"
!ignore defaults: &timeout 5s
node: {id: a, cluster: b, metadata: {list: [1, null, 2.5, "x"], deep: {a: {b: yes}}}}
stats_flush_interval: *timeout
layered_runtime: {layers: [{name: s, static_layer: {a: 1.5}}]}
static_resources:
  clusters:
  - {name: c, connect_timeout: 0.25s, type: strict_dns, lbPolicy: RANDOM, per_connection_buffer_limit_bytes: "1024"}
  secrets: {name: s, generic_secret: {secret: {inline_bytes: "YWJj"}}}
  listeners:
  - name: l
    address: {socket_address: {address: 127.0.0.1, port_value: 0x10}}
    filter_chains:
    - filters:
      - name: h
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: a
          route_config: {virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /}, direct_response: {status: 200}}]}]}
          http_filters:
          - name: b
            typed_config: {"@type": type.googleapis.com/xds.type.v3.TypedStruct, type_url: a/envoy.extensions.filters.http.buffer.v3.Buffer, value: {max_request_bytes: 5}}
          - {name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
"#;

const TEXT_PROTO: &str = r#"
node { id: "a\n\101" cluster: 'b' } # comment
static_resources < clusters { name: "c" connect_timeout { nanos: 250000000 } lb_policy: RANDOM
  metadata { filter_metadata { key: "k" value { fields { key: "a" value { number_value: -1.5 } } } } } } >
"#;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// Pieces that mean something to one of the parsers.
const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\"",
    b"'",
    b"\n",
    b"  ",
    b"- ",
    b"&a ",
    b"*a",
    b"null",
    b"~",
    b"1e999",
    b"-0",
    b"0x",
    b"NaN",
    b"\\u",
    b"\xff",
    b"\xe2\x80\xa8",
    b"@type",
    b"!ignore ",
    b"<<",
    b"#",
    b"|",
    b">",
    b"? ",
    b"---",
    b"%",
    b"9999999999999999999",
    b"\x0a\x80",
    b"\x00",
    b"\t",
];

fn mutate(seed: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = seed.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(out.len());
        let len = random.below(30).min(out.len() - at);
        match random.below(5) {
            0 => drop(out.drain(at..at + len)),
            1 => {
                let piece = PIECES[random.below(PIECES.len())];
                out.splice(at..at, piece.iter().copied());
            }
            2 => {
                let copied = out[at..at + len].to_vec();
                let to = random.below(out.len());
                out.splice(to..to, copied);
            }
            3 if len > 0 => out[at] = random.below(256) as u8,
            _ => out.truncate(out.len() - random.below(out.len().min(20))),
        }
    }
    out
}

#[test]
fn mutated_configs_never_panic() {
    let message = load::message_of::<Bootstrap>().unwrap();
    let options = Options::default();
    let good = load::text("f", YAML, Format::Yaml, message, &options).unwrap();
    let as_json = json::print(&good.bytes, message, &json::Options::default());
    let again = load::text("f", &as_json, Format::Json, message, &options).unwrap();
    assert_eq!(
        json::print(&again.bytes, message, &json::Options::default()),
        as_json
    );
    load::text("f", TEXT_PROTO, Format::TextProto, message, &options).unwrap();

    let seeds: [(Format, &[u8]); 4] = [
        (Format::Yaml, YAML.as_bytes()),
        (Format::Json, as_json.as_bytes()),
        (Format::Binary, &good.bytes),
        (Format::TextProto, TEXT_PROTO.as_bytes()),
    ];
    let seed = std::env::var("NUNCIO_FUZZ_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let rounds = std::env::var("NUNCIO_FUZZ_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok());
    let seed: u64 = seed.unwrap_or(0x5eed);
    println!("seed {seed}");
    let mut random = Random(seed);
    let mut loaded = 0;
    for round in 0..rounds.unwrap_or(3000) {
        let (format, text) = seeds[round % seeds.len()];
        let mutant = mutate(text, &mut random);
        let Ok(config) = load::read("f", mutant, format, message, &options).check() else {
            continue;
        };
        loaded += 1;
        let printed = json::print(&config.bytes, message, &json::Options::default());
        let redact = json::Options {
            redact: true,
            always_print: true,
            compact: true,
        };
        json::print(&config.bytes, message, &redact);
        // As in Envoy, an Any of an unknown type counts only where it is used.
        if format != Format::Binary && config.decode::<Bootstrap>().is_ok() {
            let again = load::text("f", &printed, Format::Json, message, &options);
            assert!(again.is_ok(), "{printed}\n{}", again.unwrap_err());
        }
    }
    assert!(loaded > 50, "only {loaded} mutants loaded");
}
