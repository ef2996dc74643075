//! Connections that pools make for streams to come.

use super::*;
use crate::cluster::UpstreamProtocol;
use crate::health::HealthFlag;
use crate::preconnect::PreconnectPolicy;
use nuncio_codec::h2::H2Settings;

fn policy(per_upstream: f32) -> Option<Arc<PreconnectPolicy>> {
    Some(Arc::new(PreconnectPolicy {
        per_upstream,
        predictive: 1.0,
        hosts: None,
    }))
}

/// Says hello, and nothing more.
async fn hello(mut stream: TcpStream) -> Option<()> {
    stream.write_all(b"hello").await.ok()?;
    stream.read(&mut [0]).await.ok().map(drop)
}

async fn read(tcp: &mut TcpConnection) -> Vec<u8> {
    let mut block = bytes::BytesMut::with_capacity(64);
    poll_fn(|task| tcp.transport.poll_read(task, &mut block))
        .await
        .unwrap();
    block.to_vec()
}

#[test]
fn tcp_connections_wait_until_their_pool_goes() {
    with_server(
        hello,
        |spec| spec.preconnect = policy(3.0),
        |f| async move {
            let mut first = f.tcp().await.unwrap();
            f.sleep(50).await;
            f.check(&[("upstream_cx_total", 3), ("upstream_rq_pending_total", 1)]);
            let mut second = f.tcp().await.unwrap();
            for tcp in [&mut first, &mut second] {
                assert_eq!(read(tcp).await, b"hello");
            }
            f.sleep(50).await;
            f.check(&[("upstream_cx_active", 6), ("upstream_rq_pending_total", 1)]);
            f.cluster.drain_host(f.host.id());
            f.sleep(10).await;
            f.check(&[("upstream_cx_active", 2), ("upstream_cx_destroy", 4)]);
            f.check(&[("upstream_cx_destroy_with_active_rq", 0)]);
            drop((first, second));
            f.check(&[("upstream_cx_active", 0)]);
        },
    );
}

#[test]
fn an_unhealthy_host_gets_what_streams_need() {
    with_server(
        serve,
        |spec| spec.preconnect = policy(3.0),
        |f| async move {
            for (unhealthy, made) in [(true, 1), (false, 3)] {
                f.host.set_flag(HealthFlag::FailedActiveHc, unhealthy);
                f.get("/x").await;
                f.sleep(50).await;
                f.check(&[("upstream_cx_total", made)]);
            }
        },
    );
}

#[test]
fn streams_that_share_connections_need_fewer() {
    for (streams, per_connection, ratio, made) in [(1, 2, 3.0, 2), (3, 4, 2.0, 2), (3, 8, 2.0, 1)] {
        let settings = H2Settings {
            max_concurrent_streams: per_connection,
            ..H2Settings::default()
        };
        with_server(
            hello,
            move |spec| {
                spec.preconnect = policy(ratio);
                spec.http.protocol = UpstreamProtocol::Http2;
                spec.http.http2 = Arc::new(settings);
            },
            move |f| async move {
                let mut held = Vec::new();
                for _ in 0..streams {
                    let f = Rc::clone(&f);
                    held.push(tokio::task::spawn_local(
                        async move { f.stream().await.err() },
                    ));
                }
                tokio::task::yield_now().await;
                f.check(&[("upstream_cx_total", made)]);
            },
        );
    }
}
