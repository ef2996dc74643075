//! One request on a connection of its own: to see that a proxy is ready, and to fill it with
//! idle connections.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::message::{MessageReader, parse_response};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Connects, asks, reads the answer, which must be 200, and returns the open connection.
pub fn ask(address: SocketAddr, request: &[u8]) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let mut reader = MessageReader::new(parse_response);
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match reader.feed(&buffer[..count]).map_err(io::Error::other)?.1 {
            Some(200) => return Ok(stream),
            Some(status) => return Err(io::Error::other(format!("status {status}"))),
            None => {}
        }
    }
}
