//! Runs a connection's listener filters within their time.

use crate::hand_over::hand_over;
use crate::listener::Admission;
use crate::listener_filter::{Candidate, ListenerFilter, ListenerFilterStatus};
use crate::local::{LocalConfig, LocalListener};
use crate::stats::ListenerStats;
use nuncio_net::DetachedSocket;
use nuncio_worker::{Timer, Worker};
use std::future::Future;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

/// Runs the listener filters, and then chooses a chain.
pub(crate) async fn inspect(
    listener: Rc<LocalListener>,
    config: Rc<LocalConfig>,
    mut candidate: Candidate,
    admission: Admission,
    was_handed_over: bool,
) {
    let stats = &listener.stats;
    let _waiting = Waiting::new(stats);
    let filters = config.listener_filters.iter();
    let mut filters: Vec<_> = filters.map(|factory| factory.create()).collect();
    let spec = config.listener.spec();
    let deadline = spec
        .listener_filters_timeout
        .map(|timeout| candidate.info.start + timeout);
    let log = |candidate: Candidate| {
        let logs = &config.logs;
        logs.refused(listener.worker(), candidate.info);
    };
    match within(listener.worker(), deadline, &mut filters, &mut candidate).await {
        Some(ListenerFilterStatus::Continue) => {}
        Some(ListenerFilterStatus::Reject) => return log(candidate),
        Some(ListenerFilterStatus::ReadError) => {
            stats.downstream_listener_filter_error().inc();
            return log(candidate);
        }
        Some(ListenerFilterStatus::RemoteClose) => {
            stats.downstream_listener_filter_remote_close().inc();
            return log(candidate);
        }
        None => {
            stats.downstream_pre_cx_timeout().inc();
            if !spec.continue_on_listener_filters_timeout {
                return log(candidate);
            }
            // What the filters have looked at is announced again.
            if candidate.socket.is_kernels() {
                match candidate.socket.detach().and_then(DetachedSocket::attach) {
                    Ok(socket) => candidate.socket = socket,
                    Err(_) => return,
                }
            }
        }
    }
    let kept = match was_handed_over {
        true => Some((candidate, admission)),
        false => hand_over(&listener, candidate, admission),
    };
    let Some((candidate, admission)) = kept else {
        return;
    };
    // An update in place may have come meanwhile.
    let config = listener.config();
    listener.choose_chain(&config, candidate, admission);
}

/// What the filters say, or `None` at the deadline.
async fn within(
    worker: &Rc<Worker>,
    deadline: Option<Instant>,
    filters: &mut [Box<dyn ListenerFilter>],
    candidate: &mut Candidate,
) -> Option<ListenerFilterStatus> {
    let mut timer = Timer::default();
    let mut inspected = std::pin::pin!(async {
        for filter in filters {
            let status = filter.inspect(candidate).await;
            if status != ListenerFilterStatus::Continue {
                return status;
            }
        }
        ListenerFilterStatus::Continue
    });
    let outcome = std::future::poll_fn(|task| {
        worker.tick();
        match inspected.as_mut().poll(task) {
            Poll::Ready(status) => Poll::Ready(Some(status)),
            Poll::Pending => timer.poll(worker, deadline, task).map(|()| None),
        }
    })
    .await;
    timer.disarm(worker);
    outcome
}

/// A connection that has no filter chain yet, as the stats count it.
struct Waiting<'a>(&'a ListenerStats);

impl<'a> Waiting<'a> {
    fn new(stats: &'a ListenerStats) -> Self {
        stats.downstream_pre_cx_active().inc();
        Self(stats)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.downstream_pre_cx_active().dec();
    }
}
