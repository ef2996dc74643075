//! Bytes through the kernel, between sockets of all kinds.

use super::*;
use nuncio_base::address::Address;
use std::future::poll_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

async fn tcp_pair() -> (Socket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap());
    let peer = peer.await.unwrap();
    (Socket::tcp(listener.accept().await.unwrap().0), peer)
}

/// Moves all there is until the end; how many bytes.
async fn pump(from: Socket, mut to: Socket) -> u64 {
    let (pipes, mut splice, mut moved) = (Pipes::default(), Splice::default(), 0);
    poll_fn(|task| {
        let mut turn = Moved::default();
        let result = splice.poll(&pipes, task, (&from, &to), 300_000, &mut turn);
        moved += turn.given;
        match result {
            Spliced::Drained | Spliced::Blocked => Poll::Pending,
            Spliced::More => {
                task.waker().wake_by_ref();
                Poll::Pending
            }
            Spliced::Over => Poll::Ready(()),
            Spliced::Failed(error) => panic!("{error}"),
        }
    })
    .await;
    assert!(!splice.holds_bytes());
    poll_fn(|task| to.poll_end_write(task)).await.unwrap();
    moved
}

#[test]
fn every_byte_arrives_in_order() {
    nuncio_worker::run_main(|worker| async move {
        let sent: Vec<u8> = (0..5_000_000u32).map(|n| (n % 251) as u8).collect();
        for unix in [false, true] {
            let (from, mut source) = tcp_pair().await;
            let (to, mut sink): (Socket, Box<dyn tokio::io::AsyncRead + Unpin>) = if unix {
                let (ours, theirs) = UnixStream::pair().unwrap();
                (Socket::unix(ours), Box::new(theirs))
            } else {
                let (ours, theirs) = tcp_pair().await;
                (ours, Box::new(theirs))
            };
            let bytes = sent.clone();
            worker.spawn(async move {
                source.write_all(&bytes).await.unwrap();
                source.shutdown().await.unwrap();
                // Held open, so that only the end of one direction is seen.
                std::future::pending::<()>().await;
            });
            let mut received = Vec::new();
            let (done, moved) = tokio::sync::oneshot::channel();
            worker.spawn(async move { done.send(pump(from, to).await).unwrap() });
            sink.read_to_end(&mut received).await.unwrap();
            assert_eq!(moved.await.unwrap(), sent.len() as u64);
            assert!(received == sent, "unix {unix}");
        }
    })
    .unwrap();
}

#[test]
fn a_peer_that_is_gone_ends_it() {
    nuncio_worker::run_main(|_| async move {
        let (from, mut source) = tcp_pair().await;
        let (to, sink) = tcp_pair().await;
        to.reset_on_close();
        assert!(matches!(to.peer_address(), Some(Address::Ip(_))));
        drop(sink);
        let (pipes, mut splice) = (Pipes::default(), Splice::default());
        for _ in 0..100 {
            let _ = source.write_all(&[7; 10_000]).await;
            let result = poll_fn(|task| {
                let mut moved = Moved::default();
                Poll::Ready(splice.poll(&pipes, task, (&from, &to), u64::MAX, &mut moved))
            })
            .await;
            if matches!(result, Spliced::Failed(_)) {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("nobody noticed");
    })
    .unwrap();
}
