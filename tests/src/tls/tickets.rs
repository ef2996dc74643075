//! Sessions that are resumed by tickets, and where they are not.

use super::authority::Authority;
use super::client::Client;
use super::server::tls;
use crate::harness::{Config, Proxy, direct};
use rustls::HandshakeKind;
use serde_json::{Value, json};

/// Eighty bytes.
const KEY: &str =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str =
    "X123456789abcdefX123456789abcdefX123456789abcdefX123456789abcdefX123456789abcdef";

fn serve(common: &Value, fields: Value) -> Proxy {
    Config::http(&[direct("/", 200, "secret")])
        .transport_socket(tls(common.clone(), fields))
        .start()
}

fn keys(keys: &[&str]) -> Value {
    let keys = keys.iter().map(|key| json!({"inline_string": key}));
    json!({"session_ticket_keys": {"keys": keys.collect::<Vec<_>>()}})
}

#[test]
fn tickets_are_taken_up_where_keys_and_trust_are_the_same() {
    let authority = Authority::new("authority");
    let plain = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let mut trusting = plain.clone();
    trusting["validation_context"] = json!({"trusted_ca": {"inline_string": authority.pem}});
    let first = serve(&plain, keys(&[KEY]));
    let no_tickets = json!({"disable_stateless_session_resumption": true});
    let cases = [
        (&plain, keys(&[OTHER, KEY]), HandshakeKind::Resumed),
        (&plain, keys(&[OTHER]), HandshakeKind::Full),
        (&trusting, keys(&[KEY]), HandshakeKind::Full),
        (&plain, json!({}), HandshakeKind::Full),
        (&plain, no_tickets, HandshakeKind::Full),
    ];
    for (common, fields, expected) in cases {
        let other = serve(common, fields.clone());
        let client = Client::new(&authority, None);
        for (proxy, expected) in [(&first, HandshakeKind::Full), (&other, expected)] {
            let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
            assert_eq!(connection.get("/").unwrap().status, 200);
            let kind = connection.connection().handshake_kind();
            assert_eq!(kind, Some(expected), "{fields}");
        }
    }
}

#[test]
fn sessions_end() {
    let authority = Authority::new("authority");
    let plain = json!({"tls_certificates": [authority.sign("a.test").json()]});
    let proxy = serve(&plain, json!({"session_timeout": "0s"}));
    let client = Client::new(&authority, None);
    for _ in 0..2 {
        let mut connection = client.connect(proxy.listener("main"), "a.test").unwrap();
        assert_eq!(connection.get("/").unwrap().status, 200);
        let kind = connection.connection().handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
        // Sessions count their seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
    }
}
