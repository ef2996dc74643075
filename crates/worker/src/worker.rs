//! One worker: its clock, timers, randomness, scratch memory and services.

use crate::late::LateJobs;
use crate::local_slot::LocalSlot;
use crate::mailbox::WorkerHandle;
use crate::published::{Held, Views};
use crate::services::Services;
use crate::timer::Timers;
use bytes::BytesMut;
use nuncio_base::Buffer;
use nuncio_base::random::Random;
use nuncio_base::runtime_flags::RuntimeFlags;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// How many bytes one read takes at most. Between 32 and 60 KiB is best: at 64 KiB reads from
/// loopback cost twice as much (measured), below 32 KiB large bodies need more syscalls.
pub const READ_BLOCK: usize = 60 * 1024;

/// Wall time is derived from monotonic time and read anew this often.
const WALL_CLOCK_AGE: Duration = Duration::from_millis(500);

/// How many empty buffers are kept: a turn uses two, nested turns a few more, and each write that
/// was put off one.
const SPARE_BUFFERS: usize = 256;

/// Which worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub enum WorkerId {
    /// The main thread.
    Main,
    /// A worker thread, counted from 0.
    Worker(u32),
}

impl WorkerId {
    /// As Envoy names its dispatchers: `main_thread`, `worker_0`.
    pub fn name(self) -> String {
        match self {
            Self::Main => "main_thread".to_owned(),
            Self::Worker(index) => format!("worker_{index}"),
        }
    }
}

/// What belongs to one worker thread. Everything here is reached through `Rc<Worker>`, so the
/// compiler sees to it that nothing of it leaves the thread.
pub struct Worker {
    id: WorkerId,
    handle: WorkerHandle,
    now: Cell<Instant>,
    wall: Cell<(Instant, SystemTime)>,
    random: RefCell<Random>,
    seeds: RefCell<Random>,
    timers: Timers,
    read_block: LocalSlot<BytesMut>,
    write_block: LocalSlot<BytesMut>,
    // Boxed, since a connection holds a pointer only while a buffer has something in it.
    #[allow(clippy::vec_box)]
    spare_buffers: LocalSlot<Vec<Box<Buffer>>>,
    flags: RefCell<Held<RuntimeFlags>>,
    services: Services,
    views: Views,
    late: LateJobs,
}

impl Worker {
    pub(crate) fn new(handle: WorkerHandle, mut random: Random) -> Rc<Self> {
        let now = nuncio_base::time::monotonic();
        Rc::new(Self {
            id: handle.id(),
            handle,
            now: Cell::new(now),
            wall: Cell::new((now, nuncio_base::time::wall())),
            seeds: RefCell::new(Random::seeded(random.bits())),
            random: RefCell::new(random),
            timers: Timers::new(now),
            read_block: LocalSlot::default(),
            write_block: LocalSlot::default(),
            spare_buffers: LocalSlot::default(),
            flags: RefCell::new(Held::from(Arc::default())),
            services: Services::default(),
            views: Views::default(),
            late: LateJobs::default(),
        })
    }

    /// Which worker this is.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// This worker's own mailbox.
    pub fn handle(&self) -> &WorkerHandle {
        &self.handle
    }

    /// The monotonic time as of the last [`tick`](Self::tick).
    pub fn now(&self) -> Instant {
        self.now.get()
    }

    /// Reads the clock: once at the beginning of each task's turn.
    pub fn tick(&self) {
        self.now.set(nuncio_base::time::monotonic());
    }

    /// The wall time that belongs to [`now`](Self::now).
    pub fn wall(&self) -> SystemTime {
        let now = self.now();
        let (then, wall) = self.wall.get();
        let age = now.saturating_duration_since(then);
        if age < WALL_CLOCK_AGE {
            return wall + age;
        }
        let wall = nuncio_base::time::wall();
        self.wall.set((now, wall));
        wall
    }

    /// Uses this worker's random numbers.
    pub fn with_random<R>(&self, f: impl FnOnce(&mut Random) -> R) -> R {
        f(&mut self.random.borrow_mut())
    }

    /// Random bits to begin something with, also while the random numbers are lent.
    pub fn seed(&self) -> u64 {
        self.seeds.borrow_mut().bits()
    }

    /// 64 random bits.
    pub fn random(&self) -> u64 {
        self.with_random(Random::bits)
    }

    /// The deadlines of this worker.
    pub fn timers(&self) -> &Timers {
        &self.timers
    }

    /// Lends the block that sockets are read into; what was read is split off and frozen, and the
    /// block's memory is used again once all of that is dropped.
    pub fn with_read_block<R>(&self, f: impl FnOnce(&mut BytesMut) -> R) -> R {
        self.read_block.with(|block| {
            if block.capacity() < READ_BLOCK / 2 {
                block.reserve(READ_BLOCK);
            }
            f(block)
        })
    }

    /// Lends the block that heads and chunk frames are written into.
    pub fn with_write_block<R>(&self, f: impl FnOnce(&mut BytesMut) -> R) -> R {
        self.write_block.with(|block| {
            if block.capacity() < 4096 {
                block.reserve(16 * 1024);
            }
            f(block)
        })
    }

    /// An empty buffer for a connection's turn.
    pub fn take_buffer(&self) -> Box<Buffer> {
        self.spare_buffers.with(Vec::pop).unwrap_or_default()
    }

    /// Takes an empty buffer back at the end of a turn; one that still holds something stays with
    /// its connection, without pinning whole read blocks for a few bytes.
    pub fn keep_or_give(&self, mut buffer: Box<Buffer>) -> Option<Box<Buffer>> {
        if !buffer.is_empty() {
            buffer.compact();
            return Some(buffer);
        }
        self.give_buffer(buffer);
        None
    }

    /// Takes back a buffer that is empty.
    pub fn give_buffer(&self, buffer: Box<Buffer>) {
        debug_assert!(buffer.is_empty());
        self.spare_buffers.with(|spare| {
            if spare.len() < SPARE_BUFFERS {
                spare.push(buffer);
            }
        });
    }

    /// The runtime flags now.
    pub fn flags(&self) -> Held<RuntimeFlags> {
        self.flags.borrow().clone()
    }

    /// Replaces the runtime flags; main posts this to every worker.
    pub fn set_flags(&self, flags: Arc<RuntimeFlags>) {
        *self.flags.borrow_mut() = Held::from(flags);
    }

    /// What this worker lends by type.
    pub fn services(&self) -> &Services {
        &self.services
    }

    pub(crate) fn views(&self) -> &Views {
        &self.views
    }

    pub(crate) fn late(&self) -> &LateJobs {
        &self.late
    }

    /// Runs a future on this worker, outside tokio's cooperative budget: tasks here bound their
    /// own turns.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        tokio::task::spawn_local(tokio::task::unconstrained(future));
    }
}
