//! What must hold for any bytes, as functions of bytes alone: for fuzzers and for the tests.
//!
//! No panic; the same frames, or the same error, however the bytes are cut; what was read and
//! written again reads the same. Built for tests and with the feature `fuzz`.

use super::{H1Client, H1Error, H1Server, H1Settings, UnderscoresAction};
use crate::{End, Frame, HeaderPool};
use bytes::{Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap};

/// Runs a server over `data`: its first two bytes choose settings and a cut, the rest is received.
pub fn check_server(data: &[u8]) {
    let Some((settings, cut, bytes)) = split(data) else {
        return;
    };
    let whole = requests(&settings, &[bytes]);
    let (before, behind) = bytes.split_at(cut);
    assert_eq!(requests(&settings, &[before, behind]), whole);
    let single: Vec<_> = bytes.chunks(1).collect();
    assert_eq!(requests(&settings, &single), whole);
    if let Some((written, first)) = read_and_write(&settings, bytes) {
        let (again, _) = requests(&settings, &[&written]);
        assert_eq!(framed(&again[0]), framed(&first));
    }
}

/// Runs a client over `data`, which answers a request that `data` chooses too.
pub fn check_client(data: &[u8]) {
    let Some((settings, cut, bytes)) = split(data) else {
        return;
    };
    let request: &[(&str, &str)] = match data[1] % 4 {
        0 => &[(":method", "HEAD")],
        1 => &[(":method", "CONNECT")],
        2 => &[("connection", "upgrade"), ("upgrade", "websocket")],
        _ => &[],
    };
    let outcome = |pieces: &[&[u8]]| {
        let (message, client) = response(&settings, request, pieces, true);
        (message, client.map(|client| client.should_close()))
    };
    let whole = outcome(&[bytes]);
    let (before, behind) = bytes.split_at(cut);
    assert_eq!(outcome(&[before, behind]), whole);
    assert_eq!(outcome(&bytes.chunks(1).collect::<Vec<_>>()), whole);
}

/// Settings, a place to cut and the bytes.
fn split(data: &[u8]) -> Option<(H1Settings, usize, &[u8])> {
    let ([choice, cut], bytes) = data.split_first_chunk()?;
    let bit = |n: u8| choice >> n & 1 == 1;
    let settings = H1Settings {
        max_headers_kb: 1,
        max_headers_count: 8,
        accept_http_10: bit(0),
        allow_chunked_length: bit(1),
        enable_trailers: bit(2),
        allow_absolute_url: !bit(3),
        allow_custom_methods: bit(4),
        underscores: match choice >> 6 {
            0 => UnderscoresAction::RejectRequest,
            1 => UnderscoresAction::DropHeader,
            _ => UnderscoresAction::Allow,
        },
        ..H1Settings::default()
    };
    Some((settings, usize::from(*cut).min(bytes.len()), bytes))
}

/// What a message came to, frames joined so that it does not depend on how the bytes were cut.
#[derive(Debug, Default, PartialEq, Clone)]
pub(super) struct Message {
    /// The heads of interim responses.
    pub informational: Vec<String>,
    /// The head's fields.
    pub head: Option<String>,
    /// The body, in one.
    pub body: Vec<u8>,
    /// The trailers' fields.
    pub trailers: Option<String>,
    /// Whether the message ended.
    pub ended: bool,
}

impl Message {
    fn add(&mut self, frame: Frame) {
        assert!(!self.ended, "a frame behind the end: {frame:?}");
        match frame {
            Frame::Headers(map, end) => {
                assert!(self.head.is_none(), "a second head");
                self.head = Some(text(&map));
                self.ended = end.is_end();
            }
            Frame::Informational(map) => {
                assert!(self.head.is_none());
                self.informational.push(text(&map));
            }
            Frame::Data(data, end) => {
                assert!(self.head.is_some(), "data before a head");
                assert!(!data.is_empty() || end.is_end(), "an empty piece");
                self.body.extend_from_slice(&data.to_bytes());
                self.ended = end.is_end();
            }
            Frame::Trailers(map) => {
                self.trailers = Some(text(&map));
                self.ended = true;
            }
            Frame::Reset(_) => panic!("only the end of a connection resets"),
        }
    }
}

fn text(map: &HeaderMap) -> String {
    let field =
        |(name, value): (&[u8], &[u8])| format!("{}={}", name.escape_ascii(), value.escape_ascii());
    map.iter().map(field).collect::<Vec<_>>().join(" ")
}

/// A message that pieces of a buffer are added to, as a connection does.
struct Received(Bytes);

impl Received {
    fn add(&mut self, piece: &[u8]) {
        let mut all = BytesMut::from(&self.0[..]);
        all.extend_from_slice(piece);
        self.0 = all.freeze();
    }
}

/// All requests of a connection that gets these pieces, each answered at once, and the error that
/// ended it.
pub(super) fn requests(settings: &H1Settings, pieces: &[&[u8]]) -> (Vec<Message>, Option<H1Error>) {
    let mut server = H1Server::new();
    let mut pool = HeaderPool::default();
    let mut received = Received(Bytes::new());
    let mut messages = vec![Message::default()];
    for piece in pieces {
        received.add(piece);
        loop {
            match server.next(settings, &mut received.0, &mut pool) {
                Ok(Some(frame)) => {
                    let message = messages.last_mut().expect("one is always there");
                    message.add(frame);
                    if message.ended {
                        answer(&mut server, settings);
                        if server.should_close() {
                            return (messages, None);
                        }
                        server.begin_next();
                        messages.push(Message::default());
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(server.should_close());
                    assert_eq!(server.next(settings, &mut received.0, &mut pool), Ok(None));
                    return (messages, Some(error));
                }
            }
        }
    }
    (messages, None)
}

pub(super) fn answer(server: &mut H1Server, settings: &H1Settings) -> Vec<u8> {
    let response = HeaderMap::from_iter([(":status", "200"), ("content-length", "0")]);
    let mut out = Buffer::new();
    let mut scratch = BytesMut::new();
    server.encode_headers(settings, &response, End::Stream, &mut scratch, &mut out);
    out.to_bytes().to_vec()
}

/// The response to a request with these headers, of these pieces, then perhaps the end.
pub(super) fn response(
    settings: &H1Settings,
    request: &[(&str, &str)],
    pieces: &[&[u8]],
    eof: bool,
) -> (Message, Result<H1Client, H1Error>) {
    let mut client = H1Client::new();
    let mut pool = HeaderPool::default();
    let mut out = Buffer::new();
    let mut scratch = BytesMut::new();
    let headers = HeaderMap::from_iter(
        [(":method", "GET"), (":path", "/"), (":authority", "a")]
            .iter()
            .filter(|(name, _)| !request.iter().any(|(other, _)| other == name))
            .chain(request)
            .copied(),
    );
    let written = client.encode_request(settings, &headers, End::Stream, &mut scratch, &mut out);
    assert!(written.is_ok(), "the pseudo-headers are all there");
    let mut received = Received(Bytes::new());
    let mut message = Message::default();
    for piece in pieces {
        received.add(piece);
        loop {
            match client.next(settings, &mut received.0, &mut pool) {
                Ok(Some(frame)) => message.add(frame),
                Ok(None) => break,
                Err(error) => return (message, Err(error)),
            }
        }
    }
    if eof && let Some(frame) = client.on_eof(&mut pool) {
        match frame {
            Frame::Reset(_) => message.body.extend_from_slice(b"<reset>"),
            frame => message.add(frame),
        }
    }
    (message, Ok(client))
}

/// Reads a whole request and writes it as a client does.
pub(super) fn read_and_write(settings: &H1Settings, bytes: &[u8]) -> Option<(Vec<u8>, Message)> {
    let (messages, _) = requests(settings, &[bytes]);
    let first = messages
        .into_iter()
        .next()
        .filter(|message| message.ended && has_path(message))?;
    let (mut server, mut client) = (H1Server::new(), H1Client::new());
    let mut pool = HeaderPool::default();
    let mut input = Bytes::copy_from_slice(bytes);
    let (mut scratch, mut out) = (BytesMut::new(), Buffer::new());
    while let Ok(Some(frame)) = server.next(settings, &mut input, &mut pool) {
        match frame {
            Frame::Headers(map, end) => client
                .encode_request(settings, &map, end, &mut scratch, &mut out)
                .ok()?,
            Frame::Data(mut data, end) => {
                client.encode_data(&mut data, end, &mut scratch, &mut out);
            }
            Frame::Trailers(map) => {
                client.encode_trailers(settings, &map, &mut scratch, &mut out);
            }
            Frame::Informational(_) | Frame::Reset(_) => unreachable!("a request has none"),
        }
    }
    Some((out.to_bytes().to_vec(), first))
}

/// A message without what the way it is framed adds or takes, and without the scheme, which only
/// an absolute target has.
pub(super) fn framed(message: &Message) -> Message {
    let mut message = message.clone();
    message.head = message.head.map(|head| {
        let mut fields: Vec<_> = head
            .split(' ')
            .filter(|field| {
                !field.starts_with("transfer-encoding=")
                    && !field.starts_with(":scheme=")
                    && *field != "content-length=0"
            })
            .collect();
        fields.sort_unstable();
        fields.join(" ")
    });
    message
}

/// Whether the path can be written as a target: those of `http://a?b` and `http://a#b` cannot, and
/// the connection manager refuses them.
fn has_path(message: &Message) -> bool {
    let head = message.head.as_deref().unwrap_or_default();
    !head.contains(":path=?") && !head.contains(":path=#")
}
