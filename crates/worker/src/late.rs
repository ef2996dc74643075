//! What is done when every task that is ready has had its turn.
//!
//! A write to a peer that sleeps wakes it, which costs more than the write. When the writes of many
//! connections follow each other closely, the peer is still awake for all but the first.

use crate::worker::Worker;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};

/// Something to be done late.
pub trait Late {
    /// Does it as far as it goes; pending where there is a rest, for which `task` is woken.
    fn poll_late(&self, worker: &Worker, task: &mut Context<'_>) -> Poll<()>;
}

type Jobs = Vec<Rc<dyn Late>>;

/// What one worker has put off.
#[derive(Default)]
pub(crate) struct LateJobs {
    jobs: RefCell<Jobs>,
    /// Empty, with room for as many as there were.
    spare: Cell<Jobs>,
    /// What did not go when it was due; forgotten with whoever put it off.
    stuck: Cell<Vec<Weak<dyn Late>>>,
    runner: Cell<Option<Waker>>,
}

impl LateJobs {
    /// Whether there was none before.
    fn add(&self, job: Rc<dyn Late>) -> bool {
        let mut jobs = self.jobs.borrow_mut();
        jobs.push(job);
        jobs.len() == 1
    }

    /// Wakes the task that does them, if it has begun.
    fn wake_runner(&self) {
        if let Some(runner) = self.runner.take() {
            runner.wake_by_ref();
            self.runner.set(Some(runner));
        }
    }

    fn keep_runner(&self, task: &Context<'_>) {
        let runner = self.runner.take();
        let runner = runner.filter(|runner| runner.will_wake(task.waker()));
        let runner = runner.unwrap_or_else(|| task.waker().clone());
        self.runner.set(Some(runner));
    }
}

impl Worker {
    /// Does `what` behind the tasks that are ready now.
    pub fn do_late(&self, what: Rc<dyn Late>) {
        if self.late().add(what) {
            self.late().wake_runner();
        }
    }

    /// Does what was put off: a task that is woken by the first of them, and so stands behind all
    /// that were ready by then.
    pub(crate) async fn run_late(self: Rc<Self>) {
        poll_fn(|task| {
            let late = self.late();
            late.keep_runner(task);
            let mut stuck = late.stuck.take();
            let mut goes_on = |job: Rc<dyn Late>| job.poll_late(&self, task).is_pending();
            stuck.retain(|job| job.upgrade().is_some_and(&mut goes_on));
            let mut jobs = late.jobs.replace(late.spare.take());
            for job in jobs.drain(..) {
                if job.poll_late(&self, task).is_pending() {
                    stuck.push(Rc::downgrade(&job));
                }
            }
            late.stuck.set(stuck);
            late.spare.set(jobs);
            Poll::<()>::Pending
        })
        .await;
    }
}
