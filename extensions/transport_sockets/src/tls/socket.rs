//! A socket with TLS over it.

use super::error::{first_flight_alert, transport_failure};
use super::records::{Progress, Records};
use super::scratch::Scratch;
use super::session::Session;
use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_net::{Socket, TransportSocket};
use nuncio_stream_info::TlsInfo;
use nuncio_worker::Worker;
use rustls::Error;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// A write of less than this, with what sealing adds, may be put off.
const SMALL: usize = 8 * 1024;

/// Who begins a session, and learns how its handshake went: the context of its configuration.
pub trait Handshaker<S> {
    /// Begins a session with a peer whose first bytes these are; `None` while there are too few.
    ///
    /// # Errors
    /// What rustls has against the configuration.
    fn begin(&self, first: &[u8]) -> Result<Option<S>, Error>;
    /// The handshake is over.
    fn finished(&self, session: &S) -> TlsInfo;
    /// The handshake failed; what is known of the peer, if logs tell it.
    fn failed(&self, session: Option<&S>, error: &Error) -> Option<TlsInfo>;
}

/// A socket with TLS over it.
pub struct TlsSocket<S: Session> {
    socket: Socket,
    scratch: Rc<Scratch>,
    handshaker: Rc<dyn Handshaker<S>>,
    state: State<S>,
    /// Data that came with the end of the handshake.
    early: BytesMut,
    /// How many bytes in front of what is written are in `outgoing` already.
    sealed: usize,
    info: Option<Arc<TlsInfo>>,
    failure: Option<Arc<str>>,
}

enum State<S> {
    /// The peer speaks first, and these are its bytes so far.
    Waiting(BytesMut),
    Running(Box<Records<S>>),
    Failed,
}

impl<S: Session> TlsSocket<S> {
    /// TLS over `socket`; the handshake begins when it is polled.
    pub fn new(socket: Socket, worker: &Rc<Worker>, handshaker: Rc<dyn Handshaker<S>>) -> Self {
        Self {
            socket,
            scratch: worker.services().get_or_default(),
            handshaker,
            state: State::Waiting(BytesMut::new()),
            early: BytesMut::new(),
            sealed: 0,
            info: None,
            failure: None,
        }
    }

    /// Waits until the session can begin.
    fn poll_begin(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let State::Waiting(first) = &mut self.state {
            match self.handshaker.begin(first) {
                Ok(Some(session)) => {
                    let records = Records::new(session, first.to_vec());
                    self.state = State::Running(Box::new(records));
                }
                Ok(None) => {
                    first.reserve(2048);
                    if ready!(self.socket.poll_read(task, first))? == 0 {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                }
                Err(error) => {
                    let failure = self.fail(&error);
                    if let Some(alert) = first_flight_alert(&error) {
                        let task = &mut Context::from_waker(Waker::noop());
                        // The connection ends anyhow.
                        let _ = self.socket.poll_write(task, &mut alert.to_vec().into());
                    }
                    return Poll::Ready(Err(failure));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn fail(&mut self, error: &Error) -> io::Error {
        let session = match &self.state {
            State::Running(records) => Some(records.session()),
            _ => None,
        };
        self.info = self.handshaker.failed(session, error).map(Arc::new);
        self.failure = Some(transport_failure(error).into());
        io::ErrorKind::InvalidData.into()
    }

    fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was put off stays with the socket, which tells of it until it is written.
        ready!(self.socket.poll_flush(task))?;
        match &mut self.state {
            State::Running(records) if !records.outgoing.is_empty() => {
                self.socket.poll_write(task, &mut records.outgoing)
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Reads once; what progress that made, or `None` at the end.
    fn poll_receive(
        &mut self,
        task: &mut Context<'_>,
        plain: &mut BytesMut,
    ) -> Poll<io::Result<Option<Progress>>> {
        let State::Running(records) = &mut self.state else {
            return Poll::Ready(Ok(None));
        };
        let (socket, scratch) = (&mut self.socket, &self.scratch);
        let received = scratch.with_cipher(|block| {
            records.restore(block);
            if ready!(socket.poll_read(task, block))? == 0 {
                return Poll::Ready(Ok(Ok(None)));
            }
            let received = scratch.with_seal(|seal| records.receive(block, plain, seal));
            Poll::Ready(Ok::<_, io::Error>(received.map(Some)))
        });
        match ready!(received)? {
            Ok(progress) => Poll::Ready(Ok(progress)),
            Err(error) => Poll::Ready(Err(self.break_off(&error))),
        }
    }

    /// Ends with an alert, if it can be sent at once.
    fn break_off(&mut self, error: &Error) -> io::Error {
        let failure = match self.info {
            // After the handshake an error is no handshake's failure.
            Some(_) => {
                self.failure = Some(transport_failure(error).into());
                io::ErrorKind::InvalidData.into()
            }
            None => self.fail(error),
        };
        // The connection ends anyhow.
        let _ = self.poll_flush(&mut Context::from_waker(Waker::noop()));
        self.state = State::Failed;
        failure
    }

    fn go_on(&mut self) -> io::Result<Progress> {
        let State::Running(records) = &mut self.state else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let early = &mut self.early;
        match self.scratch.with_seal(|seal| records.go_on(early, seal)) {
            Ok(progress) => Ok(progress),
            Err(error) => Err(self.break_off(&error)),
        }
    }

    /// Notes that the handshake is over, if it is.
    fn finish(&mut self) {
        if let State::Running(records) = &self.state
            && !records.session().common().is_handshaking()
        {
            self.info = Some(Arc::new(self.handshaker.finished(records.session())));
        }
    }

    /// Whether the peer has said that it sends no more.
    fn is_peer_closed(&self) -> bool {
        matches!(&self.state, State::Running(records) if records.is_peer_closed())
    }
}

impl<S: Session> TransportSocket for TlsSocket<S> {
    fn poll_handshake(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_begin(task))?;
        let mut progress = self.go_on()?;
        loop {
            if progress != Progress::Handshaking && self.info.is_none() {
                self.finish();
            }
            ready!(self.poll_flush(task))?;
            if self.info.is_some() {
                // Whoever leaves at once has still shaken hands.
                return Poll::Ready(Ok(()));
            }
            if progress == Progress::PeerClosed {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            let mut early = std::mem::take(&mut self.early);
            let received = self.poll_receive(task, &mut early);
            self.early = early;
            progress = match ready!(received)? {
                Some(progress) => progress,
                None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
            };
        }
    }

    fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        block: &mut BytesMut,
    ) -> Poll<io::Result<usize>> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            block.extend_from_slice(&early);
            return Poll::Ready(Ok(early.len()));
        }
        let before = block.len();
        loop {
            if self.is_peer_closed() {
                return Poll::Ready(Ok(0));
            }
            let received = ready!(self.poll_receive(task, block))?;
            // What the peer is owed beside data: an answer to its key update. It goes with the
            // next write where it can't go now.
            if self.sealed == 0 && self.poll_flush(task)?.is_pending() {
                task.waker().wake_by_ref();
            }
            match received {
                _ if block.len() > before => return Poll::Ready(Ok(block.len() - before)),
                None | Some(Progress::PeerClosed) => return Poll::Ready(Ok(0)),
                Some(Progress::Open | Progress::Handshaking) => {}
            }
        }
    }

    fn poll_write(&mut self, task: &mut Context<'_>, from: &mut Buffer) -> Poll<io::Result<()>> {
        loop {
            // What is sealed stays in `from` until it is written, so that whoever waits for
            // `from` to be empty waits for the socket.
            ready!(self.poll_flush(task))?;
            from.advance(std::mem::take(&mut self.sealed));
            if from.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let State::Running(records) = &mut self.state else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            match records.seal(from, &self.scratch) {
                Ok(sealed) => self.sealed = sealed,
                Err(_) => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
            if self.poll_flush(task)?.is_pending() {
                if let State::Running(records) = &mut self.state {
                    records.keep_outgoing();
                }
                return Poll::Pending;
            }
        }
    }

    fn write_late(&mut self, worker: &Worker, from: &mut Buffer) -> bool {
        let State::Running(records) = &mut self.state else {
            return false;
        };
        let is_open = self.info.is_some() && self.sealed == 0 && records.outgoing.is_empty();
        if !is_open || from.len() >= SMALL || !self.socket.is_flushed() {
            return false;
        }
        match records.seal(from, &self.scratch) {
            Ok(sealed) => self.sealed = sealed,
            // Writing at once tells.
            Err(_) => return false,
        }
        if self.sealed < from.len() || !self.socket.write_late(worker, &mut records.outgoing) {
            return false;
        }
        self.sealed = 0;
        from.clear();
        true
    }

    /// Tells the peer; as in Envoy the socket itself stays open for what the peer still says.
    fn poll_end_write(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let State::Running(records) = &mut self.state {
            self.scratch.with_seal(|seal| records.close_notify(seal));
        }
        self.poll_flush(task)
    }

    fn socket(&self) -> &Socket {
        &self.socket
    }

    fn tls(&self) -> Option<&Arc<TlsInfo>> {
        self.info.as_ref()
    }

    fn failure(&self) -> Option<&Arc<str>> {
        self.failure.as_ref()
    }
}

impl<S: Session> Drop for TlsSocket<S> {
    fn drop(&mut self) {
        let State::Running(records) = &mut self.state else {
            return;
        };
        if self.info.is_none() || records.is_notified() || !records.outgoing.is_empty() {
            return;
        }
        self.scratch.with_seal(|seal| records.close_notify(seal));
        // Where it can't be written at once, nobody waits for it.
        let _ = self.poll_flush(&mut Context::from_waker(Waker::noop()));
    }
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;
