//! Codec tests: scripts of bytes and the frames expected, and what must hold for any bytes.

mod client;
mod corpus;
mod encode;
mod properties;
mod server;

use super::{H1Client, H1Error, H1Server, H1Settings};
use crate::{End, Frame, HeaderPool};
use bytes::{Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap};

/// What a message came to, frames joined so that it does not depend on how the bytes were cut.
#[derive(Debug, Default, PartialEq, Clone)]
struct Message {
    informational: Vec<String>,
    head: Option<String>,
    body: Vec<u8>,
    trailers: Option<String>,
    ended: bool,
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
fn requests(settings: &H1Settings, pieces: &[&[u8]]) -> (Vec<Message>, Option<H1Error>) {
    let mut server = H1Server::new();
    let mut pool = HeaderPool::default();
    let mut received = Received(Bytes::new());
    let mut messages = vec![Message::default()];
    for piece in pieces {
        received.add(piece);
        loop {
            match server.next(settings, &mut received.0, &mut pool) {
                Ok(Some(frame)) => {
                    let message = messages.last_mut().unwrap();
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

fn answer(server: &mut H1Server, settings: &H1Settings) -> Vec<u8> {
    let response = HeaderMap::from_iter([(":status", "200"), ("content-length", "0")]);
    let mut out = Buffer::new();
    let mut scratch = BytesMut::new();
    server.encode_headers(settings, &response, End::Stream, &mut scratch, &mut out);
    out.to_bytes().to_vec()
}

/// The response to a request with these headers, of these pieces, then perhaps the end.
fn response(
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
    client
        .encode_request(settings, &headers, End::Stream, &mut scratch, &mut out)
        .unwrap();
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
