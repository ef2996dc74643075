//! The codec, driven by frames: what is received, what comes of it, what is sent.

mod client;
mod frames;
mod messages;
mod sending;

use super::frame::{FrameHeader, HEADER_LEN, kind};
use super::hpack::{Decoder, Encoder, Field, Fields};
use super::*;
use crate::{Frame, HeaderPool};
use bytes::Bytes;
use nuncio_base::{Buffer, HeaderMap, Known};
use nuncio_stats::Store;
use std::rc::Rc;
use std::sync::Arc;

/// A frame's bytes.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let header = FrameHeader {
        len: payload.len(),
        kind,
        flags,
        stream,
    };
    [&header.bytes()[..], payload].concat()
}

/// A header block of `name: value` lines that refers to no dynamic table.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut encoder = Encoder::new(0, true);
    for (name, value) in fields {
        let name = name.as_bytes();
        encoder.field(Known::find(name), name, value.as_bytes());
    }
    encoder.block().to_vec()
}

const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
];

const POST: [(&str, &str); 4] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":authority", "a"),
    (":path", "/"),
];

fn headers(stream: u32, end: bool, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(kind::HEADERS, 4 | u8::from(end), stream, &block(fields))
}

/// A server, and a client's part of its connection.
struct Server {
    codec: H2Connection,
    pool: HeaderPool,
    input: Bytes,
    decoder: Decoder,
}

impl Server {
    fn new(settings: H2Settings) -> Self {
        let store = Store::new(nuncio_stats::StatsConfig::default());
        let local = Rc::new(H2Local {
            settings: Arc::new(settings),
            stats: store.scope("http2").group::<H2Stats>().local(),
        });
        Self {
            codec: H2Connection::server(&local),
            pool: HeaderPool::default(),
            input: Bytes::new(),
            decoder: Decoder::new(4096),
        }
    }

    /// A server that has shaken hands; `settings` are the client's.
    fn ready(settings: H2Settings, of_client: &[u8]) -> Self {
        let mut server = Self::new(settings);
        let hello = [&PREFACE[..], &frame(kind::SETTINGS, 0, 0, of_client)].concat();
        assert_eq!(server.receive(&hello), "");
        server.sent();
        server
    }

    /// Receives bytes; what came of them, one event a line.
    fn receive(&mut self, bytes: &[u8]) -> String {
        self.input = [&self.input, bytes].concat().into();
        let mut told = Vec::new();
        loop {
            match self.codec.next(&mut self.input, &mut self.pool) {
                Ok(Some(event)) => told.push(text(&event)),
                Ok(None) => {
                    self.codec.rest();
                    return told.join("\n");
                }
                Err(error) => {
                    let code = error.code.map_or(-1, |code| i64::from(code.0));
                    let of_stream = error.stream.map_or("", |(_, details)| details);
                    told.push(format!(
                        "error {code} {}{of_stream}",
                        if error.is_flood { error.details } else { "" }
                    ));
                }
            }
        }
    }

    /// What was sent since, one frame a line.
    fn sent(&mut self) -> String {
        let mut out = Buffer::new();
        self.codec.take_output(&mut out, usize::MAX);
        let bytes = out.to_bytes();
        lines(&bytes, &mut self.decoder)
    }
}

/// Frames that were sent, one a line.
fn lines(bytes: &[u8], decoder: &mut Decoder) -> String {
    let mut rest = bytes;
    let mut lines = Vec::new();
    while let Some(header) = FrameHeader::parse(rest) {
        let payload = &rest[HEADER_LEN..HEADER_LEN + header.len];
        lines.push(line(decoder, &header, payload));
        rest = &rest[HEADER_LEN + header.len..];
    }
    assert!(rest.is_empty());
    lines.join("\n")
}

fn line(decoder: &mut Decoder, header: &FrameHeader, payload: &[u8]) -> String {
    let id = header.stream;
    let number = |at: usize| {
        let bytes = payload[at..at + 4].try_into().unwrap();
        u32::from_be_bytes(bytes)
    };
    let end = if header.flags & 1 == 1 { " end" } else { "" };
    match header.kind {
        kind::DATA if payload.len() > 32 => format!("{id} DATA {} bytes{end}", payload.len()),
        kind::DATA => format!("{id} DATA {}{end}", payload.escape_ascii()),
        kind::HEADERS => {
            let mut map = Listed::default();
            decoder.decode(payload, &mut map).unwrap();
            format!("{id} HEADERS {}{end}", map.0)
        }
        kind::RST_STREAM => format!("{id} RST {}", number(0)),
        kind::GOAWAY => format!("GOAWAY {} {}", number(0), number(4)),
        kind::WINDOW_UPDATE => format!("{id} WINDOW {}", number(0)),
        kind::PING => format!("PING {}", header.flags),
        kind::SETTINGS => format!("SETTINGS {} {}", header.flags, payload.len() / 6),
        other => format!("{id} kind {other}"),
    }
}

#[derive(Default)]
struct Listed(String);

impl Fields for Listed {
    fn field(&mut self, field: Field<'_>) -> bool {
        self.add(field.name, field.value);
        true
    }
}

impl Listed {
    fn add(&mut self, name: &[u8], value: &[u8]) {
        let space = if self.0.is_empty() { "" } else { " " };
        let field = format!("{space}{}={}", name.escape_ascii(), value.escape_ascii());
        self.0.push_str(&field);
    }
}

fn fields(map: &HeaderMap) -> String {
    let mut listed = Listed::default();
    map.iter().for_each(|(name, value)| listed.add(name, value));
    listed.0
}

fn text(event: &H2Event) -> String {
    let end = |end: &crate::End| if end.is_end() { " end" } else { "" };
    match event {
        H2Event::Frame(id, Frame::Headers(map, e)) => {
            format!("{id} headers {}{}", fields(map), end(e))
        }
        H2Event::Frame(id, Frame::Data(data, e)) => {
            format!("{id} data {}{}", data.to_bytes().escape_ascii(), end(e))
        }
        H2Event::Frame(id, Frame::Trailers(map)) => format!("{id} trailers {}", fields(map)),
        H2Event::Reset {
            stream, details, ..
        } => format!("{stream} reset {details}"),
        other => format!("{other:?}"),
    }
}
