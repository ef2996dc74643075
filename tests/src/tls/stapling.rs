//! OCSP responses: shown while they are good, and what becomes of certificates without.

use super::authority::Authority;
use super::client::Client;
use super::server::tls;
use crate::harness::{Config, Proxy, network_filter};
use serde_json::{Value, json};

/// A value in DER.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head: &[u8] = if length < 0x80 {
        &[tag, length]
    } else {
        &[tag, 0x81, length]
    };
    [head, content].concat()
}

/// An OCSP response for certificate number 7, which nobody signed.
fn response(next_update: &str) -> Value {
    let id = [
        value(0x30, &value(6, &[0x2b])),
        value(4, &[1]),
        value(4, &[2]),
        value(2, &[7]),
    ];
    let single = [
        value(0x30, &id.concat()),
        value(0x80, &[]),
        value(0x18, b"20200101000000Z"),
        value(0xa0, &value(0x18, next_update.as_bytes())),
    ];
    let data = [
        value(0xa1, &value(0x30, &[])),
        value(0x18, b"20200101000000Z"),
        value(0x30, &value(0x30, &single.concat())),
    ];
    let basic = value(0x30, &value(0x30, &data.concat()));
    let bytes = [
        value(6, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]),
        value(4, &basic),
    ]
    .concat();
    let whole = [value(10, &[0]), value(0xa0, &value(0x30, &bytes))].concat();
    json!({"inline_bytes": base64(&value(0x30, &whole))})
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(*chunk.get(at).unwrap_or(&0))
        });
        for at in 0..4 {
            let digit = char::from(DIGITS[bits >> (18 - 6 * at) & 63]);
            text.push(if at <= chunk.len() { digit } else { '=' });
        }
    }
    text
}

fn start(authority: &Authority, next_update: &str, policy: &str) -> Proxy {
    let identity = authority.sign_as("a.test", |params| {
        params.serial_number = Some(7_u64.into());
    });
    let mut certificate = identity.json();
    certificate["ocsp_staple"] = response(next_update);
    let common = json!({"tls_certificates": [certificate]});
    Config::tcp(network_filter("echo", "echo.v3.Echo", json!({})))
        .transport_socket(tls(common, json!({"ocsp_staple_policy": policy})))
        .listener_log("%DOWNSTREAM_TRANSPORT_FAILURE_REASON%")
        .start()
}

#[test]
fn responses_are_shown_while_they_are_good() {
    const GOOD: &str = "20990101000000Z";
    const OLD: &str = "20200102000000Z";
    let authority = Authority::new("authority");
    let client = Client::new(&authority, None);
    // This client always asks.
    for (next_update, policy, counted) in [
        (GOOD, "MUST_STAPLE", "responses"),
        (OLD, "LENIENT_STAPLING", "omitted"),
        (OLD, "STRICT_STAPLING", "failed"),
        (OLD, "MUST_STAPLE", "failed"),
    ] {
        let proxy = start(&authority, next_update, policy);
        let connected = client.connect(proxy.listener("main"), "a.test");
        let stat = |name: &str| proxy.stat(&format!("listener.127.0.0.1_0.ssl.{name}"));
        assert_eq!(stat("ocsp_staple_requests"), 1, "{policy}");
        assert_eq!(stat(&format!("ocsp_staple_{counted}")), 1, "{policy}");
        let failed = counted == "failed";
        assert_eq!(connected.is_err(), failed, "{policy}");
        assert_eq!(stat("connection_error"), u64::from(failed));
        drop(connected);
        let reason = proxy.access_log(1).remove(0);
        assert_eq!(reason.contains("CONNECTION_REJECTED"), failed, "{reason}");
    }
}
