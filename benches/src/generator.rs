//! The load: keep-alive connections that repeat one request, as fast as answered or at a pace.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::histogram::Histogram;
use crate::message::{MessageReader, parse_response};
use crate::pace::Pace;

/// Connections that may break before a run is given up.
const MAX_ERRORS: u64 = 1000;

/// How long a run may go without any answer, and what it waits at its end for the last ones.
const PATIENCE: Duration = Duration::from_secs(5);

/// Paced requests that may wait for a free connection; later ones are not sent.
const MAX_WAITING: usize = 10_000;

const PACE: Token = Token(usize::MAX);

/// Read at a time. Much more would leave less of a large body to the sockets than a client's usual
/// buffer does, and shift the proxies' costs (s3, s9); much less would slow the generator down.
const READ_BYTES: usize = 32 * 1024;

/// What to send, and where.
pub struct Plan {
    /// The proxy's listener.
    pub address: SocketAddr,
    /// A whole request.
    pub request: Arc<[u8]>,
    /// Open at the same time.
    pub connections: usize,
    /// Requests per second over all connections; as fast as they are answered if none.
    pub rate: Option<u32>,
}

/// When a run ends.
#[derive(Debug, Clone)]
pub enum Limit {
    /// After this long.
    Time(Duration),
    /// After this many requests.
    Requests(u64),
    /// When this is set.
    Until(Arc<AtomicBool>),
}

/// What came of a run.
pub struct Tally {
    /// Answers, good or bad.
    pub requests: u64,
    /// Answers with another status than 2xx.
    pub bad: u64,
    /// Connections that broke while an answer was due.
    pub errors: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// From sending a request to the end of its answer.
    pub latency: Histogram,
}

/// Why a run was given up.
#[derive(Debug)]
pub enum Failure {
    /// The machine refused a socket or a timer.
    Io(io::Error),
    /// No answer came for a while.
    Silence,
    /// Too many connections broke, the last one so.
    Broken(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Io(error) => write!(formatter, "{error}"),
            Failure::Silence => write!(formatter, "no answer for {} s", PATIENCE.as_secs()),
            Failure::Broken(last) => {
                write!(
                    formatter,
                    "{MAX_ERRORS} connections broke, the last one: {last}"
                )
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

/// Open connections to one proxy, ready to run.
pub struct Generator {
    plan: Plan,
    poll: Poll,
    pace: Option<Pace>,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    reader: MessageReader<u16>,
    /// When the request was sent whose answer is due.
    asked: Option<Instant>,
    /// How much of the request is out.
    sent: usize,
}

impl Generator {
    /// Opens the connections.
    pub fn connect(plan: Plan) -> io::Result<Generator> {
        let poll = Poll::new()?;
        let pace = match plan.rate {
            Some(rate) => Some(Pace::new(rate, poll.registry(), PACE)?),
            None => None,
        };
        let connections = (0..plan.connections)
            .map(|index| Connection::open(plan.address, poll.registry(), index))
            .collect::<io::Result<_>>()?;
        Ok(Generator {
            plan,
            poll,
            pace,
            connections,
            scratch: vec![0; READ_BYTES],
        })
    }

    /// Sends requests up to the limit, and waits for the answers.
    pub fn run(&mut self, limit: Limit) -> Result<Tally, Failure> {
        let begun = Instant::now();
        let mut run = Run {
            begun,
            limit,
            issued: 0,
            answered: begun,
            over: false,
            idle: (0..self.connections.len()).rev().collect(),
            waiting: VecDeque::new(),
            tally: Tally {
                requests: 0,
                bad: 0,
                errors: 0,
                elapsed: Duration::ZERO,
                latency: Histogram::new(),
            },
        };
        match &mut self.pace {
            Some(pace) => pace.start()?,
            None => self.refill(&mut run, begun)?,
        }
        let mut events = Events::with_capacity(1024);
        while !(run.over && run.idle.len() == self.connections.len()) {
            match self
                .poll
                .poll(&mut events, Some(Duration::from_millis(100)))
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            for event in &events {
                match event.token() {
                    PACE => self.tick(&mut run)?,
                    Token(index) => self.advance(&mut run, index)?,
                }
            }
            let now = Instant::now();
            run.check_limit(now);
            self.refill(&mut run, now)?;
            if now - run.answered > PATIENCE {
                return Err(Failure::Silence);
            }
        }
        if let Some(pace) = &self.pace {
            pace.stop()?;
        }
        run.tally.elapsed = run.answered - begun;
        Ok(run.tally)
    }

    /// Sends the paced requests that are due.
    fn tick(&mut self, run: &mut Run) -> Result<(), Failure> {
        let Some(pace) = &mut self.pace else {
            return Ok(());
        };
        let due = pace.due()?;
        let now = Instant::now();
        for _ in 0..due {
            if run.waiting.len() < MAX_WAITING {
                run.waiting.push_back(now);
            }
        }
        self.refill(run, now)
    }

    /// Gives idle connections a request each, as far as there are any to send.
    fn refill(&mut self, run: &mut Run, now: Instant) -> Result<(), Failure> {
        while let Some(index) = run.idle.pop() {
            run.check_limit(now);
            let asked = match (run.over, self.pace.is_some()) {
                (true, _) => None,
                (false, true) => run.waiting.pop_front(),
                (false, false) => Some(now),
            };
            let Some(asked) = asked else {
                run.idle.push(index);
                return Ok(());
            };
            run.issued += 1;
            let connection = &mut self.connections[index];
            connection.asked = Some(asked);
            connection.sent = 0;
            if let Err(error) = connection.send(&self.plan.request) {
                self.reopen(run, index, error)?;
            }
        }
        Ok(())
    }

    /// Goes on with a connection that is readable or writable.
    fn advance(&mut self, run: &mut Run, index: usize) -> Result<(), Failure> {
        let connection = &mut self.connections[index];
        let status = connection
            .send(&self.plan.request)
            .and_then(|()| connection.receive(&mut self.scratch));
        let now = match status {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => {
                let now = Instant::now();
                run.answered = now;
                run.tally.requests += 1;
                run.tally.bad += u64::from(!(200..300).contains(&status));
                if let Some(asked) = connection.asked.take() {
                    run.tally.latency.record(now - asked);
                }
                now
            }
            Err(error) if connection.asked.is_none() => {
                // An idle connection that the peer closed, as it may.
                let was_idle = run.idle.iter().position(|&idle| idle == index);
                was_idle.map(|position| run.idle.swap_remove(position));
                return self.reopen(run, index, error);
            }
            Err(error) => return self.reopen(run, index, error),
        };
        run.idle.push(index);
        self.refill(run, now)
    }

    /// Replaces a broken connection by a new one, which the next [`Self::refill`] puts to use.
    fn reopen(&mut self, run: &mut Run, index: usize, error: io::Error) -> Result<(), Failure> {
        run.tally.errors += 1;
        if run.tally.errors == MAX_ERRORS {
            return Err(Failure::Broken(error));
        }
        let opened = Connection::open(self.plan.address, self.poll.registry(), index)?;
        self.connections[index] = opened;
        run.idle.push(index);
        Ok(())
    }
}

/// A run that is under way.
struct Run {
    begun: Instant,
    limit: Limit,
    /// Requests sent.
    issued: u64,
    /// When the latest answer came.
    answered: Instant,
    /// The limit is reached: nothing more is sent.
    over: bool,
    /// Connections without a request.
    idle: Vec<usize>,
    /// When paced requests fell due that found no idle connection.
    waiting: VecDeque<Instant>,
    tally: Tally,
}

impl Run {
    fn check_limit(&mut self, now: Instant) {
        self.over |= match &self.limit {
            Limit::Time(time) => now - self.begun >= *time,
            Limit::Requests(count) => self.issued >= *count,
            Limit::Until(over) => over.load(Ordering::Relaxed),
        };
    }
}

impl Connection {
    fn open(address: SocketAddr, registry: &mio::Registry, index: usize) -> io::Result<Connection> {
        let stream = std::net::TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(
            &mut stream,
            Token(index),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let reader = MessageReader::new(parse_response);
        Ok(Connection {
            stream,
            reader,
            asked: None,
            sent: 0,
        })
    }

    /// Sends what is missing of a request that is under way.
    fn send(&mut self, request: &[u8]) -> io::Result<()> {
        while self.asked.is_some() && self.sent < request.len() {
            match self.stream.write(&request[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until the socket is empty; the status if that ended the answer.
    fn receive(&mut self, scratch: &mut [u8]) -> io::Result<Option<u16>> {
        loop {
            let count = match self.stream.read(scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            };
            if self.asked.is_none() {
                return Err(io::Error::other("an answer to no request"));
            }
            let (taken, status) = self
                .reader
                .feed(&scratch[..count])
                .map_err(io::Error::other)?;
            if taken < count {
                return Err(io::Error::other("more than the answer"));
            }
            // Short of a full buffer the socket is empty: what comes later is a new event.
            if status.is_some() || count < scratch.len() {
                return Ok(status);
            }
        }
    }
}
