//! What must hold for any bytes, as functions of bytes alone: for fuzzers and for the tests.
//!
//! No panic; the same events and the same answer however the bytes are cut; fields that were
//! decoded and encoded again are the same. Built for tests and with the feature `fuzz`.

use super::hpack::{Decoder, Encoder, Field, Fields};
use super::{ErrorCode, H2Connection, H2Event, H2Local, H2Settings, H2Stats, PREFACE};
use crate::{End, Frame, HeaderPool};
use bytes::Bytes;
use nuncio_base::{Buffer, HeaderMap, Known, names};
use nuncio_stats::Store;
use std::rc::Rc;
use std::sync::Arc;

thread_local! {
    /// Made once: a store costs more than most inputs.
    static STATS: H2Stats = {
        let store = Store::new(nuncio_stats::StatsConfig::default());
        store.scope("http2").group::<H2Stats>().local()
    };
}

/// SETTINGS without an entry.
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

#[derive(Default, PartialEq, Debug)]
struct Listed(Vec<(Vec<u8>, Vec<u8>)>);

impl Fields for Listed {
    fn field(&mut self, field: Field<'_>) -> bool {
        let Field {
            known, name, value, ..
        } = field;
        assert_eq!(known, Known::find(name));
        // A block may refer to a long field often.
        if self.0.len() < 256 {
            self.0.push((name.to_vec(), value.to_vec()));
        }
        true
    }
}

/// Decodes `data` as header blocks, each behind its length; the first byte says how large tables
/// are.
pub fn check_hpack(data: &[u8]) {
    let Some((&size, mut rest)) = data.split_first() else {
        return;
    };
    let size = usize::from(size) * 16;
    let mut decoder = Decoder::new(size);
    let (mut encoder, mut again) = (Encoder::new(size, true), Decoder::new(4096));
    while let Some((&len, behind)) = rest.split_first() {
        let (block, behind) = behind.split_at(behind.len().min(len.into()));
        rest = behind;
        let mut fields = Listed::default();
        if decoder.decode(block, &mut fields).is_err() {
            return;
        }
        encoder.begin();
        for (name, value) in &fields.0 {
            encoder.field(Known::find(name), name, value);
        }
        let mut decoded = Listed::default();
        let result = again.decode(encoder.block(), &mut decoded);
        assert_eq!(result, Ok(()), "what was encoded");
        assert_eq!(decoded, fields);
    }
}

/// Runs a server over `data`: its first two bytes choose settings and a cut, the rest is received
/// behind the preface.
pub fn check_server(data: &[u8]) {
    let Some(([choice, cut], bytes)) = data.split_first_chunk() else {
        return;
    };
    let settings = H2Settings {
        max_concurrent_streams: 4,
        allow_connect: choice & 1 == 1,
        stream_error_on_invalid_message: choice & 2 == 2,
        initial_stream_window: if choice & 4 == 4 { 65_535 } else { 1 << 24 },
        hpack_table_size: if choice & 8 == 8 { 0 } else { 4096 },
        max_headers_kb: 1,
        max_headers_count: 8,
        ..H2Settings::default()
    };
    let settings = Arc::new(settings);
    let input: Vec<u8> = [&PREFACE[..], &SETTINGS, bytes].concat();
    let cut = input.len() - usize::from(*cut).min(bytes.len());
    let whole = run(&settings, &[&input]);
    let (before, behind) = input.split_at(cut);
    assert_eq!(run(&settings, &[before, behind]), whole);
    let single: Vec<_> = input.chunks(1).collect();
    assert_eq!(run(&settings, &single), whole);
}

/// What a server does with pieces of input, when every request is answered at its head: the
/// events, data joined, and everything that was written.
fn run(settings: &Arc<H2Settings>, pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
    let local = Rc::new(H2Local {
        settings: Arc::clone(settings),
        stats: STATS.with(Clone::clone),
    });
    let mut pool = HeaderPool::default();
    let mut server = H2Connection::server(&local);
    let mut input = Bytes::new();
    let mut told = Vec::new();
    for piece in pieces {
        input = [&input, *piece].concat().into();
        loop {
            let event = server.next(&mut input, &mut pool);
            match event {
                Ok(Some(event)) => {
                    answer(&mut server, &event);
                    tell(&mut told, &event);
                }
                Ok(None) => break,
                Err(error) => told.push(format!("{error:?}")),
            }
        }
        server.rest();
    }
    let mut out = Buffer::new();
    server.take_output(&mut out, usize::MAX);
    (told, out.to_bytes().to_vec())
}

/// Runs a client over `data`: its first two bytes choose settings and a cut, the rest is received
/// behind the server's SETTINGS, with four requests under way.
pub fn check_client(data: &[u8]) {
    let Some(([choice, cut], bytes)) = data.split_first_chunk() else {
        return;
    };
    let settings = H2Settings {
        stream_error_on_invalid_message: choice & 2 == 2,
        initial_stream_window: if choice & 4 == 4 { 65_535 } else { 1 << 24 },
        hpack_table_size: if choice & 8 == 8 { 0 } else { 4096 },
        max_headers_kb: 1,
        max_headers_count: 8,
        ..H2Settings::default()
    };
    let settings = Arc::new(settings);
    let input: Vec<u8> = [&SETTINGS, bytes].concat();
    let cut = input.len() - usize::from(*cut).min(bytes.len());
    let whole = run_client(&settings, &[&input]);
    let (before, behind) = input.split_at(cut);
    assert_eq!(run_client(&settings, &[before, behind]), whole);
    let single: Vec<_> = input.chunks(1).collect();
    assert_eq!(run_client(&settings, &single), whole);
}

/// What a client makes of pieces of input: the events, data joined, and everything written.
fn run_client(settings: &Arc<H2Settings>, pieces: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
    let local = Rc::new(H2Local {
        settings: Arc::clone(settings),
        stats: STATS.with(Clone::clone),
    });
    let mut pool = HeaderPool::default();
    let mut client = H2Connection::client(&local);
    for (method, upgrade) in [
        ("GET", ""),
        ("HEAD", ""),
        ("POST", ""),
        ("GET", "websocket"),
    ] {
        let mut request = HeaderMap::from_iter([
            (":method", method),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", "/"),
        ]);
        if !upgrade.is_empty() {
            request.append(names::CONNECTION, b"upgrade");
            request.append(names::UPGRADE, upgrade.as_bytes());
        }
        let end = End::when(method != "POST" && upgrade.is_empty());
        let opened = client.open(&request, end);
        if let (Some(id), End::No) = (opened, end) {
            client.send_data(id, Buffer::from(vec![b'a'; 70_000]), End::No);
        }
    }
    let mut input = Bytes::new();
    let mut told = Vec::new();
    for piece in pieces {
        input = [&input, *piece].concat().into();
        loop {
            match client.next(&mut input, &mut pool) {
                Ok(Some(event)) => tell(&mut told, &event),
                Ok(None) => break,
                Err(error) => told.push(format!("{error:?}")),
            }
        }
        client.rest();
    }
    let mut out = Buffer::new();
    client.take_output(&mut out, usize::MAX);
    (told, out.to_bytes().to_vec())
}

fn answer(server: &mut H2Connection, event: &H2Event) {
    let H2Event::Frame(id, Frame::Headers(head, _)) = event else {
        return;
    };
    let mut response = HeaderMap::new();
    response.append(names::STATUS, b"200");
    response.append("x-path", head.get(names::PATH).unwrap_or_default());
    match id / 2 % 3 {
        0 => server.send_head(*id, &response, End::Stream),
        1 => {
            server.send_head(*id, &response, End::No);
            server.send_data(*id, Buffer::from(vec![b'a'; 70_000]), End::Stream);
            server.end_early(*id);
        }
        _ => server.reset(*id, ErrorCode::INTERNAL),
    }
}

fn tell(told: &mut Vec<String>, event: &H2Event) {
    if let H2Event::Frame(id, Frame::Data(data, end)) = event {
        let text = data.to_bytes();
        let begin = format!("{id} data ");
        let end = if end.is_end() { " end" } else { "" };
        match told.last_mut() {
            Some(last) if last.starts_with(&begin) && !last.ends_with(" end") => {
                last.push_str(&format!("{}{end}", text.escape_ascii()));
            }
            _ => told.push(format!("{begin}{}{end}", text.escape_ascii())),
        }
        return;
    }
    told.push(format!("{event:?}"));
}
