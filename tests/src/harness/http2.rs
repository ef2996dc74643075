//! HTTP/2 as a test reads and writes it: frame by frame, and from either side.

use super::{Connection, Proxy};
use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;

/// The kinds of frames.
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
    pub const METADATA: u8 = 0x4d;
}

/// Flags: a head or data that ends its stream.
pub const END_STREAM: u8 = 1;
/// Flags: a head that is whole.
pub const END_HEADERS: u8 = 4;
/// Flags of a request without body.
pub const WHOLE: u8 = END_HEADERS | END_STREAM;
/// The names of settings.
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;

/// A frame: kind, flags, stream and payload.
pub type Frame = (u8, u8, u32, Vec<u8>);

const PREFACE: &str = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One side of an HTTP/2 connection.
pub struct Http2(pub Connection);

impl Http2 {
    /// A client of the listener `main`.
    pub fn open(proxy: &Proxy) -> Self {
        Self::open_with(proxy.connect(), &[])
    }

    /// A client with settings of its own.
    pub fn open_with(connection: Connection, settings: &[(u16, u32)]) -> Self {
        let mut client = Self(connection);
        client.0.send(PREFACE);
        client.0.send(self::settings(settings));
        client
    }

    /// An upstream's side of what a proxy has connected to it; none if it isn't HTTP/2.
    pub fn serve(stream: TcpStream, settings: &[(u16, u32)]) -> Option<Self> {
        let mut server = Self(Connection::of(stream));
        let preface = server.0.try_read(PREFACE.len()).ok()?;
        server.0.try_send(self::settings(settings)).ok()?;
        (preface == PREFACE.as_bytes()).then_some(server)
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.0.send(frame(kind, flags, stream, payload));
    }

    /// Sends a frame to a peer that may have closed.
    pub fn try_send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        let frame = frame(kind, flags, stream, payload);
        self.0.try_send(frame).is_ok()
    }

    /// Sends a GET for a path.
    pub fn get(&mut self, stream: u32, path: &str) {
        self.send(kind::HEADERS, WHOLE, stream, &get(path));
    }

    /// The next frame; SETTINGS and windows are passed over.
    pub fn next(&mut self) -> Frame {
        self.try_next().unwrap()
    }

    /// The next frame of a peer that may have closed.
    pub fn try_next(&mut self) -> io::Result<Frame> {
        loop {
            let head = self.0.try_read(9)?;
            let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | u32::from(*byte));
            let payload = self.0.try_read(number(&head[..3]) as usize)?;
            if ![kind::SETTINGS, kind::WINDOW_UPDATE].contains(&head[3]) {
                return Ok((head[3], head[4], number(&head[5..]), payload));
            }
        }
    }

    /// The next frame of a kind; none if the peer closes before.
    pub fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.try_next().ok()?;
            if frame.0 == kind {
                return Some(frame);
            }
        }
    }

    /// The streams and bodies of the next responses, in the order in which they end.
    pub fn responses(&mut self, count: usize) -> Vec<(u32, String)> {
        let mut bodies = BTreeMap::<u32, Vec<u8>>::new();
        let mut ended = Vec::new();
        while ended.len() < count {
            let (kind, flags, stream, payload) = self.next();
            match kind {
                kind::HEADERS => drop(bodies.entry(stream).or_default()),
                kind::DATA => bodies.get_mut(&stream).unwrap().extend(payload),
                other => panic!("a frame of kind {other}: {payload:?}"),
            }
            if flags & END_STREAM != 0 {
                let body = bodies.remove(&stream).unwrap();
                ended.push((stream, String::from_utf8(body).unwrap()));
            }
        }
        ended
    }

    /// The next response.
    pub fn response(&mut self) -> (u32, String) {
        self.responses(1).remove(0)
    }
}

/// A frame's bytes.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A SETTINGS frame.
pub fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let entry =
        |(name, value): &(u16, u32)| [&name.to_be_bytes()[..], &value.to_be_bytes()[..]].concat();
    let payload: Vec<u8> = settings.iter().flat_map(entry).collect();
    frame(kind::SETTINGS, 0, 0, &payload)
}

/// The header block of a GET.
pub fn get(path: &str) -> Vec<u8> {
    request("GET", path, &[])
}

/// The header block of a request.
pub fn request(method: &str, path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let head = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "a.test"),
        (":path", path),
    ];
    [block(&head), block(more)].concat()
}

/// A header block of fields that go into no table.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = fields.iter().map(|(name, value)| literal(0, name, value));
    fields.flatten().collect()
}

/// A field whose name is spelt out; `pattern` is 0x40 where it goes into the table.
pub fn literal(pattern: u8, name: &str, value: &str) -> Vec<u8> {
    [vec![pattern], text(name), text(value)].concat()
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    if text.len() < 127 {
        bytes.push(text.len() as u8);
    } else {
        bytes.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            bytes.push(rest as u8 | 128);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
