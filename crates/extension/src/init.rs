//! What must be there before something is used: the routes of a listener, the secrets of a cluster
//! (Envoy's "Initialization" page, init targets and init managers).

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Poll, Waker};

type Start = Box<dyn FnOnce()>;

/// One thing that is waited for. Lives on main; whoever gets the thing holds it, and so do all
/// that wait.
pub struct InitTarget {
    name: String,
    start: RefCell<Option<Start>>,
    is_ready: Cell<bool>,
    waiting: RefCell<Vec<Waker>>,
}

impl InitTarget {
    /// A target that `start` begins to get, once somebody waits for it.
    pub fn new(name: impl Into<String>, start: impl FnOnce() + 'static) -> Rc<Self> {
        Rc::new(Self {
            name: name.into(),
            start: RefCell::new(Some(Box::new(start))),
            is_ready: Cell::new(false),
            waiting: RefCell::default(),
        })
    }

    /// As `/init_dump` names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Begins to get it, unless that was done before.
    pub fn initialize(&self) {
        let start = self.start.borrow_mut().take();
        if let Some(start) = start {
            start();
        }
    }

    /// It is there, or will not come: nobody need wait any longer.
    pub fn ready(&self) {
        if !self.is_ready.replace(true) {
            let waiting = self.waiting.take();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether nobody need wait.
    pub fn is_ready(&self) -> bool {
        self.is_ready.get()
    }

    /// Resolves once it is ready.
    pub async fn wait(&self) {
        std::future::poll_fn(|task| {
            if self.is_ready() {
                return Poll::Ready(());
            }
            self.waiting.borrow_mut().push(task.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Several targets that something waits for.
#[derive(Clone, Default)]
pub struct InitTargets(Vec<Rc<InitTarget>>);

impl InitTargets {
    /// Adds one; the same one counts once.
    pub fn add(&mut self, target: &Rc<InitTarget>) {
        if !self.0.iter().any(|known| Rc::ptr_eq(known, target)) {
            self.0.push(Rc::clone(target));
        }
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Self) {
        others.0.iter().for_each(|target| self.add(target));
    }

    /// Begins to get all of them.
    pub fn initialize(&self) {
        self.0.iter().for_each(|target| target.initialize());
    }

    /// Whether all are ready.
    pub fn are_ready(&self) -> bool {
        self.0.iter().all(|target| target.is_ready())
    }

    /// Resolves once all are ready.
    pub async fn wait(&self) {
        for target in &self.0 {
            target.wait().await;
        }
    }

    /// The names of those that are not ready.
    pub fn unready(&self) -> Vec<String> {
        let unready = self.0.iter().filter(|target| !target.is_ready());
        unready.map(|target| target.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_start_once_and_are_waited_for() {
        let started = Rc::new(Cell::new(0));
        let count = Rc::clone(&started);
        let target = InitTarget::new("one", move || count.set(count.get() + 1));
        let mut targets = InitTargets::default();
        assert!(targets.are_ready());
        targets.add(&target);
        targets.extend(&targets.clone());
        assert_eq!(targets.unready(), ["one"]);
        targets.initialize();
        targets.initialize();
        assert_eq!(started.get(), 1);
        target.ready();
        assert!(targets.are_ready() && targets.unready().is_empty());
    }
}
