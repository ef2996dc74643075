//! A socket with TLS over it that takes no more.

use super::*;
use nuncio_worker::run_main;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::future::poll_fn;
use std::io::{Read, Write};
use tokio::net::{TcpListener, TcpStream};

/// Begins sessions with what it is given.
struct Begin<C>(Arc<C>);

impl Handshaker<UnbufferedServerConnection> for Begin<ServerConfig> {
    fn begin(&self, first: &[u8]) -> Result<Option<UnbufferedServerConnection>, Error> {
        let session = || UnbufferedServerConnection::new(Arc::clone(&self.0));
        (!first.is_empty()).then(session).transpose()
    }

    fn finished(&self, _session: &UnbufferedServerConnection) -> TlsInfo {
        TlsInfo::default()
    }

    fn failed(&self, _: Option<&UnbufferedServerConnection>, _: &Error) -> Option<TlsInfo> {
        None
    }
}

impl Handshaker<UnbufferedClientConnection> for Begin<ClientConfig> {
    fn begin(&self, _first: &[u8]) -> Result<Option<UnbufferedClientConnection>, Error> {
        let name = ServerName::try_from("a.test").unwrap();
        UnbufferedClientConnection::new(Arc::clone(&self.0), name).map(Some)
    }

    fn finished(&self, _session: &UnbufferedClientConnection) -> TlsInfo {
        TlsInfo::default()
    }

    fn failed(&self, _: Option<&UnbufferedClientConnection>, _: &Error) -> Option<TlsInfo> {
        None
    }
}

fn configs() -> (ServerConfig, ClientConfig) {
    let own = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let chain = vec![own.cert.der().clone()];
    let mut roots = RootCertStore::empty();
    roots.add(chain[0].clone()).unwrap();
    let provider = || Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider());
    let server = server.with_safe_default_protocol_versions().unwrap();
    let mut server = server
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    server.send_tls13_tickets = 0;
    let client = ClientConfig::builder_with_provider(provider());
    let client = client.with_safe_default_protocol_versions().unwrap();
    (
        server,
        client.with_root_certificates(roots).with_no_client_auth(),
    )
}

/// A stream, and the same one for what goes past TLS.
fn twice(stream: TcpStream) -> (Socket, std::net::TcpStream) {
    let stream = stream.into_std().unwrap();
    let raw = stream.try_clone().unwrap();
    (Socket::tcp(TcpStream::from_std(stream).unwrap()), raw)
}

type Server = TlsSocket<UnbufferedServerConnection>;
type Client = TlsSocket<UnbufferedClientConnection>;

/// Both sides after their handshake, each with its stream.
async fn connected(
    worker: &Rc<Worker>,
) -> ((Server, std::net::TcpStream), (Client, std::net::TcpStream)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let theirs = twice(TcpStream::connect(address).await.unwrap());
    let ours = twice(listener.accept().await.unwrap().0);
    let (server, client) = configs();
    let mut server = TlsSocket::new(ours.0, worker, Rc::new(Begin(Arc::new(server))));
    let mut client = TlsSocket::new(theirs.0, worker, Rc::new(Begin(Arc::new(client))));
    poll_fn(|task| {
        let mut done = true;
        if server.tls().is_none() {
            done &= server.poll_handshake(task).map(Result::unwrap).is_ready();
        }
        if client.tls().is_none() {
            done &= client.poll_handshake(task).map(Result::unwrap).is_ready();
        }
        if done { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    ((server, ours.1), (client, theirs.1))
}

#[test]
fn what_a_full_socket_does_not_take_stays_where_it_is_asked_for() {
    run_main(|worker| async move {
        let ((mut server, mut ours), (mut client, mut theirs)) = connected(&worker).await;
        let mut filled = 0;
        while let Ok(more) = ours.write(&[b'x'; 4096]) {
            filled += more;
        }
        let mut from = Buffer::from(b"late".to_vec());
        assert!(server.write_late(&worker, &mut from) && from.is_empty());
        while !server.socket().is_stuck() {
            tokio::task::yield_now().await;
        }
        // Whoever comes next to read or write sees to it, and as long as it waits it is known.
        let mut nothing = Buffer::new();
        let written = poll_fn(|task| Poll::Ready(server.poll_write(task, &mut nothing))).await;
        assert!(written.is_pending() && !server.socket().is_flushed());
        let mut block = [0; 4096];
        let mut plain = BytesMut::with_capacity(4096);
        poll_fn(|task| {
            let written = server.poll_write(task, &mut nothing).map(Result::unwrap);
            while filled > 0 {
                let most = filled.min(block.len());
                match theirs.read(&mut block[..most]) {
                    Ok(read) => filled -= read,
                    Err(_) => break,
                }
            }
            if written.is_pending() || filled > 0 {
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
            assert!(server.socket().is_flushed());
            client.poll_read(task, &mut plain).map(Result::unwrap)
        })
        .await;
        assert_eq!(&plain[..], b"late");
    })
    .unwrap();
}
