//! What was sent into the chain, what filters took out of it, and the choices they make.

use nuncio_base::Buffer;
use nuncio_codec::End;
use nuncio_http::Direction;
use std::cell::{Cell, Ref, RefCell, RefMut};
use std::rc::Rc;

/// What filters add; all else counts up from 0.
pub const ADDED: u8 = 255;

thread_local! {
    /// The model of the stream that runs on this thread: filters are made by the chain, which
    /// knows nothing of it.
    static CURRENT: RefCell<Option<Model>> = const { RefCell::new(None) };
}

/// The choices and the two directions of a stream.
#[derive(Clone)]
pub struct Model(Rc<Shared>);

struct Shared {
    choices: Vec<u8>,
    at: Cell<usize>,
    settling: Cell<bool>,
    request: RefCell<Source>,
    response: RefCell<Source>,
    received: RefCell<(Vec<u8>, bool)>,
}

/// What was sent in one direction.
#[derive(Default)]
pub struct Source {
    sent: u8,
    ended: bool,
    dropped: Vec<u8>,
}

impl Model {
    /// Begins a stream with these choices.
    pub fn begin(choices: &[u8]) -> Self {
        let model = Self(Rc::new(Shared {
            choices: choices.to_vec(),
            at: Cell::new(0),
            settling: Cell::new(false),
            request: RefCell::default(),
            response: RefCell::default(),
            received: RefCell::default(),
        }));
        CURRENT.with(|current| *current.borrow_mut() = Some(model.clone()));
        model
    }

    /// The stream's model.
    pub fn current() -> Self {
        let current = CURRENT.with(|current| current.borrow().clone());
        current.expect("a filter runs while a stream does")
    }

    /// The stream is over.
    pub fn end(&self) {
        CURRENT.with(|current| *current.borrow_mut() = None);
    }

    /// One of `count` possibilities; the first when the choices are used up.
    pub fn choose(&self, count: usize) -> usize {
        let at = self.0.at.replace(self.0.at.get() + 1);
        let choice = self.0.choices.get(at).filter(|_| !self.0.settling.get());
        choice.map_or(0, |choice| usize::from(*choice) % count)
    }

    /// From now on everything goes on.
    pub fn settle(&self) {
        self.0.settling.set(true);
    }

    /// Whether everything goes on.
    pub fn is_settling(&self) -> bool {
        self.0.settling.get()
    }

    /// What was sent in a direction.
    pub fn source(&self, direction: Direction) -> RefMut<'_, Source> {
        match direction {
            Direction::Request => self.0.request.borrow_mut(),
            Direction::Response => self.0.response.borrow_mut(),
        }
    }

    /// What the terminal filter has received.
    pub fn received(&self) -> Ref<'_, (Vec<u8>, bool)> {
        self.0.received.borrow()
    }

    /// The terminal filter receives body, or the end.
    pub fn receive(&self, data: &[u8], end: bool) {
        let mut received = self.0.received.borrow_mut();
        received.0.extend_from_slice(data);
        received.1 |= end;
    }
}

impl Source {
    /// Bytes to send, each of which occurs once, and whether they are the last.
    pub fn sends(&mut self, count: usize, end: End) -> Buffer {
        assert!(!self.ended, "the fuzzer sends behind its end");
        let count = (count as u8).min(ADDED - self.sent);
        let bytes: Vec<u8> = (self.sent..self.sent + count).collect();
        self.sent += count;
        self.ended = end.is_end();
        let mut data = Buffer::new();
        data.push(bytes.into());
        data
    }

    /// A filter keeps these bytes to itself.
    pub fn drops(&mut self, bytes: &[u8]) {
        self.dropped.extend_from_slice(bytes);
    }

    /// Holds what arrived against what was sent.
    pub fn check(&self, what: &str, arrived: &(Vec<u8>, bool)) {
        let (bytes, ended) = arrived;
        let bytes: Vec<u8> = bytes
            .iter()
            .copied()
            .filter(|byte| *byte != ADDED)
            .collect();
        let expected: Vec<u8> = (0..self.sent)
            .filter(|byte| !self.dropped.contains(byte))
            .collect();
        assert_eq!(bytes, expected, "the {what}'s body");
        assert_eq!(*ended, self.ended, "the {what}'s end");
    }
}
