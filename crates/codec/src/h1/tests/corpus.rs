//! Odd requests of other projects' test data, beside what Envoy 1.40 did with them: nothing may
//! be let through that Envoy refused, nothing valid refused. Runs where that data is at hand, in
//! `shared/malformed` of a folder above this one.

use super::super::fuzz::{Message, requests};
use super::super::{H1Error, H1Settings};
use std::path::{Path, PathBuf};

fn folder() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = here.ancestors().map(|above| above.join("shared/malformed"));
    let mut folders = folders.filter(|folder| folder.join("requests.jsonl").exists());
    folders.next()
}

/// A string field of a line of JSON; its characters are bytes.
fn field(line: &str, name: &str) -> Vec<u8> {
    let start = format!("\"{name}\": \"");
    let at = line.find(&start).expect("the field is there") + start.len();
    let mut chars = line[at..].chars();
    let mut bytes = Vec::new();
    loop {
        let char = match chars.next().expect("the string ends") {
            '"' => return bytes,
            '\\' => match chars.next().expect("an escape has a letter") {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                }
                other => other,
            },
            char => char,
        };
        bytes.push(u8::try_from(char).expect("a character is a byte"));
    }
}

/// Whether the connection manager would forward it: Envoy's refuses the rest.
fn is_forwardable(message: &Message) -> bool {
    let Some(head) = &message.head else {
        return false;
    };
    let path = head
        .split(' ')
        .find_map(|field| field.strip_prefix(":path="));
    head.contains(":authority=")
        && path.is_some_and(|path| path.starts_with('/') && !path.contains('#'))
        && !head.contains("upgrade=")
}

#[test]
fn nothing_is_looser_than_envoy_and_nothing_valid_refused() {
    let Some(folder) = folder() else {
        return;
    };
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
    let (cases, golden) = (read("requests.jsonl"), read("envoy.jsonl"));
    let settings = H1Settings::default();
    let mut count = 0;
    let mut wrong = Vec::new();
    for (case, golden) in cases.lines().zip(golden.lines()) {
        count += 1;
        let request = field(case, "req");
        let by_envoy = field(golden, "fwd");
        let by_envoy = by_envoy
            .windows(11)
            .filter(|window| window == b" HTTP/1.1\r\n")
            .count();
        let (messages, error) = requests(&settings, &[&request]);
        // Of a head whose body is refused in the same read, nothing need have been forwarded.
        let counts =
            |message: &&Message| is_forwardable(message) && (message.ended || error.is_none());
        let by_us = messages.iter().filter(counts).count();
        let is_looser = by_us > by_envoy;
        let is_valid = case.ends_with("\"note\": \"accept\"}") && !case.contains("http-garden");
        if is_looser || (is_valid && by_us == 0 && by_envoy > 0) {
            let details = error.map(|error: H1Error| error.details);
            wrong.push(format!("{by_us} {by_envoy} {details:?} {case}"));
        }
    }
    assert!(
        count > 300 && wrong.is_empty(),
        "{count}: {}",
        wrong.join("\n")
    );
}
