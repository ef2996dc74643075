//! Takes resources away whose time has come, whether there is a stream or not.

use super::GrpcMux;
use super::type_state::{Share, TypeState};
use crate::rejection::Rejection;
use crate::resource::ResourceType;
use crate::subscriptions::Update;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_worker::Timer;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

impl GrpcMux {
    /// Begins to watch the time with the first resource that may go; later ones are noted.
    pub(super) fn watch_expiry(self: &Rc<Self>) {
        if self.next_expiry().is_none() {
            return;
        }
        if let Some(waker) = self.expiry_waker.borrow_mut().take() {
            waker.wake();
        }
        let env = self.owner.env();
        let Some(main) = env.as_ref().and_then(|env| env.main()) else {
            return;
        };
        if self.watches_expiry.replace(true) {
            return;
        }
        let (weak, worker) = (Rc::downgrade(self), Rc::clone(main));
        main.spawn(async move {
            let mut timer = Timer::default();
            poll_fn(|task| {
                worker.tick();
                let Some(mux) = weak.upgrade() else {
                    return Poll::Ready(());
                };
                loop {
                    mux.expire(worker.now());
                    let next = mux.next_expiry();
                    if timer.poll(&worker, next, task).is_pending() {
                        break;
                    }
                }
                *mux.expiry_waker.borrow_mut() = Some(task.waker().clone());
                Poll::Pending
            })
            .await;
            timer.disarm(&worker);
        });
    }

    fn next_expiry(&self) -> Option<Instant> {
        let types = self.types.borrow();
        types.values().filter_map(|state| state.ttls.next()).min()
    }

    fn expire(&self, now: Instant) {
        let mut types = self.types.borrow_mut();
        let expired = types.iter_mut().map(|(kind, state)| {
            let names = state.ttls.expired(now);
            state.interest.note_versions(std::iter::empty(), &names);
            state.keep(Vec::new(), &names);
            (*kind, names)
        });
        let expired: Vec<_> = expired.filter(|(_, names)| !names.is_empty()).collect();
        drop(types);
        for (kind, names) in expired {
            self.take_away(kind, &names);
        }
    }

    fn take_away(&self, kind: ResourceType, names: &[String]) {
        let types = self.types.borrow();
        let concerned = types.get(&kind).map(|state| state.concerned(&[], names));
        let concerned = concerned.unwrap_or_default();
        drop(types);
        log!(
            logger::CONFIG,
            Level::Debug,
            "{}: the time of {} has come",
            kind.type_url(),
            names.join(", ")
        );
        for (watch, share) in concerned {
            let removed = match share {
                Share::Removed(at) => &names[at..=at],
                Share::All | Share::Resource(_) => names,
            };
            let update = Update {
                resources: &[],
                removed: Some(removed),
                version: "",
            };
            if let Err(Rejection { reason, .. }) = watch.offer(&update) {
                log!(
                    logger::CONFIG,
                    Level::Warning,
                    "{}: what is gone can't be taken away: {reason}",
                    kind.type_url()
                );
            }
        }
    }
}

impl TypeState {
    /// Notes how long resources stay that were accepted, and that others are gone.
    pub(super) fn note_ttls(
        &mut self,
        ttls: &[(String, Option<Duration>)],
        removed: &[String],
        now: Instant,
    ) {
        for (name, ttl) in ttls {
            self.ttls.set(name, *ttl, now);
        }
        for name in removed {
            self.ttls.remove(name);
        }
    }
}
