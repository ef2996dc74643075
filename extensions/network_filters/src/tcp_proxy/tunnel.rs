//! Bytes of a connection as the body of a request and its response (`tunneling_config`): a CONNECT,
//! or a POST where the proxy upstream wants one.

use super::factory::LocalTcpProxy;
use super::relay::{Turn, UpstreamEnd};
use super::tunnel_headers::TunnelHeaders;
use nuncio_base::{Buffer, HeaderMap, names};
use nuncio_codec::{End, Frame};
use nuncio_observe::{AccessLogType, Formatter};
use nuncio_route::HeaderMutations;
use nuncio_route::mutation::Scratch;
use nuncio_stream_info::StreamInfo;
use nuncio_upstream::ClientStream;
use std::task::Poll;
use std::time::Instant;

/// How a tunnel is asked for (`TcpProxy.TunnelingConfig`).
#[derive(Debug)]
pub struct TunnelSpec {
    /// Where the tunnel leads to, as `host:port`.
    pub hostname: Formatter,
    /// The path of a POST; `None` asks by CONNECT.
    pub post_path: Option<Vec<u8>>,
    /// Headers of the request.
    pub headers: HeaderMutations,
    /// What is kept of the response.
    pub kept: TunnelHeaders,
}

impl TunnelSpec {
    /// The head of the request for a connection.
    pub(super) fn head(&self, local: &LocalTcpProxy, info: &StreamInfo) -> HeaderMap {
        let log_type = AccessLogType::NotSet;
        let mut hostname = Vec::new();
        local.with_format_cx(info, log_type, |cx| {
            self.hostname.append(cx, &mut hostname);
        });
        let mut head = HeaderMap::new();
        match &self.post_path {
            None => head.append(names::METHOD, b"CONNECT"),
            Some(path) => {
                head.append(names::METHOD, b"POST");
                head.append(names::SCHEME, b"http");
                head.append(names::PATH, path);
            }
        }
        head.append(names::AUTHORITY, &hostname);
        self.headers
            .apply(&mut head, &mut Scratch::default(), |formatter, _, out| {
                local.with_format_cx(info, log_type, |cx| formatter.append(cx, out));
            });
        head
    }
}

/// A stream that carries a connection.
pub(super) struct Tunnel {
    stream: ClientStream,
    /// Reading from the client waits for the upstream.
    client_paused: bool,
    /// The upstream will send no more.
    upstream_ended: bool,
    /// Bytes on the wire that were counted.
    counted: [u64; 2],
    /// When something passed last.
    pub last_activity: Instant,
}

impl Tunnel {
    pub fn new(stream: ClientStream, now: Instant) -> Self {
        Self {
            stream,
            client_paused: false,
            upstream_ended: false,
            counted: [0; 2],
            last_activity: now,
        }
    }

    /// The client sent something, or its end.
    pub fn on_data(&mut self, data: &mut Buffer, end: bool) {
        self.stream.send_data(data, End::when(end));
    }

    /// Moves what can be moved.
    ///
    /// # Errors
    /// How the stream ended, where it did so early.
    pub fn poll(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        let result = self.poll_down(turn);
        self.count(turn);
        let paused = self.stream.write_blocked();
        if paused != self.client_paused {
            self.client_paused = paused;
            turn.cx.read_disable(paused);
            let stats = &turn.local.stats;
            if paused {
                stats.downstream_flow_control_paused_reading_total().inc();
            } else {
                stats.downstream_flow_control_resumed_reading_total().inc();
                // The turn may be over without another read.
                turn.task.waker().wake_by_ref();
            }
        }
        result
    }

    /// From the upstream to the client, as long as that reads.
    fn poll_down(&mut self, turn: &mut Turn<'_, '_, '_>) -> Result<(), UpstreamEnd> {
        if self.upstream_ended || turn.cx.write_blocked() {
            self.stream.flush(turn.task);
            return Ok(());
        }
        while !turn.cx.write_blocked() {
            let Poll::Ready(frame) = self.stream.poll(turn.task) else {
                return Ok(());
            };
            let end = match frame {
                Frame::Data(mut data, end) => {
                    let bytes = data.len() as u64;
                    if bytes > 0 {
                        self.last_activity = turn.local.worker.now();
                        turn.local.count_sent(turn.info, bytes);
                    }
                    turn.cx.out().append(&mut data);
                    end
                }
                Frame::Trailers(trailers) => {
                    if let Some(spec) = &turn.local.spec.tunnel {
                        spec.kept.keep_trailers(trailers, &turn.info.connection);
                    }
                    End::Stream
                }
                Frame::Informational(_) | Frame::Headers(..) => End::No,
                Frame::Reset(_) => return Err(UpstreamEnd::Closed),
            };
            if end.is_end() {
                self.upstream_ended = true;
                turn.cx.end_write();
                return Ok(());
            }
        }
        // Once the client has read, there is more to come.
        turn.task.waker().wake_by_ref();
        Ok(())
    }

    /// Records what went over the upstream's wire.
    fn count(&mut self, turn: &mut Turn<'_, '_, '_>) {
        let bytes = self.stream.bytes();
        let now = [bytes.wire_sent, bytes.wire_received];
        if now != self.counted {
            self.counted = now;
            turn.info.upstream_mut().bytes = bytes;
        }
    }
}
