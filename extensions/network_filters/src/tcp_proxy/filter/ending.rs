//! What ends a connection by time, and what is told of it then.

use super::{State, TcpProxy};
use nuncio_net::{Close, ConnCx};
use nuncio_observe::AccessLogType;
use nuncio_stream_info::{ResponseFlag, StreamInfo, Summary};
use std::rc::Rc;
use std::task::Context;
use std::time::Instant;

impl TcpProxy {
    /// Looks at the deadlines.
    pub(super) fn poll_deadlines(&mut self, cx: &mut ConnCx<'_>, task: &mut Context<'_>) {
        loop {
            let idle_at = match (&self.state, self.local.spec.idle_timeout) {
                (State::Relaying(carrier), Some(timeout)) => {
                    Some(carrier.last_activity() + timeout)
                }
                _ => None,
            };
            let deadline = [idle_at, self.max_at, self.log_at, self.retry_at]
                .into_iter()
                .flatten()
                .min();
            if cx.is_closing()
                || self
                    .timer
                    .poll(&self.local.worker, deadline, task)
                    .is_pending()
            {
                return;
            }
            let now = self.local.worker.now();
            let passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            if passed(self.max_at) {
                self.local.stats.max_downstream_connection_duration().inc();
                self.info.set_flag(ResponseFlag::DurationTimeout);
                self.close(cx, "max_connection_duration_reached");
            } else if passed(idle_at) {
                self.local.stats.idle_timeout().inc();
                self.close(cx, "tcp_session_idle_timeout");
            } else if passed(self.retry_at) {
                self.retry_at = None;
                self.connect(cx);
                task.waker().wake_by_ref();
            } else if passed(self.log_at) {
                self.log(AccessLogType::TcpPeriodic);
                let every = self.local.spec.access_log_flush_interval;
                self.log_at = every.map(|every| now + every);
            }
        }
    }

    /// Writes a line to the access logs.
    pub(super) fn log(&mut self, log_type: AccessLogType) {
        let metadata = self.info.connection.metadata.borrow();
        if !metadata.is_empty() {
            self.info.metadata.clone_from(&metadata);
        }
        drop(metadata);
        self.local.log(&self.info, log_type);
    }

    /// Logs the connection, and leaves its facts to the listener's logs.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.info.timings.end = Some(self.local.worker.now());
        let connection = Rc::clone(&self.info.connection);
        self.info.note_turned_away();
        self.log(AccessLogType::TcpConnectionEnd);
        if matches!(connection.summary.take(), Summary::Wanted) {
            let empty = StreamInfo::new(Rc::clone(&connection), self.info.timings.clone());
            let info = std::mem::replace(&mut *self.info, empty);
            connection.summary.set(Summary::Given(Box::new(info)));
        }
    }

    /// Closes both connections.
    fn close(&mut self, cx: &mut ConnCx<'_>, reason: &'static str) {
        cx.info().local_close_reason.set(Some(reason));
        self.info.upstream_mut().local_close_reason = Some(reason);
        cx.close(Close::NoFlush);
    }
}
