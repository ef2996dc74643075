//! A stream on which a control plane asks for reports and is given them again and again.

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_grpc::{GrpcEvent, GrpcStream};
use nuncio_worker::{Timer, Worker};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

/// How much of earlier reports may wait to be read when the next one is made, in bytes.
const UNSENT: usize = 1 << 20;

/// Who reports.
pub(crate) trait Reporter {
    /// What log lines call the stream.
    const STREAM: &str;

    /// When the next report is due, if one was asked for.
    fn due(&self) -> Option<Instant>;

    /// Sends a report.
    fn report(&mut self, stream: &mut GrpcStream);

    /// Leaves a report out, as those before are not read: the next one says what it would have.
    fn hold(&mut self);

    /// The control plane asks for something.
    fn on_message(&mut self, message: &[u8]);
}

/// Reports when that is due, until the stream ends.
pub(crate) async fn keep_reporting(
    reporter: &mut impl Reporter,
    worker: &Rc<Worker>,
    mut stream: GrpcStream,
) {
    let mut timer = Timer::default();
    poll_fn(|task| {
        worker.tick();
        poll(reporter, worker, &mut stream, &mut timer, task)
    })
    .await;
    timer.disarm(worker);
    drop(stream);
    worker.tick();
}

/// Ready once the stream has ended.
fn poll<R: Reporter>(
    reporter: &mut R,
    worker: &Rc<Worker>,
    stream: &mut GrpcStream,
    timer: &mut Timer,
    task: &mut Context<'_>,
) -> Poll<()> {
    loop {
        if timer.poll(worker, reporter.due(), task).is_ready() {
            if stream.unsent() < UNSENT {
                reporter.report(stream);
            } else {
                reporter.hold();
            }
            continue;
        }
        match stream.poll(task) {
            Poll::Ready(GrpcEvent::Began) => {}
            Poll::Ready(GrpcEvent::Message(message)) => reporter.on_message(&message),
            Poll::Ready(GrpcEvent::End(status)) => {
                let (code, message) = (status.code, status.message);
                let name = R::STREAM;
                log!(
                    logger::UPSTREAM,
                    Level::Warning,
                    "{name} closed: {code}, {message}"
                );
                return Poll::Ready(());
            }
            Poll::Pending => return Poll::Pending,
        }
    }
}
