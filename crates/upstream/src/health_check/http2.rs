//! HTTP/2 of health checks: one stream at a time.

use super::connection::Connection;
use super::exchange::{Response, join, keep_some, read_more};
use super::host_health::Failure;
use bytes::Bytes;
use nuncio_base::{Buffer, HeaderMap};
use nuncio_codec::h2::{H2Connection, H2Event, H2Local};
use nuncio_codec::{End, Frame, HeaderPool};
use std::rc::Rc;
use std::task::{Context, Poll};

/// A connection with its codec.
pub(super) struct Http2Connection {
    connection: Connection,
    codec: H2Connection,
    pool: HeaderPool,
    input: Bytes,
    /// What an idle connection has to say.
    out: Buffer,
    /// The peer takes no more streams.
    goes_away: bool,
}

impl Http2Connection {
    pub fn new(connection: Connection, local: &Rc<H2Local>) -> Self {
        Self {
            connection,
            codec: H2Connection::client(local),
            pool: HeaderPool::default(),
            input: Bytes::new(),
            out: Buffer::new(),
            goes_away: false,
        }
    }

    pub async fn exchange(
        &mut self,
        headers: &HeaderMap,
        body: Bytes,
        keep: usize,
    ) -> Result<Response, Failure> {
        let end = End::when(body.is_empty());
        let id = self.codec.open(headers, end).ok_or(Failure::Network)?;
        if !end.is_end() {
            let mut data = Buffer::new();
            data.push(body);
            self.codec.send_data(id, data, End::Stream);
        }
        let (mut head, mut body, mut trailers) = (None, Vec::new(), None);
        loop {
            self.flush().await?;
            let end = match self.next()? {
                None => {
                    let more = read_more(&mut self.connection).await?;
                    self.input = join(std::mem::take(&mut self.input), more);
                    continue;
                }
                Some(H2Event::Frame(stream, frame)) if stream == id => match frame {
                    Frame::Headers(headers, end) => {
                        head = Some(headers);
                        end
                    }
                    Frame::Data(data, end) => {
                        self.codec.release(id);
                        keep_some(&mut body, &data, keep);
                        end
                    }
                    Frame::Trailers(last) => {
                        trailers = Some(last);
                        End::Stream
                    }
                    Frame::Informational(_) => End::No,
                    Frame::Reset(_) => return Err(Failure::Network),
                },
                Some(H2Event::Reset { .. }) => return Err(Failure::Network),
                Some(_) => End::No,
            };
            if end.is_end() {
                return Ok(Response {
                    headers: head.ok_or(Failure::Network)?,
                    body,
                    trailers,
                    reusable: !self.goes_away && !self.codec.is_exhausted(),
                });
            }
        }
    }

    /// The next event of what was read.
    fn next(&mut self) -> Result<Option<H2Event>, Failure> {
        let event = self.codec.next(&mut self.input, &mut self.pool);
        let event = event.map_err(|_| Failure::Network)?;
        self.goes_away |= matches!(event, Some(H2Event::GoAway { .. }));
        Ok(event)
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let mut out = std::mem::take(&mut self.out);
        self.codec.take_output(&mut out, usize::MAX);
        let waiting = out.len();
        if waiting > 0 {
            let noted = self.codec.note_unwritten(waiting);
            noted.map_err(|_| Failure::Network)?;
            self.connection.write(&mut out).await?;
            let noted = self.codec.note_unwritten(0);
            noted.map_err(|_| Failure::Network)?;
        }
        Ok(())
    }

    /// Answers what a peer says between checks; ready once the connection is of no more use.
    pub fn poll_idle(&mut self, task: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.next() {
                Ok(Some(_)) => {}
                Ok(None) if self.goes_away => return Poll::Ready(()),
                Ok(None) => {
                    self.codec.take_output(&mut self.out, usize::MAX);
                    let waiting = self.out.len();
                    if self.codec.note_unwritten(waiting).is_err() {
                        return Poll::Ready(());
                    }
                    if let Poll::Ready(Err(_)) = self.connection.poll_write(task, &mut self.out) {
                        return Poll::Ready(());
                    }
                    match self.connection.poll_read(task) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Ok(more)) if !more.is_empty() => {
                            self.input = join(std::mem::take(&mut self.input), more);
                        }
                        Poll::Ready(_) => return Poll::Ready(()),
                    }
                }
                Err(_) => return Poll::Ready(()),
            }
        }
    }
}
