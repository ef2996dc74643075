//! Deadlines on a worker's timer wheel.
//!
//! A deadline that moves later costs nothing: the wheel's entry stays where it is, and its owner
//! looks again when woken too early. So a request that arms and disarms five timeouts touches the
//! wheel hardly ever.

use crate::worker::Worker;
use nuncio_base::timer_wheel::{TimerKey, TimerWheel};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// One deadline at a time, re-armed as it moves. Forgotten entries wake their task once too often
/// at most; dropping through [`disarm`](Self::disarm) avoids even that.
#[derive(Default)]
pub struct Timer {
    armed: Option<(TimerKey, Instant)>,
}

impl Timer {
    /// Ready once `deadline` has passed; else makes sure that the task is woken by then. `None`
    /// waits for nothing and leaves what is armed, which may be needed again soon.
    pub fn poll(
        &mut self,
        worker: &Worker,
        deadline: Option<Instant>,
        task: &Context<'_>,
    ) -> Poll<()> {
        let Some(deadline) = deadline else {
            return Poll::Pending;
        };
        if deadline <= worker.now() {
            return Poll::Ready(());
        }
        let timers = worker.timers();
        if let Some((key, at)) = self.armed {
            if at <= deadline && timers.is_armed(key) {
                return Poll::Pending;
            }
            timers.cancel(key);
        }
        self.armed = Some((timers.arm(deadline, task.waker().clone()), deadline));
        Poll::Pending
    }

    /// Takes the entry off the wheel: for the end of the owner, or a change of the task.
    pub fn disarm(&mut self, worker: &Worker) {
        if let Some((key, _)) = self.armed.take() {
            worker.timers().cancel(key);
        }
    }
}

/// Resolves at `deadline`: for code that waits off the data path.
pub async fn sleep_until(worker: &Rc<Worker>, deadline: Instant) {
    let mut sleep = Sleep {
        worker,
        timer: Timer::default(),
    };
    std::future::poll_fn(|task| {
        worker.tick();
        sleep.timer.poll(worker, Some(deadline), task)
    })
    .await;
}

/// A timer whose owner may give it up: nothing of it stays behind.
struct Sleep<'a> {
    worker: &'a Worker,
    timer: Timer,
}

impl Drop for Sleep<'_> {
    fn drop(&mut self) {
        self.timer.disarm(self.worker);
    }
}

/// The wheel of a worker and the task that turns it.
pub struct Timers {
    wheel: RefCell<TimerWheel>,
    /// Until when the driver sleeps; an earlier deadline must wake it.
    driver_until: Cell<Option<Instant>>,
    driver: RefCell<Option<Waker>>,
}

impl Timers {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            wheel: RefCell::new(TimerWheel::new(start)),
            driver_until: Cell::new(None),
            driver: RefCell::default(),
        }
    }

    fn arm(&self, at: Instant, waker: Waker) -> TimerKey {
        let key = self.wheel.borrow_mut().arm(at, waker);
        if self.driver_until.get().is_none_or(|until| at < until) {
            self.driver_until.set(Some(at));
            if let Some(driver) = self.driver.borrow_mut().take() {
                driver.wake();
            }
        }
        key
    }

    fn cancel(&self, key: TimerKey) {
        self.wheel.borrow_mut().cancel(key);
    }

    /// How many are armed.
    #[cfg(test)]
    pub(crate) fn armed(&self) -> usize {
        self.wheel.borrow().len()
    }

    fn is_armed(&self, key: TimerKey) -> bool {
        self.wheel.borrow_mut().is_armed(key)
    }

    /// Turns the wheel for ever. One task per worker.
    pub(crate) async fn drive(worker: Rc<Worker>) {
        let mut sleep = Box::pin(tokio::time::sleep_until(worker.now().into()));
        std::future::poll_fn(|task| {
            let timers = worker.timers();
            loop {
                worker.tick();
                timers.wheel.borrow_mut().fire(worker.now());
                let next = timers.wheel.borrow().next();
                timers.driver_until.set(next);
                *timers.driver.borrow_mut() = Some(task.waker().clone());
                let Some(next) = next else {
                    return Poll::<()>::Pending;
                };
                sleep.as_mut().reset(next.into());
                if sleep.as_mut().poll(task).is_pending() {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }
}
