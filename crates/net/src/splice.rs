//! Moves bytes from one socket to another inside the kernel (`splice(2)`), for bulk that nobody
//! here looks at: half the CPU of reading and writing (`performance.md`).

mod bulk;

pub use bulk::Direction;

use crate::socket::Socket;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};
use tokio::io::Interest;

/// How much a pipe holds: Linux's default. Larger pipes cost more per byte (measured, 256 KiB by
/// 8 %), though they need fewer calls.
const PIPE_SIZE: usize = 64 * 1024;

/// How many bytes are spliced in one turn: about 0.4 ms. Going on with one connection is what makes
/// splicing cheap (measured: 512 KiB cost 15 % more per byte).
pub const TURN_BYTES: u64 = 2 * 1024 * 1024;

/// How many empty pipes a worker keeps: each direction uses one only while bytes move.
const SPARE_PIPES: usize = 16;

/// The empty pipes of one worker: a worker service.
#[derive(Default)]
pub struct Pipes {
    spare: RefCell<Vec<Pipe>>,
}

#[derive(Debug)]
struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipes {
    fn take(&self) -> io::Result<Pipe> {
        if let Some(pipe) = self.spare.borrow_mut().pop() {
            return Ok(pipe);
        }
        let (read, write) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC)?;
        Ok(Pipe { read, write })
    }

    fn give(&self, pipe: Pipe) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE_PIPES {
            spare.push(pipe);
        }
    }
}

/// How many bytes moved in one turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Read from the one socket.
    pub taken: u64,
    /// Written to the other.
    pub given: u64,
}

/// Why a turn of moving bytes ended.
#[derive(Debug)]
pub enum Spliced {
    /// There is nothing to read for now.
    Drained,
    /// Nothing can be written for now; bytes wait in the pipe.
    Blocked,
    /// There may be more, but others have their turn first.
    More,
    /// Reading in the ordinary way will tell why no more can be read like this: the end, an error,
    /// no pipe. All that was read is written.
    Over,
    /// The other socket takes nothing any more.
    Failed(io::Error),
}

/// One direction between two sockets.
#[derive(Debug, Default)]
pub struct Splice {
    pipe: Option<Pipe>,
    /// How many bytes are in the pipe.
    held: usize,
}

impl Splice {
    /// Whether bytes wait in the pipe.
    pub fn holds_bytes(&self) -> bool {
        self.held > 0
    }

    /// Moves bytes until something stops it, and takes no more than `most`. The pipe goes back when
    /// it is empty.
    pub fn poll(
        &mut self,
        pipes: &Pipes,
        task: &mut Context<'_>,
        (from, to): (&Socket, &Socket),
        most: u64,
        moved: &mut Moved,
    ) -> Spliced {
        let result = self.run(pipes, task, (from, to), most, moved);
        if self.held == 0
            && let Some(pipe) = self.pipe.take()
        {
            pipes.give(pipe);
        }
        result
    }

    fn run(
        &mut self,
        pipes: &Pipes,
        task: &mut Context<'_>,
        (from, to): (&Socket, &Socket),
        most: u64,
        moved: &mut Moved,
    ) -> Spliced {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        loop {
            if self.held == 0 {
                if moved.taken >= most {
                    return Spliced::More;
                }
                match from.poll_read_ready(task) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Spliced::Over,
                    Poll::Pending => return Spliced::Drained,
                }
                let pipe = match self.pipe.take().map_or_else(|| pipes.take(), Ok) {
                    Ok(pipe) => self.pipe.insert(pipe),
                    Err(_) => return Spliced::Over,
                };
                let room = PIPE_SIZE.min(usize::try_from(most - moved.taken).unwrap_or(PIPE_SIZE));
                let read = from.try_io(Interest::READABLE, |from| {
                    Ok(splice(from, None, &pipe.write, None, room, flags)?)
                });
                match read {
                    Ok(0) => return Spliced::Over,
                    Ok(bytes) => self.held = bytes,
                    // Not ready after all: the next round waits.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                    Err(_) => return Spliced::Over,
                }
                moved.taken += self.held as u64;
            }
            match self.drain(task, to, moved) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Spliced::Failed(error),
                Poll::Pending => return Spliced::Blocked,
            }
        }
    }

    /// Writes what waits in the pipe; ready when all is written.
    ///
    /// # Errors
    /// Where the socket takes nothing any more.
    pub fn drain(
        &mut self,
        task: &mut Context<'_>,
        to: &Socket,
        moved: &mut Moved,
    ) -> Poll<io::Result<()>> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        while let (Some(pipe), 1..) = (&self.pipe, self.held) {
            ready!(to.poll_flush(task))?;
            ready!(to.poll_write_ready(task))?;
            let written = to.try_io(Interest::WRITABLE, |to| {
                Ok(splice(&pipe.read, None, to, None, self.held, flags)?)
            });
            match written {
                Ok(bytes) => {
                    self.held -= bytes;
                    moved.given += bytes as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
