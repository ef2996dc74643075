//! A client that sends the bytes it is told to, and reads responses.

use super::{PATIENCE, Response};
use rustix::net::{AddressFamily, SocketType};
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A connection of a client.
pub struct Connection {
    reader: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        Self::try_open(address).unwrap()
    }

    /// Connects, if the listener lets it.
    pub fn try_open(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect_timeout(&address, PATIENCE).map(Self::of)
    }

    /// Connects with as little room for what is received as the system gives.
    pub fn narrow(address: SocketAddr) -> Self {
        let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 1).unwrap();
        rustix::net::connect(&socket, &address).unwrap();
        Self::of(TcpStream::from(socket))
    }

    /// Takes what is connected.
    pub fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            reader: BufReader::with_capacity(4096, stream),
        }
    }

    /// Changes how long reading may take.
    pub fn with_patience(self, patience: Duration) -> Self {
        self.reader
            .get_ref()
            .set_read_timeout(Some(patience))
            .unwrap();
        self
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    /// Sends bytes to a peer that may have closed.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())
    }

    /// Reads the response to a request of `method`.
    pub fn response(&mut self, method: &str) -> Response {
        self.try_response(method).unwrap()
    }

    /// Reads the response, if there is one.
    pub fn try_response(&mut self, method: &str) -> io::Result<Response> {
        Response::read(&mut self.reader, method)
    }

    /// A whole GET.
    pub fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, "", "")
    }

    /// A whole GET of a proxy that may fail.
    pub fn try_get(&mut self, path: &str) -> io::Result<Response> {
        self.try_send(format!("GET {path} HTTP/1.1\r\nhost: a.test\r\n\r\n"))?;
        self.try_response("GET")
    }

    /// A whole request with a length; `headers` is lines of `name: value\r\n`.
    pub fn request(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Response {
        let length = match body.len() {
            0 => String::new(),
            length => format!("content-length: {length}\r\n"),
        };
        let host = if headers.starts_with("host:") {
            ""
        } else {
            "host: a.test\r\n"
        };
        self.send(format!(
            "{method} {path} HTTP/1.1\r\n{host}{headers}{length}\r\n{body}"
        ));
        self.response(method)
    }

    /// Ends the sending direction.
    pub fn half_close(&mut self) {
        self.reader.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// Reads `count` bytes.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Reads `count` bytes of a peer that may have closed.
    pub fn try_read(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes).map(|()| bytes)
    }

    /// Reads until the peer closes; a reset counts as that.
    pub fn read_to_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.reader.read_to_end(&mut bytes) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => {
                panic!(
                    "not closed after {:?}: {error}",
                    String::from_utf8_lossy(&bytes)
                )
            }
            _ => bytes,
        }
    }
}
