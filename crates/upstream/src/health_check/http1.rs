//! HTTP/1 of health checks.

use super::connection::Connection;
use super::exchange::{Response, join, keep_some};
use super::host_health::Failure;
use bytes::{Bytes, BytesMut};
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::h1::{H1Client, H1Settings};
use nuncio_codec::{End, Frame, HeaderPool};
use std::sync::Arc;

/// A connection with its codec.
pub(super) struct Http1Connection {
    connection: Connection,
    codec: H1Client,
    settings: Arc<H1Settings>,
    pool: HeaderPool,
}

impl Http1Connection {
    pub fn new(connection: Connection, settings: &Arc<H1Settings>) -> Self {
        Self {
            connection,
            codec: H1Client::new(),
            settings: Arc::clone(settings),
            pool: HeaderPool::default(),
        }
    }

    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub async fn exchange(
        &mut self,
        headers: &HeaderMap,
        body: Bytes,
        keep: usize,
    ) -> Result<Response, Failure> {
        let (mut out, mut scratch) = (Buffer::new(), BytesMut::new());
        let (codec, settings) = (&mut self.codec, &*self.settings);
        let end = End::when(body.is_empty());
        let encoded = codec.encode_request(settings, headers, end, &mut scratch, &mut out);
        if encoded.is_err() {
            return Err(Failure::Network);
        }
        if !end.is_end() {
            let mut data = Buffer::new();
            data.push(body);
            codec.encode_data(&mut data, End::Stream, &mut scratch, &mut out);
        }
        self.connection.write(&mut out).await?;
        self.response(keep).await
    }

    async fn response(&mut self, keep: usize) -> Result<Response, Failure> {
        let (mut input, mut head, mut body) = (Bytes::new(), None, Vec::new());
        let mut trailers = None;
        loop {
            let next = self.codec.next(&self.settings, &mut input, &mut self.pool);
            let frame = match next.map_err(|_| Failure::Network)? {
                Some(frame) => frame,
                None => match self.connection.read().await? {
                    end if end.is_empty() => {
                        let last = self.codec.on_eof(&mut self.pool);
                        last.ok_or(Failure::Network)?
                    }
                    more => {
                        input = join(std::mem::take(&mut input), more);
                        continue;
                    }
                },
            };
            let end = match frame {
                Frame::Informational(_) => End::No,
                Frame::Headers(headers, end) => {
                    head = Some(headers);
                    end
                }
                Frame::Data(data, end) => {
                    keep_some(&mut body, &data, keep);
                    end
                }
                Frame::Trailers(last) => {
                    trailers = Some(last);
                    End::Stream
                }
                Frame::Reset(_) => return Err(Failure::Network),
            };
            if end.is_end() {
                return Ok(Response {
                    headers: head.ok_or(Failure::Network)?,
                    body,
                    trailers,
                    reusable: self.codec.is_reusable() && input.is_empty(),
                });
            }
        }
    }
}
