//! HTTP/1.1 messages as the generator and the upstream need them: where one ends, and what it is.

use std::fmt;

/// Header lines a message may have; more is malformed.
const MAX_HEADERS: usize = 64;

/// Bytes a head may take; more is malformed.
const MAX_HEAD: usize = 16 * 1024;

/// A message that neither side of this benchmark would send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl std::error::Error for Malformed {}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("malformed HTTP message")
    }
}

/// The head of a message: its size, the size of the body that follows, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<T> {
    /// Bytes up to and including the empty line.
    pub length: usize,
    /// Bytes of body after it.
    pub body: u64,
    /// The status of a response, the answer that a request wants.
    pub says: T,
}

/// The outcome of looking for a head: none yet, one, or an error.
pub type Parsed<T> = Result<Option<Head<T>>, Malformed>;

/// Looks for the head of a response; it says the status.
pub fn parse_response(bytes: &[u8]) -> Parsed<u16> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let Some(length) = complete(response.parse(bytes))? else {
        return Ok(None);
    };
    let says = response.code.ok_or(Malformed)?;
    let bodiless = says < 200 || says == 204 || says == 304;
    let body = match body_length(response.headers)? {
        _ if bodiless => 0,
        Some(body) => body,
        None => return Err(Malformed),
    };
    Ok(Some(Head { length, body, says }))
}

/// Looks for the head of a request; it says the last segment of the path, as a body size.
pub fn parse_request(bytes: &[u8]) -> Parsed<Option<BodySize>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Some(length) = complete(request.parse(bytes))? else {
        return Ok(None);
    };
    let says = request.path.and_then(BodySize::of_path);
    let body = body_length(request.headers)?.unwrap_or(0);
    Ok(Some(Head { length, body, says }))
}

fn complete(parsed: httparse::Result<usize>) -> Result<Option<usize>, Malformed> {
    match parsed {
        Ok(httparse::Status::Complete(length)) => Ok(Some(length)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(_) => Err(Malformed),
    }
}

/// The value of content-length; chunked bodies are not understood here.
fn body_length(headers: &[httparse::Header<'_>]) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(|_| Malformed)?;
            length = Some(text.trim().parse().map_err(|_| Malformed)?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Malformed);
        }
    }
    Ok(length)
}

/// The sizes of response bodies that the upstream offers, by the last segment of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodySize {
    /// `/128`
    B128,
    /// `/16k`
    K16,
    /// `/1m`
    M1,
}

impl BodySize {
    /// All of them, in the order of their discriminants.
    pub const ALL: [BodySize; 3] = [BodySize::B128, BodySize::K16, BodySize::M1];

    /// The last path segment that asks for it.
    pub fn segment(self) -> &'static str {
        match self {
            BodySize::B128 => "128",
            BodySize::K16 => "16k",
            BodySize::M1 => "1m",
        }
    }

    /// In bytes.
    pub fn bytes(self) -> usize {
        match self {
            BodySize::B128 => 128,
            BodySize::K16 => 16 << 10,
            BodySize::M1 => 1 << 20,
        }
    }

    fn of_path(path: &str) -> Option<BodySize> {
        let segment = path.rsplit('/').next()?;
        BodySize::ALL
            .into_iter()
            .find(|size| size.segment() == segment)
    }
}

/// Follows one direction of a connection and tells when a message is complete.
pub struct MessageReader<T> {
    parse: fn(&[u8]) -> Parsed<T>,
    /// The beginning of a head whose end has not arrived.
    partial: Vec<u8>,
    /// What the head of the body that is being read said, and the bytes still missing.
    body: Option<(T, u64)>,
}

impl<T: Copy> MessageReader<T> {
    /// A reader at the start of a message.
    pub fn new(parse: fn(&[u8]) -> Parsed<T>) -> Self {
        MessageReader {
            parse,
            partial: Vec::new(),
            body: None,
        }
    }

    /// Takes bytes up to the end of a message: how many, and what the message said if it ended.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Option<T>), Malformed> {
        let (mut taken, says, missing) = match self.body.take() {
            Some((says, missing)) => (0, says, missing),
            None => match self.read_head(bytes)? {
                Some((taken, head)) => (taken, head.says, head.body),
                None => return Ok((bytes.len(), None)),
            },
        };
        let here = missing.min((bytes.len() - taken) as u64);
        taken += here as usize;
        if here == missing {
            return Ok((taken, Some(says)));
        }
        self.body = Some((says, missing - here));
        Ok((taken, None))
    }

    /// How many of these bytes belong to the head that they end, and the head.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<(usize, Head<T>)>, Malformed> {
        let before = self.partial.len();
        let parsed = if before == 0 {
            (self.parse)(bytes)?
        } else {
            self.partial.extend_from_slice(bytes);
            (self.parse)(&self.partial)?
        };
        match parsed {
            Some(head) => {
                self.partial.clear();
                Ok(Some((head.length - before, head)))
            }
            None => {
                if before == 0 {
                    self.partial.extend_from_slice(bytes);
                }
                if self.partial.len() > MAX_HEAD {
                    Err(Malformed)
                } else {
                    Ok(None)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nserver: x\r\n\r\nhello";

    #[test]
    fn a_message_ends_wherever_it_is_cut() {
        for cut in 1..RESPONSE.len() {
            let mut reader = MessageReader::new(parse_response);
            assert_eq!(
                reader.feed(&RESPONSE[..cut]),
                Ok((cut, None)),
                "cut at {cut}"
            );
            let rest = RESPONSE.len() - cut;
            assert_eq!(
                reader.feed(&RESPONSE[cut..]),
                Ok((rest, Some(200))),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn what_follows_a_message_is_not_taken() {
        let mut reader = MessageReader::new(parse_response);
        let twice = [RESPONSE, RESPONSE].concat();
        assert_eq!(reader.feed(&twice), Ok((RESPONSE.len(), Some(200))));
    }

    #[test]
    fn messages() {
        let request = b"GET /api/items/16k HTTP/1.1\r\nhost: a\r\n\r\n";
        let says = parse_request(request).map(|head| head.map(|head| head.says));
        assert_eq!(says, Ok(Some(Some(BodySize::K16))));
        for (bytes, expected) in [
            (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], Ok(Some((204, 0)))),
            (
                b"HTTP/1.1 503 No\r\nContent-Length: 7\r\n\r\n",
                Ok(Some((503, 7))),
            ),
            (b"HTTP/1.1 200 OK\r\n\r\n", Err(Malformed)),
            (
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
                Err(Malformed),
            ),
            (
                b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
                Err(Malformed),
            ),
            (b"SSH-2.0-OpenSSH\r\n\r\n", Err(Malformed)),
            (b"HTTP/1.1 200", Ok(None)),
        ] {
            let parsed = parse_response(bytes).map(|head| head.map(|head| (head.says, head.body)));
            assert_eq!(parsed, expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_head_without_end_is_malformed() {
        let mut reader = MessageReader::new(parse_response);
        let mut result = reader.feed(b"HTTP/1.1 200 OK\r\n");
        for _ in 0..2000 {
            result = reader.feed(b"x-filler: abcdefghijklmnopqrstuvwxyz\r\n");
            if result.is_err() {
                break;
            }
        }
        assert_eq!(result, Err(Malformed));
    }
}
