//! HTTP/1 messages as a test reads and writes them: strictly, and byte by byte.

use std::io::{self, BufRead, Read};

/// A request as an upstream received it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// As on the wire.
    pub path: String,
    /// In order, with the names as they were spelt.
    pub headers: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
}

/// A response as the client received it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// 200.
    pub status: u16,
    /// In order, with the names as they were spelt.
    pub headers: Vec<(String, String)>,
    /// Without its framing.
    pub body: Vec<u8>,
    /// Behind a chunked body.
    pub trailers: Vec<(String, String)>,
}

impl Request {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Reads one; none if the peer closed before it.
    pub fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(line) = read_line(reader)? else {
            return Ok(None);
        };
        let mut words = line.split(' ').map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(bad(&line));
        };
        let headers = read_headers(reader)?;
        let (body, _) = read_body(reader, &headers, Rest::Empty)?;
        Ok(Some(Self {
            method,
            path,
            headers,
            body,
        }))
    }
}

impl Response {
    /// The first header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Status and body, as most tests compare them.
    pub fn brief(&self) -> (u16, String) {
        (self.status, self.text())
    }

    /// Reads the next, interim ones included; `method` is that of its request.
    pub fn read(reader: &mut impl BufRead, method: &str) -> io::Result<Self> {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5));
        let status = status
            .and_then(|status| status.parse().ok())
            .ok_or_else(|| bad(&line))?;
        let headers = read_headers(reader)?;
        let bodiless = method == "HEAD" || matches!(status, 100..200 | 204 | 304);
        let (body, trailers) = if bodiless {
            Default::default()
        } else {
            read_body(reader, &headers, Rest::UntilClose)?
        };
        Ok(Self {
            status,
            headers,
            body,
            trailers,
        })
    }
}

/// What a message has that declares no length.
enum Rest {
    Empty,
    UntilClose,
}

type Headers = Vec<(String, String)>;

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str())
}

fn bad(line: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("unexpected line {line:?}"),
    )
}

/// A line without its CRLF; none at the end of the stream.
fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line).into_owned();
    text.strip_suffix("\r\n")
        .map(|line| Some(line.to_owned()))
        .ok_or_else(|| bad(&text))
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Headers> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad(&line))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_body(
    reader: &mut impl BufRead,
    headers: &Headers,
    rest: Rest,
) -> io::Result<(Vec<u8>, Headers)> {
    let mut body = Vec::new();
    if find(headers, "transfer-encoding").is_some_and(|value| value == "chunked") {
        let trailers = read_chunks(reader, &mut body)?;
        return Ok((body, trailers));
    }
    if let Some(length) = find(headers, "content-length") {
        body.resize(length.parse().map_err(|_| bad(length))?, 0);
        reader.read_exact(&mut body)?;
    } else if matches!(rest, Rest::UntilClose) {
        reader.read_to_end(&mut body)?;
    }
    Ok((body, Vec::new()))
}

/// Appends what the chunks hold, and returns the trailers.
fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<Headers> {
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).map_err(|_| bad(&line))?;
        if size == 0 {
            return read_headers(reader);
        }
        let before = body.len() as u64;
        reader.by_ref().take(size).read_to_end(body)?;
        if body.len() as u64 - before < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if !end.is_empty() {
            return Err(bad(&end));
        }
    }
}
