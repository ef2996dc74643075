//! A TLS client.

use super::authority::{Authority, Identity};
use crate::harness::{PATIENCE, Response};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// How a client connects.
pub struct Client {
    pub config: ClientConfig,
}

/// A connection.
pub struct TlsConnection {
    pub reader: BufReader<StreamOwned<ClientConnection, TcpStream>>,
}

impl Client {
    /// Trusts an authority, and shows a certificate if it has one.
    pub fn new(trusts: &Authority, shows: Option<&Identity>) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(trusts.roots());
        let mut config = match shows {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes());
                let chain = chain.map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.resumption = Resumption::in_memory_sessions(8);
        Self { config }
    }

    /// Offers protocols.
    pub fn alpn(mut self, protocols: &[&str]) -> Self {
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        self.config.alpn_protocols = protocols.collect();
        self
    }

    /// Connects, and completes the handshake as far as the client sees it.
    pub fn connect(&self, address: SocketAddr, name: &str) -> io::Result<TlsConnection> {
        let socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::new(self.config.clone()), name);
        let mut stream = StreamOwned::new(connection.unwrap(), socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(TlsConnection {
            reader: BufReader::new(stream),
        })
    }
}

impl TlsConnection {
    pub fn connection(&self) -> &ClientConnection {
        &self.reader.get_ref().conn
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())
    }

    pub fn read(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub fn get(&mut self, path: &str) -> io::Result<Response> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: a.test\r\n\r\n"))?;
        Response::read(&mut self.reader, "GET")
    }

    /// The names of the server's certificate, as far as they are plain text in it.
    pub fn server_shows(&self, name: &str) -> bool {
        let certificates = self.connection().peer_certificates().unwrap();
        certificates[0]
            .windows(name.len())
            .any(|window| window == name.as_bytes())
    }
}
